/** The codes that servers answer with, and the client's own: `unreachable` (no answer) and `invalid-response`. */
export const CLIENT_ERROR_CODES = [
  'invalid-request',
  'invalid-reference',
  'invalid-name',
  'unauthenticated',
  'forbidden',
  'not-found',
  'alias-not-found',
  'signature-mismatch',
  'payload-too-large',
  'unsupported-media-type',
  'model-not-found',
  'version-not-found',
  'model-not-ready',
  'model-failed',
  'overloaded',
  'timeout',
  'unavailable',
  'interrupted',
  'unexpected',
  'unreachable',
  'invalid-response',
] as const;

/** A member of {@link CLIENT_ERROR_CODES}. */
export type ClientErrorCode = (typeof CLIENT_ERROR_CODES)[number];

/** What a {@link ModelServerError} carries besides its code and message. */
export interface ModelServerErrorOptions {
  /** HTTP status, when there was an answer. */
  readonly status?: number;
  readonly retryable?: boolean;
  /** All other fields of the server's error document: `hint`, `missing`, `extra`, `wrong`, `example`. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/**
 * A prediction that failed. Branch on `code`.
 *
 * @example
 * try {
 *   await churn.predict(rows);
 * } catch (error) {
 *   if (error instanceof ModelServerError && error.code === 'signature-mismatch') console.error(error.details);
 * }
 */
export class ModelServerError extends Error {
  override readonly name = 'ModelServerError';
  readonly code: ClientErrorCode;
  readonly status: number | undefined;
  /** Whether the same request may succeed when repeated. */
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ClientErrorCode, message: string, options: ModelServerErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status;
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? {};
  }
}

const RETRYABLE_STATUS: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** Reads the error document of an answer that is not 2xx. */
export function errorOfAnswer(status: number, body: unknown): ModelServerError {
  const document = isRecord(body) ? body : {};
  const { error, detail, code, ...details } = document;
  const said = error ?? detail;
  const message = typeof said === 'string' ? said : `the server answered with status ${status}`;
  const known = CLIENT_ERROR_CODES.find((candidate) => candidate === code);
  return new ModelServerError(known ?? codeOfStatus(status), message, {
    status,
    // A model that took too long once would take as long again.
    retryable: RETRYABLE_STATUS.has(status) && code !== 'timeout',
    details,
  });
}

function codeOfStatus(status: number): ClientErrorCode {
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'model-not-found';
  if (status === 413) return 'payload-too-large';
  if (status === 429) return 'overloaded';
  if (status >= 502 && status <= 504) return 'unavailable';
  return status >= 500 ? 'unexpected' : 'invalid-request';
}

/** Says whether a value is an object with named fields. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
