/**
 * Opens a storage by its address. Each backend is loaded only when an address asks for it, so that nobody pays for the
 * client of a cloud that is not used. Calls to a storage over a network are repeated by one layer (`layers/retrying.ts`),
 * `INGOT_RETRIES` times at most (6 by default).
 */

import { IngotError } from '../errors.ts';
import { checkStorageAddress, filePath, redactAddress } from './address.ts';
import type { BlobStore } from './blob-store.ts';
import type { RetryOptions } from './layers/patience.ts';
import { retrying } from './layers/retrying.ts';
import { createLocalBlobStore } from './local.ts';
import { localOptions } from './local-options.ts';
import type { FileNames } from './local/names.ts';

/** What opening a storage depends on. */
export interface OpenBlobStoreOptions {
  /** Variables that backends read: those of the process and, where allowed, of `.env`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Is told of what is odd but works. Default: nobody is. */
  readonly onWarning?: (message: string) => void;
  /** How names of files are read where blobs are files. Default: those of a store. */
  readonly names?: FileNames;
}

type OpenBackend = (address: string, options: OpenBlobStoreOptions) => Promise<BlobStore>;

const BACKENDS: Readonly<Record<string, OpenBackend>> = {
  s3: async (...given) => (await import('./s3.ts')).openS3BlobStore(...given),
  gs: async (...given) => (await import('./gcs.ts')).openGcsBlobStore(...given),
  az: async (...given) => (await import('./azure.ts')).openAzureBlobStore(...given),
  sftp: async (...given) => (await import('./sftp.ts')).openSftpBlobStore(...given),
  http: async (...given) => (await import('./http.ts')).openHttpBlobStore(...given),
  https: async (...given) => (await import('./http.ts')).openHttpBlobStore(...given),
  webdav: async (...given) => (await import('./webdav.ts')).openWebdavBlobStore(...given),
  webdavs: async (...given) => (await import('./webdav.ts')).openWebdavBlobStore(...given),
};

/**
 * Opens the storage that an address names: a path, or an address of one of `STORAGE_SCHEMES`. No request is sent; what
 * is wrong with the place itself shows with the first call.
 * @throws IngotError `usage` for an address that no backend opens.
 *
 * @example
 * const blobs = await openBlobStore('s3://models/team', { env: process.env });
 */
export async function openBlobStore(address: string, options: OpenBlobStoreOptions): Promise<BlobStore> {
  const known = checkStorageAddress(address);
  if (known === undefined || known.scheme === 'file') {
    const directory = known === undefined ? address : filePath(address);
    return createLocalBlobStore(directory, await localOptions(directory, options.env));
  }
  const open = BACKENDS[known.scheme];
  if (open === undefined)
    throw new IngotError('usage', `"${redactAddress(address)}": this build does not open ${known.scheme}://`);
  const backend = await open(address, options);
  return retrying(backend, retryOptions(backend.address, options));
}

/** A user who waits is told why, once a call has failed this often. */
const TELL_AFTER = 3;

/** How often calls to a storage are repeated, and who hears of it. Throws `invalid-config`. */
export function retryOptions(address: string, { env, onWarning }: OpenBlobStoreOptions): RetryOptions {
  const attempts = attemptsOf(env.INGOT_RETRIES);
  return {
    ...(attempts === undefined ? {} : { attempts }),
    onRetry: (failure, attempt) => {
      if (attempt !== TELL_AFTER) return;
      const named = failure.message.includes(address) ? '' : `${address}: `;
      onWarning?.(`${named}${failure.message}; trying again`);
    },
  };
}

function attemptsOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const retries = Number(text);
  if (Number.isInteger(retries) && retries >= 0 && retries <= 1000) return retries + 1;
  throw new IngotError('invalid-config', `INGOT_RETRIES=${text} is not a whole number from 0 to 1000`, {
    hint: 'INGOT_RETRIES=6',
  });
}
