import { IngotError, type ErrorCode } from '@ingot/core/errors';
import type { JsonValue } from '@ingot/core/json';
import { httpStatus } from './status.ts';

/** An error as it goes over the wire. `error` is the one key that the Open Inference Protocol asks for. */
export interface ErrorDocument {
  readonly error: string;
  readonly code: ErrorCode;
  readonly [detail: string]: JsonValue;
}

/** An error translated for HTTP. */
export interface ErrorReply {
  readonly status: number;
  readonly document: ErrorDocument;
  /** Seconds for `Retry-After`, when the same request may succeed later. */
  readonly retryAfterSeconds?: number;
}

/**
 * Translates what was thrown into a status and a body: the text under `error`, the code, and the error's details beside them.
 * Something that is not an {@link IngotError} says only that it was unexpected; its text stays in the server's log.
 */
export function errorReply(thrown: unknown): ErrorReply {
  if (!(thrown instanceof IngotError)) {
    return {
      status: 500,
      document: { error: 'the server failed in a way nobody foresaw; its log has the details', code: 'unexpected' },
    };
  }
  const { error: _error, code: _code, ...details } = thrown.details;
  return {
    status: httpStatus(thrown.code),
    document: {
      error: thrown.message,
      code: thrown.code,
      ...(thrown.hint === undefined ? {} : { hint: thrown.hint }),
      ...(thrown.nearest === undefined ? {} : { nearest: thrown.nearest }),
      ...details,
    },
    ...(thrown.retryable ? { retryAfterSeconds: 1 } : {}),
  };
}

/**
 * What the server's log says of an error: its code and message, and what caused it; a stack only where nobody foresaw it.
 * @example
 * loggedError(new IngotError('unavailable', 'the store does not answer')); // 'unavailable: the store does not answer'
 */
export function loggedError(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  if (!(thrown instanceof IngotError) || thrown.code === 'unexpected') return thrown.stack ?? thrown.message;
  const { code, message, cause } = thrown;
  const because = cause instanceof Error && !message.includes(cause.message) ? ` (${cause.message})` : '';
  return `${code}: ${message}${because}`;
}
