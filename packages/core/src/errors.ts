/**
 * The one error of Ingot. Callers branch on `code`; the edge (command line, HTTP) translates a code into an exit
 * status or an HTTP status in one table each.
 */

import type { JsonValue } from './json.ts';

/** Every way in which Ingot can fail. The groups are the exit codes of the command line. */
export const ERROR_CODES = [
  // what was asked is malformed (2)
  'usage',
  'invalid-reference',
  'invalid-name',
  'invalid-package',
  'invalid-config',
  // no such thing (3)
  'model-not-found',
  'version-not-found',
  'alias-not-found',
  'content-not-found',
  'path-not-found',
  'store-not-found',
  'not-found',
  // not allowed (4)
  'forbidden',
  'unauthenticated',
  // somebody or something else is there already (5)
  'conflict',
  'precondition-failed',
  'label-taken',
  'name-taken',
  'source-changed',
  'port-in-use',
  // refused by policy, scan or environment rules (6)
  'refused',
  'environment-mismatch',
  // try again later (7)
  'unavailable',
  'timeout',
  'disk-full',
  'overloaded',
  'model-not-ready',
  // bytes or history are not what they should be (8)
  'integrity',
  'tampered',
  // prediction requests (1 on the command line)
  'invalid-request',
  'signature-mismatch',
  'payload-too-large',
  'unsupported-media-type',
  'model-failed',
  'environment-failed',
  // the user pressed Ctrl-C (130)
  'interrupted',
  // a defect in Ingot or something nobody foresaw (1)
  'unexpected',
] as const;

/** A member of the closed set of codes. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** What an error may carry besides its code and message. */
export interface ErrorOptions {
  /** What was being done: `push`, `blob.write`, `alias.set`. */
  readonly operation?: string;
  /** Whether the same call may succeed when repeated. Default: by code (`unavailable`, `timeout`, `overloaded`, `model-not-ready`). */
  readonly retryable?: boolean;
  /** The command that fixes it, as a user would type it. */
  readonly hint?: string;
  /** The nearest existing name for a mistyped one. */
  readonly nearest?: string;
  /** Further facts a program can read. Never secrets. */
  readonly details?: Readonly<Record<string, JsonValue>>;
  readonly cause?: unknown;
}

const RETRYABLE: ReadonlySet<ErrorCode> = new Set(['unavailable', 'timeout', 'overloaded', 'model-not-ready']);

/**
 * An expected failure, said in the user's words.
 *
 * @example
 * throw new IngotError('alias-not-found', 'model "churn" has no alias "prodction"', {
 *   nearest: 'churn@production',
 *   hint: 'ingot alias ls churn',
 * });
 */
export class IngotError extends Error {
  override readonly name = 'IngotError';
  readonly code: ErrorCode;
  readonly operation: string | undefined;
  readonly retryable: boolean;
  readonly hint: string | undefined;
  readonly nearest: string | undefined;
  readonly details: Readonly<Record<string, JsonValue>>;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.operation = options.operation;
    this.retryable = options.retryable ?? RETRYABLE.has(code);
    this.hint = options.hint;
    this.nearest = options.nearest;
    this.details = options.details ?? {};
  }
}

/** Says whether a value is an {@link IngotError}, optionally with one of the given codes. */
export function isIngotError(value: unknown, ...codes: readonly ErrorCode[]): value is IngotError {
  return value instanceof IngotError && (codes.length === 0 || codes.includes(value.code));
}

/** Reads the `code` of a Node system error (`ENOENT`, `EEXIST`, …), or gives undefined. */
export function systemErrorCode(value: unknown): string | undefined {
  if (!(value instanceof Error) || !('code' in value)) return undefined;
  return typeof value.code === 'string' ? value.code : undefined;
}
