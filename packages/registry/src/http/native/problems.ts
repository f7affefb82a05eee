import { Problem } from './schemas.ts';

const ABOUT = {
  400: 'Malformed: the request, a name, a reference or a cursor.',
  401: 'Nobody is signed in, or the credentials are wrong.',
  403: 'Not allowed, or refused by policy.',
  404: 'No such model, version, alias or content; also where you may not know of it.',
  408: 'The request did not arrive in time.',
  409: 'Something else is there already, or was changed meanwhile.',
  412: 'The resource is not what `If-Match` names.',
  413: 'The body is too large.',
  415: 'The body is not JSON.',
  422: 'Well-formed, but it contradicts what is stored.',
  429: 'Too many requests; `Retry-After` says when to come back.',
  431: 'The headers, or the address, are larger than 16 KiB.',
  500: 'The server failed in a way nobody foresaw, or a stored log is damaged.',
  503: 'The store or the database does not answer; try again.',
} as const;

type ProblemStatus = keyof typeof ABOUT;

/** What any request may be answered with. */
const ALWAYS: readonly ProblemStatus[] = [400, 401, 403, 429, 431, 500, 503];

/** Documents the problems that a route answers with: those of every route, and its own. */
export function problems(...own: readonly ProblemStatus[]) {
  return Object.fromEntries(
    [...ALWAYS, ...own].map((status) => [
      status,
      { description: ABOUT[status], content: { 'application/problem+json': { schema: Problem } } },
    ]),
  );
}

/** The problems of a route that reads something by name. */
export const READ_PROBLEMS = problems(404);

/** The problems of a route that changes something. */
export const WRITE_PROBLEMS = problems(404, 408, 409, 412, 413, 415, 422);
