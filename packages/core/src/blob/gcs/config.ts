import { createHash } from 'node:crypto';
import { IngotError } from '../../errors.ts';
import { silenceMs } from '../silence.ts';
import { readStorageUrl, type StorageEnv, storageAddress, textOf } from '../remote/storage-url.ts';

const PUBLIC_ENDPOINT = 'https://storage.googleapis.com';

/** A key of the customer's own, as GCS wants it told with every request for an object. */
export interface SuppliedKey {
  readonly base64: string;
  readonly sha256Base64: string;
}

/** All that opening a bucket depends on. */
export interface GcsConfig {
  readonly address: string;
  readonly bucket: string;
  /** Goes before every key; empty, or ends with `/`. */
  readonly prefix: string;
  /** Without a closing slash. */
  readonly endpoint: string;
  /** `none` for emulators and public buckets. */
  readonly credentials: 'default' | 'none';
  readonly keyFile: string | undefined;
  readonly project: string | undefined;
  readonly userProject: string | undefined;
  readonly kmsKey: string | undefined;
  readonly suppliedKey: SuppliedKey | undefined;
  /** How long the service may move no byte. */
  readonly silenceMs: number;
}

/**
 * Reads an address `gs://bucket/prefix[?endpoint=…&userProject=…]` and the variables that `openGcsBlobStore` documents.
 * @throws IngotError `usage` for a malformed address, `invalid-config` for a malformed variable.
 */
export function readGcsConfig(address: string, env: StorageEnv): GcsConfig {
  const url = readStorageUrl(address, 'gs', ['endpoint', 'userProject']);
  checkBucket(url.place, address);
  const emulator = textOf(env, 'STORAGE_EMULATOR_HOST');
  const own = url.options.get('endpoint') ?? textOf(env, 'INGOT_GCS_ENDPOINT');
  const endpoint = readEndpoint(own ?? emulator ?? PUBLIC_ENDPOINT);
  const isPlain = endpoint.startsWith('http:');
  return {
    address: storageAddress(url),
    bucket: url.place,
    prefix: url.prefix,
    endpoint,
    credentials: isPlain || isTrue(textOf(env, 'INGOT_GCS_ANONYMOUS')) ? 'none' : 'default',
    keyFile: textOf(env, 'GOOGLE_APPLICATION_CREDENTIALS'),
    project: textOf(env, 'GOOGLE_CLOUD_PROJECT') ?? textOf(env, 'GCLOUD_PROJECT'),
    userProject: url.options.get('userProject') ?? textOf(env, 'INGOT_GCS_USER_PROJECT'),
    kmsKey: readKmsKey(textOf(env, 'INGOT_GCS_KMS_KEY')),
    suppliedKey: readSuppliedKey(textOf(env, 'INGOT_GCS_ENCRYPTION_KEY')),
    silenceMs: silenceMs(env),
  };
}

function checkBucket(bucket: string, address: string): void {
  if (/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(bucket)) return;
  throw new IngotError('usage', `"${address}": "${bucket}" is not a bucket name`, {
    operation: 'open',
    hint: 'bucket names have 3 to 222 lower-case letters, digits, dashes, underscores and dots, as in gs://team-models/prefix',
  });
}

function readEndpoint(text: string): string {
  const whole = /^https?:\/\//i.test(text) ? text : `http://${text}`;
  try {
    return new URL(whole).href.replace(/\/+$/, '');
  } catch (cause) {
    throw new IngotError('invalid-config', `"${text}" is not the address of a storage service`, {
      operation: 'open',
      hint: 'STORAGE_EMULATOR_HOST, INGOT_GCS_ENDPOINT and ?endpoint= want a URL, as in http://127.0.0.1:4443',
      cause,
    });
  }
}

const isTrue = (text: string | undefined) => text !== undefined && /^(?:1|true|yes|on)$/i.test(text);

function readKmsKey(name: string | undefined): string | undefined {
  if (name === undefined || /^projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+$/.test(name))
    return name;
  throw new IngotError('invalid-config', `INGOT_GCS_KMS_KEY is "${name}", which names no key`, {
    operation: 'open',
    hint: 'it wants projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY',
  });
}

function readSuppliedKey(base64: string | undefined): SuppliedKey | undefined {
  if (base64 === undefined) return undefined;
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.byteLength !== 32)
    throw new IngotError('invalid-config', 'INGOT_GCS_ENCRYPTION_KEY is not 32 bytes in base64', {
      operation: 'open',
      hint: 'openssl rand -base64 32',
    });
  return {
    base64: bytes.toString('base64'),
    sha256Base64: createHash('sha256').update(bytes).digest('base64'),
  };
}
