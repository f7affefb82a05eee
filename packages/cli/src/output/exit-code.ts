import type { ErrorCode } from '@ingot/core/errors';

/** Which status each error ends the process with. Exhaustive: a new code does not compile without its line. */
const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  usage: 2,
  'invalid-reference': 2,
  'invalid-name': 2,
  'invalid-package': 2,
  'invalid-config': 2,
  'model-not-found': 3,
  'version-not-found': 3,
  'alias-not-found': 3,
  'content-not-found': 3,
  'path-not-found': 3,
  'store-not-found': 3,
  'not-found': 3,
  forbidden: 4,
  unauthenticated: 4,
  conflict: 5,
  'precondition-failed': 5,
  'label-taken': 5,
  'name-taken': 5,
  'source-changed': 5,
  'port-in-use': 5,
  refused: 6,
  'environment-mismatch': 6,
  unavailable: 7,
  timeout: 7,
  'disk-full': 7,
  overloaded: 7,
  'model-not-ready': 7,
  integrity: 8,
  tampered: 8,
  'invalid-request': 2,
  'signature-mismatch': 1,
  'payload-too-large': 1,
  'unsupported-media-type': 1,
  'model-failed': 1,
  'environment-failed': 1,
  interrupted: 130,
  unexpected: 1,
};

/** Gives the exit status for an error's code. */
export function exitCodeOf(code: ErrorCode): number {
  return EXIT_CODES[code];
}
