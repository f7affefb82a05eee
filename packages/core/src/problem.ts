/**
 * Errors as they go over HTTP between parts of Ingot: `application/problem+json` (RFC 9457), with the code of the
 * command line beside the status.
 */

import { ERROR_CODES, type ErrorCode, IngotError } from './errors.ts';
import { isJsonObject, type JsonObject, parseJson } from './json.ts';

const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'invalid-request',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not-found',
  408: 'timeout',
  409: 'conflict',
  412: 'precondition-failed',
  413: 'payload-too-large',
  415: 'unsupported-media-type',
  422: 'refused',
  429: 'overloaded',
  504: 'timeout',
  507: 'disk-full',
};

const CODES: ReadonlySet<string> = new Set(ERROR_CODES);

/**
 * Gives the error that a server's answer means: the one it names, or, where something else answered (a proxy), what its
 * status says.
 * @param text the body of the answer, as far as it was read.
 * @param url what was asked, without secrets.
 * @example
 * throw errorOfProblem(reply.status, await reply.text(), 'https://models.example.com/api/v1/models');
 */
export function errorOfProblem(status: number, text: string, url: string): IngotError {
  const problem = parsed(text);
  const { code, detail, hint, nearest, details } = problem ?? {};
  if (typeof code === 'string' && isCode(code) && typeof detail === 'string')
    return new IngotError(code, detail, {
      ...(typeof hint === 'string' && { hint }),
      ...(typeof nearest === 'string' && { nearest }),
      ...(isJsonObject(details) && { details }),
    });
  const fallback = BY_STATUS[status] ?? (status >= 500 ? 'unavailable' : 'refused');
  return new IngotError(fallback, `${url} answers with status ${status}`, { details: { status, url } });
}

function isCode(text: string): text is ErrorCode {
  return CODES.has(text);
}

function parsed(text: string): JsonObject | undefined {
  const value = parseJson(text);
  return isJsonObject(value) ? value : undefined;
}
