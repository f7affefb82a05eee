import type { BlobStore } from '../../blob/blob-store.ts';

/** A blob store that notes every request it passes on, as `operation key`. */
export function observedBlobs(inner: BlobStore): BlobStore & { readonly requests: string[] } {
  const requests: string[] = [];
  const noted = (operation: string, key: string): string => {
    requests.push(`${operation} ${key}`);
    return key;
  };
  return {
    requests,
    address: inner.address,
    capabilities: inner.capabilities,
    stat: (key, options) => inner.stat(noted('stat', key), options),
    read: (key, options) => inner.read(noted('read', key), options),
    write: (key, body, options) => inner.write(noted('write', key), body, options),
    delete: (key, options) => inner.delete(noted('delete', key), options),
    list: (prefix, options) => inner.list(noted('list', prefix), options),
  };
}

/** Puts other bytes, or none, under a key, as a bad disk or a bad person would. */
export async function overwrite(blobs: BlobStore, key: string, bytes: Uint8Array | undefined): Promise<void> {
  await blobs.delete(key);
  if (bytes === undefined) return;
  await blobs.write(key, {
    sizeBytes: bytes.byteLength,
    open: async function* () {
      yield bytes;
    },
  });
}
