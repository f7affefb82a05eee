import type { ErrorCode, IngotError } from '@ingot/core/errors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Services } from '../../services.ts';
import { fromFramework } from '../framework-errors.ts';
import { withoutHiddenNames } from '../hidden-names.ts';
import { errorOf, ownStatusOf } from '../problem.ts';

type ErrorServices = Pick<Services, 'log' | 'authorizer'>;

/** What MLflow calls an error, and the HTTP status that goes with it. */
interface MlflowError {
  readonly name: string;
  readonly status: number;
}

const INVALID: MlflowError = { name: 'INVALID_PARAMETER_VALUE', status: 400 };
const MISSING: MlflowError = { name: 'RESOURCE_DOES_NOT_EXIST', status: 404 };
const EXISTS: MlflowError = { name: 'RESOURCE_ALREADY_EXISTS', status: 400 };
const CONFLICT: MlflowError = { name: 'RESOURCE_CONFLICT', status: 409 };
const DENIED: MlflowError = { name: 'PERMISSION_DENIED', status: 403 };
const INTERNAL: MlflowError = { name: 'INTERNAL_ERROR', status: 500 };
const AWAY: MlflowError = { name: 'TEMPORARILY_UNAVAILABLE', status: 503 };

const OWN: Readonly<Record<number, MlflowError>> = {
  405: { name: 'BAD_REQUEST', status: 405 },
  408: { name: 'DEADLINE_EXCEEDED', status: 408 },
};

// A client repeats what was answered with 408, 429, 500, 502, 503 or 504: no mistake of its user is among them.
const ERRORS: { readonly [code in ErrorCode]: MlflowError } = {
  usage: INVALID,
  'invalid-reference': INVALID,
  'invalid-name': INVALID,
  'invalid-package': INVALID,
  'invalid-config': INTERNAL,
  'model-not-found': MISSING,
  'version-not-found': MISSING,
  'alias-not-found': INVALID,
  'content-not-found': MISSING,
  'path-not-found': MISSING,
  'store-not-found': AWAY,
  'not-found': MISSING,
  forbidden: DENIED,
  unauthenticated: { name: 'UNAUTHENTICATED', status: 401 },
  conflict: CONFLICT,
  'precondition-failed': CONFLICT,
  'label-taken': EXISTS,
  'name-taken': EXISTS,
  'source-changed': CONFLICT,
  'port-in-use': INTERNAL,
  refused: DENIED,
  'environment-mismatch': INVALID,
  unavailable: AWAY,
  timeout: { name: 'DEADLINE_EXCEEDED', status: 504 },
  'disk-full': { name: 'RESOURCE_EXHAUSTED', status: 507 },
  overloaded: { name: 'REQUEST_LIMIT_EXCEEDED', status: 429 },
  'model-not-ready': AWAY,
  integrity: { name: 'DATA_LOSS', status: 500 },
  tampered: { name: 'DATA_LOSS', status: 500 },
  'invalid-request': INVALID,
  'signature-mismatch': INVALID,
  'payload-too-large': { name: 'BAD_REQUEST', status: 413 },
  'unsupported-media-type': { name: 'BAD_REQUEST', status: 415 },
  'model-failed': INTERNAL,
  'environment-failed': INTERNAL,
  interrupted: { name: 'CANCELLED', status: 499 },
  unexpected: INTERNAL,
};

/** An error as clients of MLflow read it. */
export interface MlflowProblem {
  readonly status: number;
  readonly body: { readonly error_code: string; readonly message: string };
}

/** Translates an error for clients of MLflow; the command that fixes it goes with the message. */
export function mlflowProblemOf(error: IngotError): MlflowProblem {
  const { code, message, hint } = error;
  const { name, status } = OWN[ownStatusOf(error) ?? 0] ?? ERRORS[code];
  return { status, body: { error_code: name, message: hint === undefined ? message : `${message} (${hint})` } };
}

/** Makes the errors of a part of the application those of MLflow, also for addresses in it where nothing is. */
export function answerMlflowErrors(scope: FastifyInstance, services: ErrorServices): void {
  scope.setErrorHandler((thrown, request, reply) => sendMlflowError(services, thrown, request, reply));
}

/** Sends an error as MLflow would. */
export function sendMlflowError(
  services: ErrorServices,
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const error = withoutHiddenNames(errorOf(fromFramework(thrown)), request, services);
  if (error.code === 'unexpected')
    services.log('error', `${request.method} ${request.routeOptions.url ?? ''} failed: ${String(error.cause)}`);
  const { status, body } = mlflowProblemOf(error);
  if (error.retryable) reply.header('retry-after', '1');
  if (error.code === 'unauthenticated') reply.header('www-authenticate', 'Basic realm="ingot", Bearer realm="ingot"');
  return reply.status(status).type('application/json').send(JSON.stringify(body));
}
