/**
 * Opens a storage by its address. Each backend is loaded only when an address asks for it, so that nobody pays for the
 * client of a cloud that is not used.
 */

import { IngotError } from '../errors.ts';
import { checkStorageAddress, filePath, redactAddress } from './address.ts';
import type { BlobStore } from './blob-store.ts';
import { createLocalBlobStore } from './local.ts';

/** What opening a storage depends on. */
export interface OpenBlobStoreOptions {
  /** Variables that backends read: those of the process and, where allowed, of `.env`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Is told of what is odd but works. Default: nobody is. */
  readonly onWarning?: (message: string) => void;
}

type OpenBackend = (address: string, options: OpenBlobStoreOptions) => Promise<BlobStore>;

const BACKENDS: Readonly<Record<string, OpenBackend>> = {
  file: async (address) => createLocalBlobStore(filePath(address)),
  webdav: async (...args) => (await import('./webdav.ts')).openWebdavBlobStore(...args),
  webdavs: async (...args) => (await import('./webdav.ts')).openWebdavBlobStore(...args),
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
  if (known === undefined) return createLocalBlobStore(address);
  const open = BACKENDS[known.scheme];
  if (open === undefined)
    throw new IngotError('usage', `"${redactAddress(address)}": this build does not open ${known.scheme}://`);
  return open(address, options);
}
