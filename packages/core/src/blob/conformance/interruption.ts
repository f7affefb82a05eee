import assert from 'node:assert/strict';
import { bodyOf, collect } from '../bytes.ts';
import { type BlobStoreCase, failsWith, keysOf } from './case.ts';

/** Stopping what is under way. */
export const INTERRUPTION_CASES: readonly BlobStoreCase[] = [
  {
    name: 'no operation starts once the signal has fired',
    run: async (subject) => {
      const store = await subject.open();
      await store.write('there', bodyOf('x'));
      const options = { signal: AbortSignal.abort() };
      await failsWith(() => store.write('new', bodyOf('x'), options), 'interrupted');
      await failsWith(() => store.stat('there', options), 'interrupted');
      await failsWith(() => store.delete('there', options), 'interrupted');
      await failsWith(() => collect(store.read('there', options)), 'interrupted');
      await failsWith(async () => {
        for await (const _ of store.list('', options)) assert.fail('listed in spite of the signal');
      }, 'interrupted');
      assert.deepEqual(await keysOf(store, ''), ['there']);
    },
  },
  {
    name: 'a write that is interrupted half-way leaves nothing and can be repeated',
    run: async (subject) => {
      const store = await subject.open();
      const controller = new AbortController();
      const body = {
        sizeBytes: 3_000_000,
        open: async function* () {
          yield Buffer.alloc(1_000_000);
          controller.abort();
          yield Buffer.alloc(1_000_000);
          yield Buffer.alloc(1_000_000);
        },
      };
      await failsWith(() => store.write('key', body, { signal: controller.signal }), 'interrupted');
      assert.deepEqual(await keysOf(store, ''), []);
      assert.equal(await store.write('key', bodyOf('whole')), 'created');
    },
  },
  {
    name: 'a read that is interrupted half-way stops',
    run: async (subject) => {
      const store = await subject.open();
      await store.write('big', bodyOf(Buffer.alloc(8 * 1024 * 1024)));
      const controller = new AbortController();
      await failsWith(async () => {
        for await (const _ of store.read('big', { signal: controller.signal })) controller.abort();
      }, 'interrupted');
    },
  },
  {
    name: 'a listing that is interrupted half-way stops',
    run: async (subject) => {
      const store = await subject.open();
      await Promise.all(Array.from({ length: 200 }, (_, n) => store.write(`many/${n}/blob`, bodyOf('x'))));
      const controller = new AbortController();
      await failsWith(async () => {
        for await (const _ of store.list('many/', { signal: controller.signal })) controller.abort();
      }, 'interrupted');
    },
  },
];
