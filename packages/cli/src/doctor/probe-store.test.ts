import type { BlobStore } from '@ingot/core/blob/blob-store';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { IngotError } from '@ingot/core/errors';
import { describe, expect, it } from 'vitest';
import { probeStore } from './probe-store.ts';

const options = { id: 'probe-1', clock: () => 0 };

async function keysOf(blobs: BlobStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of blobs.list('')) keys.push(key);
  return keys;
}

/** The same store with some operations replaced. */
function replacing(blobs: BlobStore, changes: Partial<BlobStore>): BlobStore {
  return {
    address: blobs.address,
    capabilities: blobs.capabilities,
    stat: (...given) => blobs.stat(...given),
    read: (...given) => blobs.read(...given),
    write: (...given) => blobs.write(...given),
    delete: (...given) => blobs.delete(...given),
    list: (...given) => blobs.list(...given),
    ...changes,
  };
}

describe('probeStore', () => {
  it('finds an honest store in order and leaves nothing behind', async () => {
    const blobs = createMemoryBlobStore();
    const { checks, storageTime } = await probeStore(blobs, options);
    expect(checks.map(({ name, status }) => [name, status])).toEqual([
      ['create-if-absent', 'ok'],
      ['store', 'ok'],
    ]);
    expect(storageTime).toBeInstanceOf(Date);
    expect(await keysOf(blobs)).toEqual([]);
  });

  it('finds out a store that says "created" for a key that is taken', async () => {
    const blobs = createMemoryBlobStore();
    const liar = replacing(blobs, { write: (...given) => blobs.write(...given).then(() => 'created') });
    const { checks } = await probeStore(liar, options);
    expect(checks[0]).toMatchObject({ name: 'create-if-absent', status: 'failed' });
  });

  it('says why a store cannot be written, and still cleans up', async () => {
    const blobs = createMemoryBlobStore();
    const full = replacing(blobs, {
      write: async (key, ...rest) => {
        if (key.endsWith('/0')) throw new IngotError('disk-full', 'the disk is full');
        return blobs.write(key, ...rest);
      },
    });
    const { checks } = await probeStore(full, options);
    expect(checks).toMatchObject([
      { name: 'store', status: 'failed', message: expect.stringContaining('the disk is full') },
    ]);
    expect(await keysOf(blobs)).toEqual([]);
  });
});
