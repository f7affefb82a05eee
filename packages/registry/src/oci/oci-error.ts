import { type ErrorCode, IngotError } from '@ingot/core/errors';
import type { JsonValue } from '@ingot/core/json';

/** What the distribution specification calls the ways in which a request can fail. */
export type OciErrorCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'RANGE_INVALID'
  | 'SIZE_INVALID'
  | 'TAG_INVALID'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS'
  | 'UNAVAILABLE'
  | 'UNKNOWN';

/** What such an error is elsewhere in Ingot, and its HTTP status. */
interface Meaning {
  readonly code: ErrorCode;
  readonly status: number;
}

const MEANINGS: { readonly [code in OciErrorCode]: Meaning } = {
  BLOB_UNKNOWN: { code: 'content-not-found', status: 404 },
  BLOB_UPLOAD_INVALID: { code: 'invalid-request', status: 400 },
  BLOB_UPLOAD_UNKNOWN: { code: 'not-found', status: 404 },
  DIGEST_INVALID: { code: 'invalid-request', status: 400 },
  MANIFEST_BLOB_UNKNOWN: { code: 'invalid-request', status: 400 },
  MANIFEST_INVALID: { code: 'invalid-request', status: 400 },
  MANIFEST_UNKNOWN: { code: 'not-found', status: 404 },
  NAME_INVALID: { code: 'invalid-name', status: 400 },
  NAME_UNKNOWN: { code: 'not-found', status: 404 },
  RANGE_INVALID: { code: 'invalid-request', status: 416 },
  SIZE_INVALID: { code: 'invalid-request', status: 400 },
  TAG_INVALID: { code: 'invalid-request', status: 400 },
  UNAUTHORIZED: { code: 'unauthenticated', status: 401 },
  DENIED: { code: 'forbidden', status: 403 },
  UNSUPPORTED: { code: 'invalid-request', status: 405 },
  TOOMANYREQUESTS: { code: 'overloaded', status: 429 },
  UNAVAILABLE: { code: 'unavailable', status: 503 },
  UNKNOWN: { code: 'unexpected', status: 500 },
};

/** What else an error says. */
export interface OciErrorOptions {
  /** Default: what goes with the code. */
  readonly status?: number;
  /** What a program reads of it. */
  readonly detail?: JsonValue;
  /** What to do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** Makes an error that clients of the distribution API read by its code; the rest of Ingot reads it as any other. */
export function ociError(oci: OciErrorCode, message: string, options: OciErrorOptions = {}): IngotError {
  const { code, status: usual } = MEANINGS[oci];
  const { status = usual, detail, hint, cause } = options;
  return new IngotError(code, message, {
    details: { oci, ociStatus: status, ...(detail !== undefined && { detail }) },
    ...(hint !== undefined && { hint }),
    ...(cause !== undefined && { cause }),
  });
}

/** The HTTP status of a code of the specification. */
export function ociStatusOf(code: OciErrorCode): number {
  return MEANINGS[code].status;
}

/** Says whether a text is a code of the specification. */
export function isOciErrorCode(text: unknown): text is OciErrorCode {
  return typeof text === 'string' && Object.hasOwn(MEANINGS, text);
}
