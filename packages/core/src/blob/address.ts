/**
 * A *storage address* says where blobs lie: a path of this machine, or `scheme://…` of one of the schemes below. It names
 * a place; what a client needs to get in comes from the environment.
 */

import { fileURLToPath } from 'node:url';
import { IngotError } from '../errors.ts';
import { nearest } from '../nearest.ts';

/** One kind of storage, as an address names it. */
export interface StorageScheme {
  readonly scheme: string;
  /** What it is called in messages. */
  readonly about: string;
  readonly example: string;
  /** What must follow `scheme://`; undefined where nothing must. */
  readonly needs?: string;
}

/** Every scheme of an address that opens, in the order in which people are told of them. */
export const STORAGE_SCHEMES: readonly StorageScheme[] = [
  { scheme: 'file', about: 'a directory', example: 'file:///srv/models' },
  { scheme: 's3', about: 'Amazon S3 and compatibles', example: 's3://bucket/team', needs: 'a bucket' },
  { scheme: 'gs', about: 'Google Cloud Storage', example: 'gs://bucket/team', needs: 'a bucket' },
  { scheme: 'az', about: 'Azure Blob Storage', example: 'az://container/team', needs: 'a container' },
  { scheme: 'webdavs', about: 'WebDAV', example: 'webdavs://host/models', needs: 'a host' },
  { scheme: 'webdav', about: 'WebDAV without TLS', example: 'webdav://host/models', needs: 'a host' },
  { scheme: 'sftp', about: 'SFTP', example: 'sftp://user@host/srv/models', needs: 'a host' },
  { scheme: 'https', about: 'read-only HTTP', example: 'https://host/models/', needs: 'a host' },
  { scheme: 'http', about: 'read-only HTTP without TLS', example: 'http://host/models/', needs: 'a host' },
];

/** The scheme of an address in lower case, or undefined for a path. One letter is a drive, not a scheme. */
export function schemeOf(address: string): string | undefined {
  return /^([a-z][a-z0-9+.-]+):/i.exec(address)?.[1]?.toLowerCase();
}

/**
 * Checks what can be checked of an address without asking anybody, and gives its scheme (undefined: a path).
 * @throws IngotError `usage` for an empty address, an unknown scheme (with the nearest one), or a missing bucket or host.
 */
export function checkStorageAddress(address: string): StorageScheme | undefined {
  if (address.trim() === '') throw new IngotError('usage', 'the storage address is empty', { operation: 'open' });
  const scheme = schemeOf(address);
  if (scheme === undefined) return undefined;
  const known = STORAGE_SCHEMES.find((candidate) => candidate.scheme === scheme);
  if (known === undefined) throw unknownScheme(address, scheme);
  const rest = address.slice(scheme.length + 1);
  if (!rest.startsWith('//')) throw malformed(address, 'two slashes follow the scheme', known);
  if (known.needs === undefined) return known;
  if (/^(?:s3|gs|az)$/.test(scheme) && /^\/\/[^/?#]*@/.test(rest)) throw credentialsInAddress(address, known);
  const place = /^\/\/(?:[^/?#]*@)?([^/?#]*)/.exec(rest)?.[1] ?? '';
  if (place === '') throw malformed(address, `${known.needs} follows the slashes`, known);
  return known;
}

function unknownScheme(address: string, scheme: string): IngotError {
  const schemes = STORAGE_SCHEMES.map((known) => known.scheme);
  const meant = nearest(scheme, schemes) ?? ALSO_CALLED[scheme];
  const near = meant === undefined ? undefined : `${meant}${address.slice(scheme.length)}`;
  return new IngotError('usage', `"${redactAddress(address)}": no storage is called ${scheme}://`, {
    operation: 'open',
    hint: `a path, or one of ${schemes.map((known) => `${known}://`).join(' ')}`,
    ...(near === undefined ? {} : { nearest: redactAddress(near) }),
  });
}

/** What other tools call these storages. */
const ALSO_CALLED: Readonly<Record<string, string>> = {
  s3a: 's3',
  s3n: 's3',
  minio: 's3',
  r2: 's3',
  gcs: 'gs',
  google: 'gs',
  azure: 'az',
  azblob: 'az',
  abfs: 'az',
  abfss: 'az',
  wasb: 'az',
  wasbs: 'az',
  dav: 'webdav',
  davs: 'webdavs',
  ssh: 'sftp',
  scp: 'sftp',
};

function malformed(address: string, wanted: string, { about, example }: StorageScheme): IngotError {
  return new IngotError(
    'usage',
    `"${redactAddress(address)}" is not an address of ${about}: ${wanted}, as in ${example}`,
    {
      operation: 'open',
      hint: `INGOT_REGISTRY=${example}`,
    },
  );
}

/**
 * Gives the path that a `file://` address names.
 * @throws IngotError `usage` when it names a host or is malformed.
 */
export function filePath(address: string): string {
  try {
    return fileURLToPath(address);
  } catch (cause) {
    throw new IngotError('usage', `"${address}" is not a file address; write file:///path/to/store`, { cause });
  }
}

function credentialsInAddress(address: string, { about }: StorageScheme): IngotError {
  return new IngotError('usage', `"${redactAddress(address)}": credentials of ${about} do not stand in the address`, {
    operation: 'open',
    hint: `set the variables that the cloud's own tools read, in the environment or in .env`,
  });
}

/**
 * Hides passwords and signatures in the addresses of a text. The user of a file server stays, as the address is of no
 * use without; elsewhere a user may be a token and is hidden, too.
 */
export function redactAddress(text: string): string {
  return text
    .replace(/([a-z][a-z0-9+.-]*:\/\/)([^/@\s]*)@/gi, (_, scheme: string, login: string) => {
      if (!/^(sftp|webdavs?):/i.test(scheme)) return `${scheme}***@`;
      return `${scheme}${login.replace(/:.*/, ':***')}@`;
    })
    .replace(/([?&;](?:[^=&\s]*(?:token|secret|password|signature|sig|key|credential)[^=&\s]*)=)[^&\s]+/gi, '$1***');
}

/** Variables that say which service an address is looked up at; two stores of one name may lie at two of them. */
const PLACES: Readonly<Record<string, readonly string[]>> = {
  s3: ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'],
  gs: ['STORAGE_EMULATOR_HOST', 'INGOT_GCS_ENDPOINT'],
  az: ['AZURE_STORAGE_ACCOUNT', 'AZURE_STORAGE_CONNECTION_STRING', 'INGOT_AZURE_ENDPOINT'],
};

const SECRET = /token|secret|password|signature|^sig$|key|credential/i;

/**
 * Gives a text that is the same for addresses of the same store and holds no secret: caches are named after it.
 * Equal stores under different texts only cost a second cache.
 */
export function storageIdentity(address: string, env: Readonly<Record<string, string | undefined>>): string {
  const scheme = schemeOf(address);
  if (scheme === undefined) return address;
  const [, place = '', path = '', query = ''] = /^[^:]+:\/\/([^/?#]*)([^?#]*)\??([^#]*)/.exec(address) ?? [];
  const user = place.includes('@') ? `${place.slice(0, place.indexOf('@')).replace(/:.*/, '')}@` : '';
  const host = place.slice(place.lastIndexOf('@') + 1).toLowerCase();
  const options = query.split('&').filter((option) => option !== '' && !SECRET.test(option.replace(/=.*/, '')));
  const service = (PLACES[scheme] ?? []).map((name) => env[name]).find((value) => value !== undefined && value !== '');
  const where = service === undefined ? '' : ` at ${publicPart(service)}`;
  const text = `${scheme}://${user}${host}${path.replace(/\/+$/, '')}`;
  return `${text}${options.length === 0 ? '' : `?${options.sort().join('&')}`}${where}`;
}

/** A connection string holds the account's name and endpoint, and a key that is left out. */
function publicPart(service: string): string {
  if (!service.includes(';')) return redactAddress(service).replace(/\/+$/, '');
  return service
    .split(';')
    .filter((part) => /^(?:AccountName|BlobEndpoint|EndpointSuffix)=/i.test(part))
    .sort()
    .join(';');
}
