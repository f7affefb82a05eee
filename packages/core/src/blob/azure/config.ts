import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { IngotError } from '../../errors.ts';
import { readStorageUrl, type StorageEnv, storageAddress, textOf } from '../remote/storage-url.ts';
import { silenceMs } from '../silence.ts';
import { type ConnectionString, readConnectionString } from './connection-string.ts';

/** What lets us in. */
export type AzureAccess =
  | { readonly kind: 'key'; readonly account: string; readonly key: string }
  /** Without the question mark. */
  | { readonly kind: 'sas'; readonly token: string }
  | { readonly kind: 'anonymous' }
  /** The chain of `DefaultAzureCredential`: service principal, workload identity, managed identity, `az login`. */
  | { readonly kind: 'identity' };

/** A key of the customer's own, as Azure wants it told with every request for a blob. */
export interface SuppliedAzureKey {
  readonly base64: string;
  readonly sha256Base64: string;
}

/** All that opening a container depends on. */
export interface AzureConfig {
  readonly address: string;
  readonly container: string;
  /** Goes before every key; empty, or ends with `/`. */
  readonly prefix: string;
  /** The account's blob service, without a closing slash. */
  readonly serviceUrl: string;
  readonly access: AzureAccess;
  readonly encryptionScope: string | undefined;
  readonly suppliedKey: SuppliedAzureKey | undefined;
  /** How long the service may move no byte. */
  readonly silenceMs: number;
}

/**
 * Reads an address `az://container/prefix[?account=…&endpoint=…]` and the variables that `openAzureBlobStore` documents.
 * @throws IngotError `usage` for a malformed address, `invalid-config` for a malformed or missing variable.
 */
export function readAzureConfig(address: string, env: StorageEnv): AzureConfig {
  const url = readStorageUrl(address, 'az', ['account', 'endpoint']);
  checkContainer(url.place, address);
  const connection = connectionOf(env, url.options.get('account'));
  const account = url.options.get('account') ?? connection?.account ?? textOf(env, 'AZURE_STORAGE_ACCOUNT');
  const endpoint = url.options.get('endpoint') ?? textOf(env, 'INGOT_AZURE_ENDPOINT') ?? connection?.blobEndpoint;
  const serviceUrl = serviceUrlOf(endpoint, account, address);
  return {
    address: storageAddress(url),
    container: url.place,
    prefix: url.prefix,
    serviceUrl,
    access: accessOf(env, connection, account),
    encryptionScope: textOf(env, 'INGOT_AZURE_ENCRYPTION_SCOPE'),
    suppliedKey: readSuppliedKey(textOf(env, 'INGOT_AZURE_ENCRYPTION_KEY'), serviceUrl),
    silenceMs: silenceMs(env),
  };
}

function checkContainer(container: string, address: string): void {
  if (/^(?:\$root|(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*)$/.test(container)) return;
  throw new IngotError('usage', `"${address}": "${container}" is not a container name`, {
    operation: 'open',
    hint: 'container names have 3 to 63 lower-case letters, digits and single dashes, as in az://models/prefix',
  });
}

// A connection string is for one account; an address that names another one does not mean it.
function connectionOf(env: StorageEnv, account: string | undefined): ConnectionString | undefined {
  const text = textOf(env, 'AZURE_STORAGE_CONNECTION_STRING');
  if (text === undefined) return undefined;
  const connection = readConnectionString(text);
  return account === undefined || connection.account === undefined || connection.account === account
    ? connection
    : undefined;
}

function serviceUrlOf(endpoint: string | undefined, account: string | undefined, address: string): string {
  if (endpoint !== undefined) return checkedEndpoint(endpoint, account);
  if (account === undefined)
    throw new IngotError('invalid-config', `${address.replace(/\?.*/, '')}: which storage account is it in?`, {
      operation: 'open',
      hint: 'set AZURE_STORAGE_ACCOUNT or AZURE_STORAGE_CONNECTION_STRING, or write az://container/prefix?account=NAME',
    });
  if (/^[a-z0-9]{3,24}$/.test(account)) return `https://${account}.blob.core.windows.net`;
  throw new IngotError('invalid-config', `"${account}" is not the name of a storage account`, {
    operation: 'open',
    hint: 'AZURE_STORAGE_ACCOUNT has 3 to 24 lower-case letters and digits',
  });
}

function checkedEndpoint(text: string, account: string | undefined): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['https:', 'http:'].includes(url.protocol))
    throw new IngotError('invalid-config', `"${text.replace(/\?.*/, '')}" is not the address of a blob service`, {
      operation: 'open',
      hint: 'INGOT_AZURE_ENDPOINT and ?endpoint= want a URL, as in http://127.0.0.1:10000/devstoreaccount1',
    });
  const service = `${url.origin}${url.pathname}`.replace(/\/+$/, '');
  if (url.pathname !== '/' || namesAccount(url.hostname)) return service;
  throw new IngotError('invalid-config', `the endpoint ${service} does not say which storage account`, {
    operation: 'open',
    hint: `where the host is not the account's own, write the account behind it: ${service}/${account ?? 'devstoreaccount1'}`,
  });
}

/** Whether a host can be one account's: addresses, and names of one word as containers have, stand for the whole service. */
function namesAccount(hostname: string): boolean {
  return hostname.includes('.') && isIP(hostname) === 0;
}

/** Whether the account stands in the path, as it does where an emulator answers and never in the cloud. */
export function isEmulator({ serviceUrl }: Pick<AzureConfig, 'serviceUrl'>): boolean {
  return new URL(serviceUrl).pathname !== '/';
}

function accessOf(env: StorageEnv, connection: ConnectionString | undefined, account: string | undefined): AzureAccess {
  const key = connection?.accountKey ?? textOf(env, 'AZURE_STORAGE_KEY');
  if (key !== undefined) return { kind: 'key', account: checkedAccount(account), key: checkedKey(key) };
  const sas = connection?.sharedAccessSignature ?? textOf(env, 'AZURE_STORAGE_SAS_TOKEN');
  if (sas !== undefined) return { kind: 'sas', token: checkedSas(sas) };
  if (/^(?:1|true|yes|on)$/i.test(textOf(env, 'INGOT_AZURE_ANONYMOUS') ?? '')) return { kind: 'anonymous' };
  return { kind: 'identity' };
}

function checkedAccount(account: string | undefined): string {
  if (account !== undefined) return account;
  throw new IngotError('invalid-config', 'AZURE_STORAGE_KEY is set, but not whose key it is', {
    operation: 'open',
    hint: 'set AZURE_STORAGE_ACCOUNT too',
  });
}

function checkedKey(key: string): string {
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(key)) return key;
  throw new IngotError('invalid-config', 'AZURE_STORAGE_KEY is not a key of a storage account: it is not base64', {
    operation: 'open',
    hint: 'az storage account keys list --account-name NAME',
  });
}

function checkedSas(token: string): string {
  const bare = token.replace(/^\?/, '');
  if (/(?:^|&)sig=/.test(bare)) return bare;
  throw new IngotError('invalid-config', 'AZURE_STORAGE_SAS_TOKEN is not a shared access signature: it has no sig=', {
    operation: 'open',
    hint: 'it is what stands behind the question mark, as in sv=2024-11-04&sp=rcwl&sig=…',
  });
}

function readSuppliedKey(base64: string | undefined, serviceUrl: string): SuppliedAzureKey | undefined {
  if (base64 === undefined) return undefined;
  if (!serviceUrl.startsWith('https:'))
    throw new IngotError('invalid-config', `INGOT_AZURE_ENCRYPTION_KEY is set, and ${serviceUrl} is not HTTPS`, {
      operation: 'open',
      hint: 'a key that goes along with every request is only sent over HTTPS',
    });
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.byteLength !== 32)
    throw new IngotError('invalid-config', 'INGOT_AZURE_ENCRYPTION_KEY is not 32 bytes in base64', {
      operation: 'open',
      hint: 'openssl rand -base64 32',
    });
  return { base64: bytes.toString('base64'), sha256Base64: createHash('sha256').update(bytes).digest('base64') };
}
