import type { ErrorCode } from '@ingot/core/errors';

const STATUS: { readonly [code in ErrorCode]: number } = {
  usage: 400,
  'invalid-reference': 400,
  'invalid-name': 400,
  'invalid-package': 500,
  'invalid-config': 500,
  'model-not-found': 404,
  'version-not-found': 404,
  'alias-not-found': 404,
  'content-not-found': 503,
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
  'environment-mismatch': 503,
  unavailable: 503,
  timeout: 504,
  'disk-full': 507,
  overloaded: 429,
  'model-not-ready': 503,
  integrity: 500,
  tampered: 500,
  'invalid-request': 400,
  'signature-mismatch': 422,
  'payload-too-large': 413,
  'unsupported-media-type': 415,
  'model-failed': 500,
  'environment-failed': 503,
  interrupted: 499,
  unexpected: 500,
};

/** The HTTP status that says what an error code says. */
export function httpStatus(code: ErrorCode): number {
  return STATUS[code];
}
