import { type ErrorCode, IngotError } from '@ingot/core/errors';
import type { JsonValue } from '@ingot/core/json';

/** An error as `application/problem+json` (RFC 9457); `code` is that of the command line. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly hint?: string;
  readonly nearest?: string;
  readonly details?: Readonly<Record<string, JsonValue>>;
}

const STATUS: { readonly [code in ErrorCode]: number } = {
  usage: 400,
  'invalid-reference': 400,
  'invalid-name': 400,
  'invalid-package': 422,
  'invalid-config': 500,
  'model-not-found': 404,
  'version-not-found': 404,
  'alias-not-found': 404,
  'content-not-found': 404,
  'path-not-found': 404,
  'store-not-found': 503,
  'not-found': 404,
  forbidden: 403,
  unauthenticated: 401,
  conflict: 409,
  'precondition-failed': 412,
  'label-taken': 409,
  'name-taken': 409,
  'source-changed': 409,
  'port-in-use': 500,
  refused: 403,
  'environment-mismatch': 422,
  unavailable: 503,
  timeout: 504,
  'disk-full': 507,
  overloaded: 429,
  'model-not-ready': 503,
  integrity: 422,
  tampered: 500,
  'invalid-request': 400,
  'signature-mismatch': 422,
  'payload-too-large': 413,
  'unsupported-media-type': 415,
  'model-failed': 500,
  'environment-failed': 500,
  interrupted: 499,
  unexpected: 500,
};

/** The HTTP status that says what an error code says. */
export function statusOf(code: ErrorCode): number {
  return STATUS[code];
}

/** The status that says more than the code of an error: a body that came too late, a method that an address does not take. */
export function ownStatusOf({ code, details: { status } }: IngotError): 405 | 408 | undefined {
  if (code === 'timeout' && status === 408) return status;
  return code === 'invalid-request' && status === 405 ? status : undefined;
}

/** Gives any thrown value as an {@link IngotError}; what nobody foresaw says no more than that, its text stays in the log. */
export function errorOf(thrown: unknown): IngotError {
  if (thrown instanceof IngotError) return thrown;
  return new IngotError('unexpected', 'the server failed in a way nobody foresaw; its log has the details', {
    cause: thrown,
  });
}

/** Translates an error for HTTP. */
export function problemOf(error: IngotError): Problem {
  const { code, message, hint, nearest, details } = error;
  return {
    type: 'about:blank',
    title: code,
    status: ownStatusOf(error) ?? statusOf(code),
    code,
    detail: message,
    ...(hint === undefined ? {} : { hint }),
    ...(nearest === undefined ? {} : { nearest }),
    ...(Object.keys(details).length === 0 ? {} : { details }),
  };
}
