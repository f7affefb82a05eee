import type { IncomingHttpHeaders } from 'node:http';
import { type ErrorCode, IngotError, isIngotError } from '../../errors.ts';
import { BodyFailure } from '../remote/body.ts';
import { networkFailure } from '../remote/network-failures.ts';
import { plainCause } from '../remote/plain-cause.ts';
import type { FailedRemoteCall } from '../remote/calls.ts';
import type { GcsConfig } from './config.ts';

/** GCS answered with a status of 400 or more. */
export class GcsRefusal extends Error {
  override readonly name = 'GcsRefusal';
  readonly status: number;
  readonly reason: string | undefined;
  readonly headers: IncomingHttpHeaders;

  constructor(status: number, text: string, headers: IncomingHttpHeaders = {}) {
    const { message, reason } = readErrorText(text);
    super(message === '' ? `status ${status}` : message);
    this.status = status;
    this.reason = reason;
    this.headers = headers;
  }
}

/** What GCS said, whichever way the request was sent. */
export interface Said {
  readonly status: number;
  readonly reason: string | undefined;
  readonly message: string;
}

/** Reads the status, reason and message of a refusal, or gives undefined for any other failure. */
export function refusalIn(error: unknown): Said | undefined {
  if (error instanceof GcsRefusal) return error;
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'number') return undefined;
  const [first] = 'errors' in error && Array.isArray(error.errors) ? error.errors : [];
  const reason: unknown = first?.reason;
  return {
    status: error.code,
    reason: typeof reason === 'string' ? reason : undefined,
    message: oneLine(error.message),
  };
}

/** What was asked when it failed. */
export interface FailedCall extends FailedRemoteCall {
  readonly config: GcsConfig;
}

/** Explains a failure in the user's words. What was explained already stays as it is; so does a failure of a body. */
export function gcsFailure(error: unknown, call: FailedCall): unknown {
  const cause = call.watch.cause(error);
  if (isIngotError(cause)) return cause;
  if (cause instanceof BodyFailure) return cause.cause;
  const refusal = refusalIn(cause);
  // A missing object is no failure but of reading, and told there.
  if (refusal?.status === 404) return noBucket(call, cause);
  if (refusal !== undefined && refusal.status >= 400) return explained(refusal, call, cause);
  const { config, operation } = call;
  const endpoint = config.endpoint;
  return (
    credentialFailure(cause, call) ??
    networkFailure(cause, { operation, address: config.address, endpoint, setBy: 'the endpoint' }) ??
    new IngotError('unexpected', `${operation} on ${config.address} failed: ${oneLine(String(cause))}`, {
      operation,
      cause: plainCause(cause),
    })
  );
}

/** Says that the bucket is not there. */
export function noBucket({ operation, config }: Pick<FailedCall, 'operation' | 'config'>, cause?: unknown): IngotError {
  return new IngotError('store-not-found', `there is no bucket "${config.bucket}" at ${config.endpoint}`, {
    operation,
    details: { address: config.address, bucket: config.bucket },
    hint: `gcloud storage buckets create gs://${config.bucket}`,
    cause: plainCause(cause),
  });
}

/** Says whether a 404 means the bucket; undefined where the service does not tell. */
export function isBucketMissing({ message }: Said): boolean | undefined {
  if (/bucket does not exist/i.test(message)) return true;
  return /no such object/i.test(message) ? false : undefined;
}

// Seconds, or a date, which nobody sends here.
function retryAfterOf(error: unknown): { readonly retryAfterMs?: number } {
  const seconds = error instanceof GcsRefusal ? Number(error.headers['retry-after']) : Number.NaN;
  return Number.isFinite(seconds) ? { retryAfterMs: seconds * 1000 } : {};
}

interface Explanation {
  readonly code: ErrorCode;
  readonly text: string;
  readonly hint?: string;
  readonly retryable?: boolean;
}

const LOGIN = 'gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS to a key file';

function explained(said: Said, call: FailedCall, cause: unknown): IngotError {
  const { config, operation, key } = call;
  const { code, text, hint, retryable } = explanationOf(said, call);
  return new IngotError(code, `${config.address}: ${text}`, {
    operation,
    details: {
      address: config.address,
      status: said.status,
      ...(said.reason === undefined ? {} : { reason: said.reason }),
      ...(key === undefined ? {} : { key }),
      ...retryAfterOf(cause),
    },
    cause: plainCause(cause),
    ...(hint === undefined ? {} : { hint }),
    ...(retryable === undefined ? {} : { retryable }),
  });
}

const BUSY_REASONS = new Set(['rateLimitExceeded', 'userRateLimitExceeded', 'quotaExceeded']);

function explanationOf(said: Said, call: FailedCall): Explanation {
  const { status, reason = '', message } = said;
  if (status === 429 || status === 503 || BUSY_REASONS.has(reason))
    return { code: 'overloaded', text: `the service asks to slow down (${status}): ${message}` };
  if (status === 408 || status >= 500)
    return { code: 'unavailable', text: `the service answered ${status}: ${message}` };
  if (/customer.?(?:supplied)?.?encryption.?key|encryptedWithCustomer/i.test(`${reason} ${message}`))
    return {
      code: 'forbidden',
      text: `the blob is sealed with a key of the customer's own: ${message}`,
      hint: 'set INGOT_GCS_ENCRYPTION_KEY to the key it was written with',
    };
  if (reason === 'userProjectMissing' || /requester pays/i.test(message))
    return {
      code: 'forbidden',
      text: 'the bucket wants to know which project pays',
      hint: 'set INGOT_GCS_USER_PROJECT to a project of yours',
    };
  if (status === 401) return { code: 'forbidden', text: `the credentials are not accepted: ${message}`, hint: LOGIN };
  if (status === 403) return forbidden(said, call);
  if (status === 409) return { code: 'unavailable', text: `another request was in the way: ${message}` };
  if (status === 400 && /hash|md5|crc32c/i.test(message))
    return { code: 'integrity', text: `bytes were damaged on the way: ${message}`, retryable: true };
  if (status === 400) return { code: 'usage', text: `the service refused it: ${message}` };
  return { code: 'unexpected', text: `the service answered ${status}: ${message}` };
}

function forbidden({ reason = '', message }: Said, { config, operation }: FailedCall): Explanation {
  if (/retention|hold|objectlock/i.test(`${reason} ${message}`) && operation === 'blob.delete')
    return { code: 'refused', text: `a retention policy or a hold keeps the blob: ${message}` };
  if (/kms|cryptoKey/i.test(message))
    return {
      code: 'forbidden',
      text: message,
      hint: 'give the bucket’s service agent the role roles/cloudkms.cryptoKeyEncrypterDecrypter on the key',
    };
  if (/billing|accountDisabled/i.test(`${reason} ${message}`)) return { code: 'forbidden', text: message };
  if (/vpc service controls|vpcServiceControls/i.test(`${reason} ${message}`))
    return { code: 'forbidden', text: `a service perimeter is in the way: ${message}` };
  if (config.credentials === 'none')
    return { code: 'forbidden', text: `nobody may do this without credentials: ${message}`, hint: LOGIN };
  const permission = /storage\.[a-z]+\.[a-zA-Z]+/.exec(message)?.[0];
  const role = operation === 'blob.delete' ? 'roles/storage.objectUser' : ROLES[operation];
  return {
    code: 'forbidden',
    text: message,
    hint: `grant ${permission ?? 'the permission'}, as ${role ?? 'roles/storage.objectUser'} does, on gs://${config.bucket}`,
  };
}

const ROLES: Readonly<Record<string, string>> = {
  'blob.stat': 'roles/storage.objectViewer',
  'blob.read': 'roles/storage.objectViewer',
  'blob.list': 'roles/storage.objectViewer',
  'blob.write': 'roles/storage.objectCreator',
};

// What the authentication library says; it has no codes.
function credentialFailure(error: unknown, { config, operation }: FailedCall): IngotError | undefined {
  if (!(error instanceof Error)) return undefined;
  const text = `${error.message} ${messageOf(error.cause)}`;
  const details = { address: config.address };
  if (/could not load the default credentials/i.test(text))
    return new IngotError('forbidden', `${config.address}: no Google credentials are set up here`, {
      operation,
      details,
      hint: LOGIN,
      cause: plainCause(error),
    });
  if (/reasonable timeframe|check your (?:iat|exp)|clock/i.test(text))
    return new IngotError(
      'forbidden',
      `${config.address}: this machine's clock is off, so its credentials are refused`,
      {
        operation,
        details,
        hint: 'set the clock (timedatectl set-ntp true)',
        cause: plainCause(error),
      },
    );
  if (/invalid_grant|invalid_client|invalid_rapt|unauthorized_client|reauth|account not found/i.test(text))
    return new IngotError(
      'forbidden',
      `${config.address}: the credentials are not accepted: ${oneLine(error.message)}`,
      {
        operation,
        details,
        hint: LOGIN,
        cause: plainCause(error),
      },
    );
  return undefined;
}

function readErrorText(text: string): { message: string; reason: string | undefined } {
  try {
    const { error } = JSON.parse(text);
    if (typeof error === 'string') return { message: oneLine(error), reason: undefined };
    const reason: unknown = error?.errors?.[0]?.reason;
    const message: unknown = error?.message;
    return {
      message: typeof message === 'string' ? oneLine(message) : '',
      reason: typeof reason === 'string' ? reason : undefined,
    };
  } catch {
    // Media requests are refused in plain text, proxies answer with pages.
    return { message: oneLine(text.replace(/<[^>]*>/g, ' ')), reason: undefined };
  }
}

const oneLine = (text: string) => text.replace(/\s+/g, ' ').trim().slice(0, 300);
const messageOf = (value: unknown) => (value instanceof Error ? value.message : '');
