import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { BlobStore } from './blob/blob-store.ts';
import { bodyOf, collect as bytesOf } from './blob/bytes.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import { check } from './check.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { contentOf } from './content/conformance.ts';
import { packKey } from './content/locator.ts';
import { readPackFooter } from './content/pack.ts';
import { createStore } from './content/store-format.ts';
import { digestOf } from './digest.ts';
import { parseModelName } from './ref.ts';
import { openLogRegistry } from './registry/open.ts';

/** Weights near one another: their exponents are coded. */
function weights(): Buffer {
  return Buffer.from(Float32Array.from({ length: 100_000 }, (_, n) => Math.sin(n * n) / 100).buffer);
}

/** A store with one version of one coded file, and the pack it lies in. */
async function codedStore(): Promise<{ readonly blobs: BlobStore; readonly pack: string }> {
  const blobs = createMemoryBlobStore();
  await createStore(blobs);
  const registry = openLogRegistry({ blobs, actor: 'test' });
  const name = parseModelName('churn');
  const { id: modelId, base } = await registry.ensureModel(name);
  await using upload = await createBlobContentStore(blobs, { coding: 'planes4-deflate' }).openUpload({ modelId, base });
  await upload.put(contentOf('weights.bin', weights()));
  await upload.put(contentOf('', 'a manifest', 'manifest'));
  const { recipe } = await upload.seal();
  const facts = { sizeBytes: 400_000, fileCount: 1, flavor: 'file', scan: 'not scanned' } as const;
  await registry.publish(name, { manifest: digestOf('a manifest'), recipe, upload: upload.id, modelId, ...facts });
  await upload.release();
  const { pack } = recipe;
  assert.ok((await readPackFooter(blobs, pack)).some(({ coding }) => coding !== undefined));
  return { blobs, pack };
}

/** Flips a bit of a pack; a negative offset counts from its end. */
async function flip(blobs: BlobStore, pack: string, offset: number): Promise<void> {
  const bytes = await bytesOf(blobs.read(packKey(pack)));
  const at = offset < 0 ? bytes.byteLength + offset : offset;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await blobs.delete(packKey(pack));
  await blobs.write(packKey(pack), bodyOf(bytes));
}

describe('a check of coded pieces', () => {
  test('whose pack lost its footer says that no version is hurt: they are read without it', async () => {
    const { blobs, pack } = await codedStore();
    await flip(blobs, pack, -60);
    const { damage, versions } = await check({ blobs, readData: true, threads: 0 });
    assert.deepEqual([damage.map(({ pack: damaged }) => damaged), versions], [[pack], []]);
  });

  test('finds the piece that is damaged too, with and without a footer', async () => {
    for (const ends of [[1000], [1000, -60]]) {
      const { blobs, pack } = await codedStore();
      for (const offset of ends) await flip(blobs, pack, offset);
      const { versions } = await check({ blobs, readData: true, threads: 0 });
      assert.deepEqual([versions[0]?.ref, versions[0]?.files], ['churn:1', ['weights.bin']]);
    }
  });
});
