import assert from 'node:assert/strict';
import type { BlobStore } from '../blob-store.ts';
import { bodyOf, collect } from '../bytes.ts';
import { type BlobStoreCase, bodySaying, failsWith, keysOf } from './case.ts';

const MALFORMED = [
  '',
  '/a',
  'a/',
  'a//b',
  '.',
  '..',
  'a/../b',
  'a/./b',
  '../a',
  'a\0b',
  'a\\b',
  '\ud800',
  'x'.repeat(1025),
];

/** Creating and deleting. */
export const WRITING_CASES: readonly BlobStoreCase[] = [
  {
    name: 'a blob that was created can be read back with its size',
    run: async (subject) => {
      const store = await subject.open();
      assert.equal(await store.write('a/b.json', bodyOf('hello')), 'created');
      assert.equal((await store.stat('a/b.json'))?.sizeBytes, 5);
      assert.equal(String(await collect(store.read('a/b.json'))), 'hello');
    },
  },
  {
    name: 'a second write to a key says exists and leaves the first bytes alone',
    run: async (subject) => {
      const store = await subject.open();
      await store.write('key', bodyOf('first'));
      assert.equal(await store.write('key', bodyOf('second, and longer')), 'exists');
      assert.equal(String(await collect(store.read('key'))), 'first');
    },
  },
  {
    name: 'of fifty writers of one key exactly one creates it and all read its bytes',
    run: async (subject) => {
      const clients = await Promise.all(Array.from({ length: 5 }, () => subject.open()));
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, n) => clientOf(clients, n).write('race/0000000001.json', bodyOf(`writer ${n}`))),
      );
      assert.equal(results.filter((result) => result === 'created').length, 1);
      const winner = `writer ${results.indexOf('created')}`;
      for (const client of clients) assert.equal(String(await collect(client.read('race/0000000001.json'))), winner);
    },
  },
  {
    name: 'an empty blob exists and has no bytes',
    run: async (subject) => {
      const store = await subject.open();
      assert.equal(await store.write('empty', bodyOf('')), 'created');
      assert.deepEqual((await store.stat('empty'))?.sizeBytes, 0);
      assert.equal((await collect(store.read('empty'))).byteLength, 0);
      assert.equal(await store.write('empty', bodyOf('no longer')), 'exists');
    },
  },
  {
    name: 'a body of another size than it said fails with integrity and leaves nothing',
    run: async (subject) => {
      const store = await subject.open();
      const piece = Buffer.alloc(300_000, 7);
      await failsWith(() => store.write('short', bodySaying(600_001, [piece, piece])), 'integrity');
      await failsWith(() => store.write('long', bodySaying(599_999, [piece, piece])), 'integrity');
      await failsWith(() => store.write('none', bodySaying(1, [])), 'integrity');
      assert.deepEqual(await keysOf(store, ''), []);
      assert.equal(await store.write('short', bodyOf('now right')), 'created');
    },
  },
  {
    name: 'a body that fails half-way passes its own error on and leaves nothing',
    run: async (subject) => {
      const store = await subject.open();
      const failure = Object.assign(new Error('the source went away'), { code: 'ENOENT' });
      const body = {
        sizeBytes: 2_000_000,
        open: async function* () {
          yield Buffer.alloc(1_000_000);
          throw failure;
        },
      };
      await assert.rejects(store.write('torn', body), (error) => error === failure);
      assert.equal(await store.stat('torn'), undefined);
      assert.deepEqual(await keysOf(store, ''), []);
      assert.equal(await store.write('torn', bodyOf('whole')), 'created');
    },
  },
  {
    name: 'a body in pieces of all sizes arrives in order',
    run: async (subject) => {
      const store = await subject.open();
      const pieces = [1, 0, 70_000, 1_048_576, 3, 1_048_575, 200_000, 1, 1].map((size, n) => Buffer.alloc(size, n + 1));
      const whole = Buffer.concat(pieces);
      await store.write('pieces', bodySaying(whole.byteLength, pieces));
      assert.ok((await collect(store.read('pieces'))).equals(whole));
    },
  },
  {
    name: 'a malformed key is refused by every operation',
    run: async (subject) => {
      const store = await subject.open();
      for (const key of MALFORMED) {
        await failsWith(() => store.write(key, bodyOf('x')), 'usage');
        await failsWith(() => store.stat(key), 'usage');
        await failsWith(() => store.delete(key), 'usage');
        await failsWith(() => collect(store.read(key)), 'usage');
      }
      assert.deepEqual(await keysOf(store, ''), []);
    },
  },
  {
    name: 'a deleted blob is gone, deleting it again is nothing, and its neighbours stay',
    run: async (subject) => {
      const store = await subject.open();
      await store.write('d/one', bodyOf('1'));
      await store.write('d/two', bodyOf('2'));
      await store.delete('d/one');
      await store.delete('d/one');
      await store.delete('never/was');
      assert.equal(await store.stat('d/one'), undefined);
      assert.deepEqual(await keysOf(store, ''), ['d/two']);
      assert.equal(await store.write('d/one', bodyOf('again')), 'created');
    },
  },
];

function clientOf(clients: readonly BlobStore[], n: number): BlobStore {
  const client = clients[n % clients.length];
  assert.ok(client);
  return client;
}
