import type { ErrorCode, IngotError } from '@ingot/core/errors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isOciErrorCode, ociError, type OciErrorCode, ociStatusOf } from '../../oci/oci-error.ts';
import type { Services } from '../../services.ts';
import type { Refusal } from '../app.ts';
import { fromFramework } from '../framework-errors.ts';
import { withoutHiddenNames } from '../hidden-names.ts';
import { errorOf, ownStatusOf, statusOf } from '../problem.ts';
import { challenge } from './oci-challenge.ts';

/** What errors of the rest of Ingot are called here; those that say it themselves are called what they say. */
const CODES: { readonly [code in ErrorCode]: OciErrorCode } = {
  usage: 'UNSUPPORTED',
  'invalid-reference': 'MANIFEST_INVALID',
  'invalid-name': 'NAME_INVALID',
  'invalid-package': 'MANIFEST_INVALID',
  'invalid-config': 'UNKNOWN',
  'model-not-found': 'NAME_UNKNOWN',
  'version-not-found': 'MANIFEST_UNKNOWN',
  'alias-not-found': 'MANIFEST_UNKNOWN',
  'content-not-found': 'BLOB_UNKNOWN',
  'path-not-found': 'MANIFEST_UNKNOWN',
  'store-not-found': 'UNAVAILABLE',
  'not-found': 'MANIFEST_UNKNOWN',
  forbidden: 'DENIED',
  unauthenticated: 'UNAUTHORIZED',
  conflict: 'DENIED',
  'precondition-failed': 'DENIED',
  'label-taken': 'DENIED',
  'name-taken': 'DENIED',
  'source-changed': 'MANIFEST_INVALID',
  'port-in-use': 'UNKNOWN',
  refused: 'DENIED',
  'environment-mismatch': 'MANIFEST_INVALID',
  unavailable: 'UNAVAILABLE',
  timeout: 'UNAVAILABLE',
  'disk-full': 'UNAVAILABLE',
  overloaded: 'TOOMANYREQUESTS',
  'model-not-ready': 'UNAVAILABLE',
  integrity: 'MANIFEST_INVALID',
  tampered: 'UNKNOWN',
  'invalid-request': 'UNSUPPORTED',
  'signature-mismatch': 'MANIFEST_INVALID',
  'payload-too-large': 'SIZE_INVALID',
  'unsupported-media-type': 'UNSUPPORTED',
  'model-failed': 'UNKNOWN',
  'environment-failed': 'UNKNOWN',
  interrupted: 'BLOB_UPLOAD_INVALID',
  unexpected: 'UNKNOWN',
};

/** An error as clients of the API read it. */
export interface OciProblem {
  readonly status: number;
  readonly body: {
    readonly errors: readonly [{ readonly code: OciErrorCode; readonly message: string; readonly detail?: unknown }];
  };
}

/** Translates an error; the command that mends it goes with the message. */
export function ociProblemOf(error: IngotError): OciProblem {
  const { code, message, hint, details } = error;
  const { oci, ociStatus, detail } = details;
  const known = isOciErrorCode(oci) ? oci : CODES[code];
  const own = isOciErrorCode(oci) ? ociStatusOf(oci) : (ownStatusOf(error) ?? statusOf(code));
  const status = typeof ociStatus === 'number' ? ociStatus : own;
  const text = hint === undefined ? message : `${message} (${hint})`;
  return { status, body: { errors: [{ code: known, message: text, ...(detail !== undefined && { detail }) }] } };
}

/** Makes the errors of a part of the application those of the API. */
export function answerOciErrors(scope: FastifyInstance, services: Pick<Services, 'log' | 'authorizer'>): void {
  scope.setErrorHandler((thrown, request, reply) => sendOciError(services, thrown, request, reply));
}

/** Refuses addresses below the API's that are no text, such as `/v2/%zz/tags/list`. */
export function refuseMalformed(services: Pick<Services, 'log' | 'authorizer'>): Refusal {
  return {
    below: '/v2/',
    answer: (cause, request, reply) => {
      const malformed = ociError('NAME_INVALID', 'the address is not percent-encoded UTF-8', { cause });
      return sendOciError(services, malformed, request, reply);
    },
  };
}

function sendOciError(
  services: Pick<Services, 'log' | 'authorizer'>,
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const error = withoutHiddenNames(errorOf(fromFramework(thrown)), request, services);
  if (error.code === 'unexpected')
    services.log('error', `${request.method} ${request.url.slice(0, 200)} failed: ${String(error.cause)}`, {
      requestId: request.id,
    });
  const { status, body } = ociProblemOf(error);
  const { retryAfterSeconds, detail } = error.details;
  if (error.retryable) reply.header('retry-after', typeof retryAfterSeconds === 'number' ? retryAfterSeconds : 1);
  if (status === 401) challenge(request, reply, detail);
  if (!isReadToEnd(request)) reply.header('connection', 'close');
  // Whoever is refused at the door, too, learns that the API is here.
  reply.header('docker-distribution-api-version', 'registry/2.0').removeHeader('content-length');
  return reply.status(status).type('application/json').send(JSON.stringify(body));
}

/** A client that still sends reads its answer when it has sent all: up to this much is taken and thrown away. */
const THROWN_AWAY_BYTES = 64 * 1024 * 1024;

/** Whether the rest of a body that nobody reads comes to an end soon; else the connection ends with the answer. */
function isReadToEnd({ raw }: FastifyRequest): boolean {
  if (raw.complete) return true;
  // What nobody has begun to read, the server of Node.js reads to its end behind the answer.
  return !raw.readableDidRead && Number(raw.headers['content-length'] ?? Number.NaN) <= THROWN_AWAY_BYTES;
}
