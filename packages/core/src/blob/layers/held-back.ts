import type { BlobStore } from '../blob-store.ts';

/**
 * Holds writes back until `leave` ends, and refuses them with its error when it fails. Keys that are `early` are written
 * meanwhile, as long as it has not failed. Everything else goes through.
 *
 * @example
 * const store = heldBack(blobs, probing, (key) => key.startsWith('packs/'));
 */
export function heldBack(inner: BlobStore, leave: Promise<void>, early: (key: string) => boolean): BlobStore {
  let state: 'open' | 'waiting' | { readonly error: unknown } = 'waiting';
  leave.then(
    () => {
      state = 'open';
    },
    (error: unknown) => {
      state = { error };
    },
  );
  const pass = async (key: string): Promise<void> => {
    if (state === 'waiting' && !early(key)) await leave;
    if (typeof state === 'object') throw state.error;
  };
  return {
    address: inner.address,
    capabilities: inner.capabilities,
    stat: (key, options) => inner.stat(key, options),
    read: (key, options) => inner.read(key, options),
    delete: (key, options) => inner.delete(key, options),
    list: (prefix, options) => inner.list(prefix, options),
    write: async (key, body, options) => {
      await pass(key);
      return await inner.write(key, body, options);
    },
    ...(inner.localPath === undefined ? {} : { localPath: inner.localPath.bind(inner) }),
    ...(inner.versions === undefined ? {} : { versions: inner.versions.bind(inner) }),
    ...(inner.signed === undefined ? {} : { signed: inner.signed.bind(inner) }),
  };
}
