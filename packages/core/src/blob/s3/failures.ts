/** What failures of the SDK, the server and the network mean, in the words of whoever uses a store. */

import type { ErrorCode, ErrorOptions } from '../../errors.ts';
import { IngotError } from '../../errors.ts';
import { plainCause } from '../remote/plain-cause.ts';
import { type Failure, failureOf } from './failure-facts.ts';
import type { S3Settings } from './settings.ts';

/** Where and in what a failure happened. */
export interface FailureContext {
  readonly settings: S3Settings;
  readonly operation: string;
  /** The key of the blob, or a prefix. */
  readonly key: string;
  readonly signal: AbortSignal | undefined;
}

interface Meaning {
  readonly code: ErrorCode;
  readonly said: string;
  readonly hint?: string;
  readonly retryable?: boolean;
}

/** Says what an error means. An {@link IngotError} stays as it is. */
export function translated(error: unknown, context: FailureContext): IngotError {
  if (error instanceof IngotError) return error;
  const { settings, operation, key, signal } = context;
  if (signal?.aborted === true)
    return new IngotError('interrupted', `${operation} was interrupted`, { operation, cause: signal.reason });
  const failure = failureOf(error);
  const { code, said, hint, retryable } = meaningOf(failure, settings);
  const verb = operation.slice(operation.indexOf('.') + 1);
  const what = key === '' ? settings.address : `"${key}" in ${settings.address}`;
  const options: ErrorOptions = {
    operation,
    // What the SDK throws holds the whole exchange, with session tokens and customers' keys in its headers.
    cause: plainCause(error),
    details: detailsOf(failure, key),
    ...(hint === undefined ? {} : { hint }),
    ...(retryable === undefined ? {} : { retryable }),
  };
  return new IngotError(code, `${verb} of ${what} failed: ${said}`, options);
}

function detailsOf({ name, status, system, requestId }: Failure, key: string) {
  return {
    key,
    ...(status === undefined ? {} : { status }),
    ...(name === '' ? {} : { s3Code: name }),
    ...(system === undefined ? {} : { system }),
    ...(requestId === undefined ? {} : { requestId }),
  };
}

function meaningOf(failure: Failure, settings: S3Settings): Meaning {
  return (
    BY_NAME[failure.name]?.(failure, settings) ??
    redirection(failure, settings) ??
    connection(failure, settings) ??
    misplaced(failure, settings) ??
    byStatus(failure, settings) ??
    unknown(failure)
  );
}

const forbidden = (said: string, hint: string): Meaning => ({ code: 'forbidden', said, hint });

const busy = ({ name }: Failure): Meaning => ({
  code: 'unavailable',
  said: `the storage asks to try again later (${name})`,
});

const damaged = ({ name }: Failure): Meaning => ({
  code: 'unavailable',
  said: `the bytes were damaged on their way (${name})`,
});

/** Where the credentials in use come from, as something to change. */
function credentialsHint(settings: S3Settings): string {
  if (settings.anonymous) return 'unset INGOT_S3_ANONYMOUS and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
  if (settings.profile !== undefined) return `check the profile that AWS_PROFILE=${settings.profile} names`;
  return 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, to an account of this storage';
}

const wrongSignature = (_: Failure, settings: S3Settings): Meaning =>
  forbidden('the secret key does not belong to the access key', credentialsHint(settings));

const wrongKey = (_: Failure, settings: S3Settings): Meaning =>
  forbidden('the storage does not know this access key', credentialsHint(settings));

const expired = (_: Failure, settings: S3Settings): Meaning =>
  forbidden(
    'the session token has expired or is not valid',
    settings.profile === undefined
      ? 'renew AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN together'
      : `aws sso login --profile ${settings.profile}`,
  );

const noCredentials = (_: Failure, settings: S3Settings): Meaning =>
  settings.profile === undefined
    ? forbidden(
        'no credentials were found in the environment, the shared configuration or the machine',
        'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; INGOT_S3_ANONYMOUS=1 for a public bucket',
      )
    : forbidden(
        `the profile "${settings.profile}" gives no credentials`,
        `aws sso login --profile ${settings.profile}, or another AWS_PROFILE`,
      );

const denied = ({ name, message }: Failure, settings: S3Settings): Meaning => {
  if (/kms/i.test(name) || /\bkms:/i.test(message))
    return forbidden('the KMS key may not be used', 'grant kms:GenerateDataKey and kms:Decrypt on the key');
  return forbidden(
    `the account may not do this in bucket "${settings.bucket}"`,
    'grant s3:GetObject, s3:PutObject, s3:DeleteObject on its objects and s3:ListBucket on the bucket (without it a missing object looks forbidden)',
  );
};

const skewed = ({ headers }: Failure): Meaning =>
  forbidden(
    `this machine's clock is off${headers.date === undefined ? '' : `: the storage has ${headers.date}`}`,
    'set the clock, for instance by NTP',
  );

const archived = (): Meaning => ({
  code: 'unavailable',
  retryable: false,
  said: 'the object lies in an archive tier and has to be restored first',
  hint: 'aws s3api restore-object, and no lifecycle rule that archives this prefix',
});

const full = ({ name }: Failure): Meaning => ({ code: 'disk-full', said: `the storage is full (${name})` });

const unsupported = ({ message }: Failure): Meaning => ({
  code: 'refused',
  said: `the server lacks what is asked of it: ${message}`,
  hint: 'ingot doctor',
});

const missingBucket = (_: Failure, { bucket, endpoint }: S3Settings): Meaning => ({
  code: 'store-not-found',
  said: `there is no bucket "${bucket}"${endpoint === undefined ? '' : ` at ${endpoint}`}`,
  hint: `aws s3 mb s3://${bucket}${endpoint === undefined ? '' : ` --endpoint-url ${endpoint}`}`,
});

/** What the server's own error codes mean. */
const BY_NAME: Readonly<Record<string, (failure: Failure, settings: S3Settings) => Meaning>> = {
  NoSuchBucket: missingBucket,
  SignatureDoesNotMatch: wrongSignature,
  InvalidAccessKeyId: wrongKey,
  InvalidSecurity: wrongKey,
  ExpiredToken: expired,
  ExpiredTokenException: expired,
  InvalidToken: expired,
  TokenRefreshRequired: expired,
  CredentialsProviderError: noCredentials,
  TokenProviderError: noCredentials,
  AccessDenied: denied,
  AccessDeniedException: denied,
  AllAccessDisabled: denied,
  AccountProblem: denied,
  'KMS.AccessDeniedException': denied,
  'KMS.DisabledException': denied,
  'KMS.NotFoundException': denied,
  'KMS.KMSInvalidStateException': denied,
  RequestTimeTooSkewed: skewed,
  InvalidObjectState: archived,
  SlowDown: busy,
  ServiceUnavailable: busy,
  ThrottlingException: busy,
  RequestLimitExceeded: busy,
  InternalError: busy,
  RequestTimeout: busy,
  OperationAborted: busy,
  ConditionalRequestConflict: busy,
  NoSuchUpload: busy,
  // A gateway over folders says so of a key that is none, while it removes and makes the folder that it lies in.
  ExistingObjectIsDirectory: busy,
  BadDigest: damaged,
  InvalidDigest: damaged,
  XAmzContentSHA256Mismatch: damaged,
  IncompleteBody: damaged,
  QuotaExceeded: full,
  InsufficientStorage: full,
  XMinioStorageFull: full,
  XMinioAdminBucketQuotaExceeded: full,
  NotImplemented: unsupported,
  KeyTooLongError: ({ message }) => ({ code: 'usage', said: message }),
  MethodNotAllowed: ({ message }) => ({ code: 'forbidden', said: message }),
};

/** A bucket in another region answers with where it is. */
function redirection({ name, status, headers, region }: Failure, settings: S3Settings): Meaning | undefined {
  const right = headers['x-amz-bucket-region'] ?? region;
  const redirected =
    status === 301 ||
    status === 307 ||
    [
      'PermanentRedirect',
      'TemporaryRedirect',
      'AuthorizationHeaderMalformed',
      'IllegalLocationConstraintException',
    ].includes(name);
  if (!redirected && !(status === 400 && right !== undefined && right !== settings.region)) return undefined;
  return {
    code: 'invalid-config',
    said: `bucket "${settings.bucket}" is in ${right === undefined ? 'another region' : `the region ${right}`}, not in ${settings.region ?? 'the default one'}`,
    hint: `AWS_REGION=${right ?? '<region of the bucket>'}`,
  };
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/;

function connection(
  { name, message, system, status }: Failure,
  { endpoint, endpointFrom }: S3Settings,
): Meaning | undefined {
  if (name === 'Error' && /Region is missing/i.test(message))
    return { code: 'invalid-config', said: 'no region is set', hint: 'AWS_REGION=<region of the bucket>' };
  if (system === undefined) return undefined;
  const where = endpoint ?? "Amazon's servers";
  if (CERTIFICATE.test(system))
    return {
      code: 'unavailable',
      retryable: false,
      said: `the certificate of ${where} is not trusted (${system})`,
      hint: 'AWS_CA_BUNDLE=/path/to/ca.pem',
    };
  if (system === 'ENOTFOUND')
    return {
      code: 'unavailable',
      said: `${where} cannot be found (${system})`,
      hint: `check the network, ${endpointFrom} and AWS_REGION`,
    };
  if (system === 'EPROTO' && endpoint !== undefined)
    return {
      code: 'unavailable',
      retryable: false,
      said: `${where} does not speak TLS (${system})`,
      hint: `${endpointFrom}=${endpoint.replace(/^https/i, 'http')}`,
    };
  if (status === undefined || status < 400)
    return {
      code: 'unavailable',
      said: `${where} does not answer (${system})`,
      hint: endpoint === undefined ? 'check the network' : `check that the server runs, and ${endpointFrom}`,
    };
  return undefined;
}

/** Whoever asks for a listing and hears of a missing object has asked for an object: the endpoint's path is in the way. */
function misplaced({ name }: Failure, { endpoint, endpointFrom }: S3Settings): Meaning | undefined {
  if (name !== 'NoSuchKey' || endpoint === undefined) return undefined;
  const { origin, pathname } = new URL(endpoint);
  if (pathname === '/') return undefined;
  return {
    code: 'invalid-config',
    said: `the server does not serve S3 below "${pathname}" of the endpoint`,
    hint: `${endpointFrom}=${origin}   (bucket and prefix stand in the address)`,
  };
}

function byStatus({ status, name }: Failure, settings: S3Settings): Meaning | undefined {
  if (status === 403) return denied({ ...NOTHING, name }, settings);
  if (status === 401) return wrongKey(NOTHING, settings);
  if (status === 429 || (status !== undefined && status >= 500 && status !== 501))
    return { code: 'unavailable', said: `the storage answers ${status}${name === '' ? '' : ` (${name})`}` };
  // An answer that was cut, or that is not S3's, cannot be parsed.
  if (status !== undefined && status < 400)
    return { code: 'unavailable', said: 'the answer was cut short or is not one of S3' };
  return undefined;
}

const NOTHING: Failure = {
  name: '',
  message: '',
  status: undefined,
  system: undefined,
  headers: {},
  requestId: undefined,
  region: undefined,
};

const unknown = ({ name, message, status }: Failure): Meaning => ({
  code: 'unexpected',
  said: `${message}${name === '' ? '' : ` (${name}${status === undefined ? '' : `, ${status}`})`}`,
});
