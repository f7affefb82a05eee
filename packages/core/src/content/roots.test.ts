import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { BlobStore } from '../blob/blob-store.ts';
import { bodyOf } from '../blob/bytes.ts';
import { createMemoryBlobStore } from '../blob/memory.ts';
import { packKey } from './locator.ts';
import { absentPacks } from './roots.ts';

/** A store that says what it was asked, in order. */
function asked(blobs: BlobStore, capabilities: Partial<BlobStore['capabilities']> = {}) {
  const requests: string[] = [];
  const store: BlobStore = {
    ...blobs,
    capabilities: { ...blobs.capabilities, ...capabilities },
    stat: (key, options) => {
      requests.push(`stat ${key}`);
      return blobs.stat(key, options);
    },
    list: (prefix, options) => {
      requests.push(`list ${prefix}`);
      return blobs.list(prefix, options);
    },
  };
  return { store, requests };
}

async function withPacks(count: number) {
  const blobs = createMemoryBlobStore();
  const packs = Array.from({ length: count }, (_, n) => `u/${n}`);
  for (const pack of packs) await blobs.write(packKey(pack), bodyOf('pack'));
  return { blobs, packs };
}

describe('packs that must not be relied on', () => {
  test('many packs of one upload are found by one listing, after what collections have condemned', async () => {
    const { blobs, packs } = await withPacks(300);
    const { store, requests } = asked(blobs);
    assert.deepEqual(await absentPacks(store, packs, {}), new Set());
    assert.deepEqual(requests, ['list gc/', 'list packs/u/']);
  });

  test('what a listing does not show is looked at before it counts as gone', async () => {
    const { blobs, packs } = await withPacks(6);
    await blobs.delete(packKey('u/3'));
    const { store, requests } = asked(blobs);
    const late: BlobStore = {
      ...store,
      list: async function* (prefix, options) {
        for await (const entry of store.list(prefix, options)) if (entry.key !== packKey('u/2')) yield entry;
      },
    };
    assert.deepEqual(await absentPacks(late, packs, {}), new Set(['u/3']));
    assert.deepEqual(requests.slice(2), ['stat packs/u/2.pack', 'stat packs/u/3.pack']);
  });

  test('a few packs, and all where readers are late, are looked at one by one', async () => {
    const { blobs, packs } = await withPacks(6);
    const few = asked(blobs);
    assert.deepEqual(await absentPacks(few.store, [...packs.slice(0, 4), 'v/0'], {}), new Set(['v/0']));
    assert.equal(few.requests.filter((request) => request.startsWith('stat')).length, 5);
    const late = asked(blobs, { stalenessMs: 60_000 });
    await absentPacks(late.store, packs, {});
    assert.deepEqual(
      late.requests.filter((request) => request.startsWith('list')),
      ['list gc/'],
    );
  });

  test('nothing is asked for nothing', async () => {
    const { store, requests } = asked(createMemoryBlobStore());
    assert.deepEqual(await absentPacks(store, [], {}), new Set());
    assert.deepEqual(requests, []);
  });
});
