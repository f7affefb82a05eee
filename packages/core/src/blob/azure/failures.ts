import { type ErrorCode, IngotError, isIngotError } from '../../errors.ts';
import { BodyFailure } from '../remote/body.ts';
import { networkFailure } from '../remote/network-failures.ts';
import { plainCause } from '../remote/plain-cause.ts';
import type { FailedRemoteCall } from '../remote/calls.ts';
import { type AzureAccess, type AzureConfig, isEmulator } from './config.ts';

/** What Azure said. */
export interface AzureRefusal {
  readonly status: number;
  /** `BlobNotFound`, `AuthenticationFailed`, …; empty where a reply has none. */
  readonly code: string;
  readonly message: string;
}

/** Reads the status and code of a refusal, or gives undefined for any other failure. */
export function azureRefusal(error: unknown): AzureRefusal | undefined {
  if (!(error instanceof Error) || !('statusCode' in error) || typeof error.statusCode !== 'number') return undefined;
  if (error.statusCode < 400) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return { status: error.statusCode, code: detailOf(error, 'errorCode') ?? code, message: said(error) };
}

/** What was asked when it failed. */
export interface FailedAzureCall extends FailedRemoteCall {
  readonly config: AzureConfig;
}

/** Explains a failure in the user's words. What was explained already stays as it is; so does a failure of a body. */
export function azureFailure(error: unknown, call: FailedAzureCall): unknown {
  const cause = call.watch.cause(error);
  if (isIngotError(cause)) return cause;
  if (cause instanceof BodyFailure) return cause.cause;
  const refusal = azureRefusal(cause);
  const { config, operation } = call;
  if (refusal !== undefined) return explained(explanationOf(refusal, call), refusal, call, cause);
  return (
    identityFailure(cause, call) ??
    networkFailure(cause, { operation, address: config.address, endpoint: config.serviceUrl, setBy: SET_BY }) ??
    cutReply(cause, call) ??
    new IngotError('unexpected', `${operation} on ${config.address} failed: ${said(cause)}`, {
      operation,
      cause: plainCause(cause),
    })
  );
}

const SET_BY = 'AZURE_STORAGE_ACCOUNT (or the endpoint)';

interface Explanation {
  readonly code: ErrorCode;
  readonly text: string;
  readonly hint?: string;
  readonly retryable?: boolean;
}

function explained(
  { code, text, hint, retryable }: Explanation,
  refusal: AzureRefusal,
  { config, operation, key }: FailedAzureCall,
  cause: unknown,
): IngotError {
  return new IngotError(code, `${config.address}: ${text}`, {
    operation,
    details: {
      address: config.address,
      status: refusal.status,
      ...(refusal.code === '' ? {} : { azureCode: refusal.code }),
      ...(key === undefined ? {} : { key }),
      ...retryAfterOf(cause),
    },
    cause: plainCause(cause),
    ...(hint === undefined ? {} : { hint }),
    ...(retryable === undefined ? {} : { retryable }),
  });
}

const WAYS_IN =
  'set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING, or log in with az login';

const REHYDRATE = 'az storage blob set-tier --tier Hot; it takes hours';

/** Refusals that mean one thing each. */
const BY_CODE: Readonly<Record<string, (refusal: AzureRefusal, config: AzureConfig) => Explanation>> = {
  ContainerNotFound: (_, config) => noContainer(config),
  ContainerBeingDeleted: () => ({ code: 'unavailable', text: 'the container is being deleted' }),
  ContainerDisabled: () => ({ code: 'forbidden', text: 'the container is disabled' }),
  AccountBeingCreated: () => ({ code: 'unavailable', text: 'the account is being made' }),
  AccountIsDisabled: () => ({ code: 'forbidden', text: 'the storage account is disabled' }),
  BlobArchived: () => ({
    code: 'unavailable',
    text: 'the blob is in the archive tier and cannot be read',
    hint: REHYDRATE,
    retryable: false,
  }),
  BlobBeingRehydrated: () => ({
    code: 'unavailable',
    text: 'the blob is on its way out of the archive tier',
    hint: 'try again in some hours',
    retryable: false,
  }),
  SnapshotsPresent: () => ({
    code: 'refused',
    text: 'the blob has snapshots, which somebody took and nobody asked to remove',
    hint: 'az storage blob delete --delete-snapshots only',
  }),
  LeaseIdMissing: () => ({
    code: 'refused',
    text: 'somebody holds a lease on the blob',
    hint: 'az storage blob lease break',
  }),
  BlobImmutableDueToPolicy: () => ({ code: 'refused', text: 'an immutability policy or a legal hold keeps the blob' }),
  BlobUsesCustomerSpecifiedEncryption: () => ({
    code: 'forbidden',
    text: 'the blob is sealed with a key of the customer’s own, or under a scope',
    hint: 'set INGOT_AZURE_ENCRYPTION_KEY to the key it was written with',
  }),
  Md5Mismatch: () => ({ code: 'integrity', text: 'bytes were damaged on the way', retryable: true }),
  KeyBasedAuthenticationNotPermitted: () => ({
    code: 'forbidden',
    text: 'the account does not accept its keys',
    hint: 'unset AZURE_STORAGE_KEY and log in with az login, or use a workload identity',
  }),
  PublicAccessNotPermitted: () => ({
    code: 'forbidden',
    text: 'the account lets nobody in without credentials',
    hint: WAYS_IN,
  }),
  AuthorizationProtocolMismatch: () => ({ code: 'forbidden', text: 'the signature is for HTTPS only' }),
  AuthorizationSourceIPMismatch: () => ({
    code: 'forbidden',
    text: 'the signature or the firewall does not allow this machine’s address',
  }),
  AuthorizationFailure: () => ({
    code: 'forbidden',
    text: 'the account’s firewall does not let this machine in, or what lets us in does not cover this',
    hint: 'look at the account’s networking, and at AZURE_STORAGE_KEY or what AZURE_STORAGE_SAS_TOKEN covers (sr=, ss=, srt=)',
  }),
  EncryptionScopeNotFound: (_, { encryptionScope }) => ({
    code: 'invalid-config',
    text: `there is no encryption scope "${encryptionScope ?? ''}" in the account`,
    hint: 'INGOT_AZURE_ENCRYPTION_SCOPE names it',
  }),
};

function explanationOf(refusal: AzureRefusal, { config, operation }: FailedAzureCall): Explanation {
  const { status, code, message } = refusal;
  const expired = status === 403 ? outOfDate(config.access) : undefined;
  if (expired !== undefined) return expired;
  // Azurite says it of every key and signature that is wrong, and has no firewall.
  if (code === 'AuthorizationFailure' && isEmulator(config)) return forbidden(refusal, config, operation);
  const known = BY_CODE[code];
  if (known !== undefined) return known(refusal, config);
  if (status === 429 || (status === 503 && code !== 'InternalError'))
    return { code: 'overloaded', text: `the service asks to slow down (${status} ${code})` };
  if (status === 408 || status >= 500) return { code: 'unavailable', text: `the service answered ${status} ${code}` };
  if (status === 404) return noContainer(config);
  if (status === 401 || status === 403) return forbidden(refusal, config, operation);
  if (status === 409) return { code: 'unavailable', text: `another request was in the way: ${code} ${message}` };
  if (status === 400) return { code: 'usage', text: `the service refused it: ${code} ${message}` };
  return { code: 'unexpected', text: `the service answered ${status} ${code}: ${message}` };
}

// The service says it in many ways, or as if the signature were wrong; the signature itself says when it ends.
function outOfDate(access: AzureAccess): Explanation | undefined {
  if (access.kind !== 'sas') return undefined;
  const fields = new URLSearchParams(access.token);
  const [start, end] = [fields.get('st'), fields.get('se')];
  const hint = 'set a new AZURE_STORAGE_SAS_TOKEN';
  if (end !== null && Date.parse(end) < Date.now())
    return { code: 'forbidden', text: `the signature (SAS) expired at ${end}`, hint };
  if (start !== null && Date.parse(start) > Date.now())
    return { code: 'forbidden', text: `the signature (SAS) is not valid before ${start}`, hint };
  return undefined;
}

function noContainer({ container, serviceUrl, access }: AzureConfig): Explanation {
  const account = access.kind === 'key' ? access.account : /^https?:\/\/([a-z0-9]+)\.blob\./.exec(serviceUrl)?.[1];
  return {
    code: 'store-not-found',
    text: `there is no container "${container}" at ${serviceUrl}`,
    hint: `az storage container create${account === undefined ? '' : ` --account-name ${account}`} --name ${container}`,
  };
}

/** What a signature has to allow for an operation. */
const SAS_LETTERS: Readonly<Record<string, string>> = {
  'blob.stat': 'r',
  'blob.read': 'r',
  'blob.list': 'l',
  'blob.write': 'c (create)',
  'blob.delete': 'd',
};

function forbidden({ code, message }: AzureRefusal, { access }: AzureConfig, operation: string): Explanation {
  if (/request date header|x-ms-date|clock|Date header/i.test(message))
    return {
      code: 'forbidden',
      text: 'this machine’s clock is off by more than 15 minutes',
      hint: 'set the clock (timedatectl set-ntp true)',
    };
  if (/PermissionMismatch|InsufficientAccountPermissions|ServiceMismatch|ResourceTypeMismatch/.test(code))
    return access.kind === 'sas'
      ? {
          code: 'forbidden',
          text: `the signature (SAS) does not allow ${verbOf(operation)}`,
          hint: `make one with sp= holding ${SAS_LETTERS[operation] ?? 'more'}; rcl pushes and pulls, rcld also collects`,
        }
      : {
          code: 'forbidden',
          text: `this identity may not ${verbOf(operation)} (${code})`,
          hint: `grant the role "${operation === 'blob.write' || operation === 'blob.delete' ? 'Storage Blob Data Contributor' : 'Storage Blob Data Reader'}"; it takes some minutes to count`,
        };
  if (access.kind === 'key')
    return {
      code: 'forbidden',
      text: `the key of account "${access.account}" is not accepted`,
      hint: 'look at AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY',
    };
  if (access.kind === 'sas')
    return {
      code: 'forbidden',
      text: `the signature (SAS) is not accepted (${code})`,
      hint: 'set a new AZURE_STORAGE_SAS_TOKEN',
    };
  return { code: 'forbidden', text: `the service does not let us in (${code})`, hint: WAYS_IN };
}

const verbOf = (operation: string) =>
  ({
    'blob.stat': 'reading',
    'blob.read': 'reading',
    'blob.list': 'listing',
    'blob.write': 'writing',
    'blob.delete': 'deleting',
  })[operation] ?? operation;

function identityFailure(error: unknown, { config, operation }: FailedAzureCall): IngotError | undefined {
  if (!(error instanceof Error)) return undefined;
  const common = { operation, details: { address: config.address }, cause: plainCause(error) };
  if (/not permitted for non-TLS/i.test(error.message))
    return new IngotError('invalid-config', `${config.address}: an identity is only shown over HTTPS`, {
      ...common,
      hint: 'set AZURE_STORAGE_KEY for an emulator, or an https:// endpoint',
    });
  if (!/CredentialUnavailable|AuthenticationError|AuthenticationRequired|AggregateAuthentication/.test(error.name))
    return undefined;
  return new IngotError('forbidden', `${config.address}: no Azure credentials that work are set up here`, {
    ...common,
    hint: WAYS_IN,
  });
}

// A reply that ended early cannot be parsed, or is told by the client's own stream.
function cutReply(error: unknown, { config, operation }: FailedAzureCall): IngotError | undefined {
  if (!(error instanceof Error)) return undefined;
  // It says "aborted" of a line that broke, too.
  const isCut =
    error.name === 'AbortError' ||
    ('code' in error && error.code === 'PARSE_ERROR') ||
    /^Data corruption failure/.test(error.message);
  if (!isCut) return undefined;
  return new IngotError('unavailable', `${config.address}: a reply was cut`, { operation, cause: plainCause(error) });
}

function retryAfterOf(error: unknown): { readonly retryAfterMs?: number } {
  if (!(error instanceof Error) || !('response' in error)) return {};
  const seconds = Number(headerOf(error.response, 'retry-after'));
  return Number.isFinite(seconds) && seconds > 0 ? { retryAfterMs: seconds * 1000 } : {};
}

function headerOf(response: unknown, name: string): unknown {
  if (typeof response !== 'object' || response === null || !('headers' in response)) return undefined;
  const { headers } = response;
  if (typeof headers !== 'object' || headers === null || !('get' in headers) || typeof headers.get !== 'function')
    return undefined;
  return headers.get(name);
}

function detailOf(error: Error, name: string): string | undefined {
  if (!('details' in error) || typeof error.details !== 'object' || error.details === null) return undefined;
  const value: unknown = Reflect.get(error.details, name);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

// The first line says it; the rest are ids, and addresses with signatures in them.
function said(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const detail = detailOf(error, 'authenticationErrorDetail') ?? detailOf(error, 'AuthenticationErrorDetail') ?? '';
  const line = error.message.split('\n').find((text) => text.trim() !== '') ?? error.name;
  return `${line} ${detail}`
    .replace(/([?&]sig=)[^&\s]+/g, '$1***')
    .trim()
    .slice(0, 300);
}
