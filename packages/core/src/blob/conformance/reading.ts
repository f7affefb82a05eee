import assert from 'node:assert/strict';
import type { BlobStore, ByteRange } from '../blob-store.ts';
import { bodyOf, collect } from '../bytes.ts';
import { type BlobStoreCase, failsWith } from './case.ts';

const SIZE = 3 * 1024 * 1024 + 17;

/** Reading whole blobs and ranges. */
export const READING_CASES: readonly BlobStoreCase[] = [
  {
    name: 'stat of a missing blob is undefined and reading it fails with content-not-found',
    run: async (subject) => {
      const store = await subject.open();
      assert.equal(await store.stat('models/none'), undefined);
      await failsWith(() => collect(store.read('models/none')), 'content-not-found');
      await failsWith(() => collect(store.read('models/none', { range: { start: 0, end: 1 } })), 'content-not-found');
    },
  },
  {
    name: 'nothing is found under a blob as if it were a folder',
    run: async (subject) => {
      const store = await subject.open();
      await store.write('leaf', bodyOf('x'));
      assert.equal(await store.stat('leaf/below'), undefined);
      await failsWith(() => collect(store.read('leaf/below')), 'content-not-found');
    },
  },
  {
    name: 'a folder of blobs is no blob',
    run: async (subject) => {
      const store = await subject.open();
      await store.write('folder/blob', bodyOf('x'));
      assert.equal(await store.stat('folder'), undefined);
      await failsWith(() => collect(store.read('folder')), 'content-not-found');
      await store.delete('folder');
      assert.equal((await store.stat('folder/blob'))?.sizeBytes, 1);
    },
  },
  {
    name: 'ranges of several blobs with one signal, gathered in memory of the reader, are their own; what is missing is',
    run: async (subject) => {
      const { store, bytes } = await withPattern(await subject.open());
      await store.write('packs/of/others', bodyOf('other bytes'));
      const { signal } = new AbortController();
      const into = Buffer.alloc(300_000);
      const read = async (key: string, range: ByteRange) => {
        const pieces: Uint8Array[] = [];
        for await (const piece of store.read(key, { range, signal, into })) pieces.push(Uint8Array.from(piece));
        return Buffer.concat(pieces);
      };
      assert.ok((await read('pattern', { start: 17, end: SIZE - 5 })).equals(bytes.subarray(17, SIZE - 5)));
      assert.equal((await read('packs/of/others', { start: 2, end: 7 })).toString(), 'her b');
      await failsWith(() => read('packs/of/nobody', { start: 0, end: 1 }), 'content-not-found');
      assert.ok((await read('pattern', { start: 5 })).equals(bytes.subarray(5)));
      assert.equal((await read('packs/of/others', { start: 11 })).byteLength, 0);
    },
  },
  {
    name: 'a range gives exactly its bytes, start inclusive and end exclusive',
    run: async (subject) => {
      const { store, bytes } = await withPattern(await subject.open());
      const ranges: ByteRange[] = [
        { start: 0, end: 1 },
        { start: 5, end: 5 },
        { start: 1024 * 1024 - 1, end: 1024 * 1024 + 1 },
        { start: 17, end: 2 * 1024 * 1024 + 100 },
        { start: SIZE - 1 },
        { start: SIZE },
        { start: SIZE, end: SIZE },
        { start: 0, end: SIZE },
        { start: 100 },
      ];
      for (const range of ranges) {
        const read = await collect(store.read('pattern', { range }));
        assert.ok(read.equals(bytes.subarray(range.start, range.end)), `range ${JSON.stringify(range)}`);
      }
    },
  },
  {
    name: 'a range past the end fails with integrity',
    run: async (subject) => {
      const { store } = await withPattern(await subject.open());
      await failsWith(() => collect(store.read('pattern', { range: { start: 0, end: SIZE + 1 } })), 'integrity');
      await failsWith(() => collect(store.read('pattern', { range: { start: SIZE + 1 } })), 'integrity');
    },
  },
  {
    name: 'an empty blob is read whole and by the empty range, and a range within it fails with integrity',
    run: async (subject) => {
      const store = await subject.open();
      await store.write('empty', bodyOf(''));
      for (const range of [undefined, { start: 0 }, { start: 0, end: 0 }])
        assert.equal((await collect(store.read('empty', range ? { range } : {}))).byteLength, 0);
      await failsWith(() => collect(store.read('empty', { range: { start: 0, end: 1 } })), 'integrity');
      await failsWith(() => collect(store.read('none', { range: { start: 0, end: 0 } })), 'content-not-found');
    },
  },
  {
    name: 'a range that is no range fails with usage',
    run: async (subject) => {
      const { store } = await withPattern(await subject.open());
      for (const range of [{ start: -1 }, { start: 2, end: 1 }, { start: 0.5 }, { start: 0, end: Number.NaN }]) {
        await failsWith(() => collect(store.read('pattern', { range })), 'usage');
      }
    },
  },
  {
    name: 'a reader may stop early and read again',
    run: async (subject) => {
      const { store, bytes } = await withPattern(await subject.open());
      for await (const piece of store.read('pattern')) {
        assert.equal(piece[0], bytes[0]);
        break;
      }
      assert.ok((await collect(store.read('pattern'))).equals(bytes));
    },
  },
  {
    name: 'twenty readers at once all get the same bytes',
    run: async (subject) => {
      const { store, bytes } = await withPattern(await subject.open());
      const reads = await Promise.all(Array.from({ length: 20 }, () => collect(store.read('pattern'))));
      assert.ok(reads.every((read) => read.equals(bytes)));
    },
  },
];

async function withPattern(store: BlobStore): Promise<{ store: BlobStore; bytes: Buffer }> {
  const bytes = Buffer.alloc(SIZE);
  for (let at = 0; at < SIZE; at += 1) bytes[at] = (at * 31 + (at >> 8)) & 0xff;
  await store.write('pattern', bodyOf(bytes));
  return { store, bytes };
}
