import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { bodyOf } from './blob/bytes.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import { collect } from './collect.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { contentOf, noise } from './content/conformance.ts';
import { createStore } from './content/store-format.ts';
import { digestOf } from './digest.ts';
import { parseModelName } from './ref.ts';
import { openLogRegistry } from './registry/open.ts';
import { stats } from './stats.ts';

async function storeOf(models: Readonly<Record<string, readonly number[]>>) {
  const blobs = createMemoryBlobStore();
  await createStore(blobs);
  const registry = openLogRegistry({ blobs, actor: 'test' });
  const contents = createBlobContentStore(blobs);
  for (const [text, seeds] of Object.entries(models)) {
    const name = parseModelName(text);
    for (const seed of seeds) {
      const { id, base } = await registry.ensureModel(name);
      await using upload = await contents.openUpload({ modelId: id, base });
      await upload.put(contentOf('shared.bin', noise(40_000, 1)));
      await upload.put(contentOf('own.bin', noise(10_000, seed)));
      const { recipe } = await upload.seal();
      const facts = { sizeBytes: 50_000, fileCount: 2, flavor: 'file', scan: 'not scanned' } as const;
      await registry.publish(name, { manifest: digestOf(`${text} ${seed}`), recipe, upload: upload.id, ...facts });
      await upload.release();
    }
  }
  return { blobs, registry };
}

describe('stats', () => {
  test('weigh what versions come to against what lies there for them, by model and in all', async () => {
    const { blobs } = await storeOf({ large: [2, 3, 4], small: [5] });
    const { models, all, deduplication, compression, packs, disk, unreadable } = await stats({ blobs });
    assert.deepEqual(
      models.map(({ model, versions, logicalBytes }) => [model, versions, logicalBytes]),
      [
        ['large', 3, 150_000],
        ['small', 1, 50_000],
      ],
    );
    // Three small files and a shared one in three uploads; pages and recipes come on top.
    assert.ok((models[0]?.storedBytes ?? 0) >= 70_000 && (models[0]?.storedBytes ?? 0) < 76_000);
    assert.deepEqual([all.versions, all.logicalBytes], [4, 200_000]);
    assert.ok(Math.abs(deduplication - 200_000 / 120_000) < 0.01, String(deduplication));
    assert.equal(compression, 1);
    assert.deepEqual([packs.unreferenced, packs.thin, unreadable], [0, 0, []]);
    assert.equal(packs.bytes, all.storedBytes + packs.otherBytes + packs.thinBytes + packs.unreferencedBytes);
    let bytes = 0;
    for await (const { sizeBytes } of blobs.list('')) bytes += sizeBytes;
    assert.equal(disk.bytes, bytes);
    assert.equal(disk.bytes, packs.bytes + disk.logBytes + disk.otherBytes);
    assert.ok(disk.logBytes > 0);
  });

  test('tell what a collection would give back', async () => {
    const { blobs, registry } = await storeOf({ churn: [2, 3] });
    await registry.deleteVersion({ name: parseModelName('churn'), selector: { kind: 'version', number: 2 } });
    await blobs.write('packs/left/0.pack', bodyOf(new Uint8Array(777)));
    const { packs } = await stats({ blobs });
    assert.equal(packs.unreferenced, 2);
    assert.ok(packs.unreferencedBytes > 10_777 && packs.unreferencedBytes < 15_000, String(packs.unreferencedBytes));
    await collect({ blobs, actor: 'test', graceMs: 0 });
    assert.equal((await stats({ blobs })).packs.unreferenced, 0);
  });
});
