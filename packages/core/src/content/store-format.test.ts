import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { bodyOf, readIfPresent } from '../blob/bytes.ts';
import { failsWith } from '../blob/conformance/case.ts';
import { createMemoryBlobStore } from '../blob/memory.ts';
import { canonicalJson } from '../json.ts';
import { checkWritable, createStore, openStore } from './store-format.ts';

const VALID = {
  chunker: {},
  created: '2026-01-01T00:00:00.000Z',
  format: 1,
  governed: false,
  id: '0'.repeat(32),
  sealed: false,
};

describe('a store', () => {
  test('is made once, and of ten makers at once all get the same', async () => {
    const blobs = createMemoryBlobStore();
    const made = await Promise.all(Array.from({ length: 10 }, () => createStore(blobs)));
    assert.equal(new Set(made.map(({ id }) => id)).size, 1);
    assert.deepEqual(await openStore(blobs), made[0]);
  });

  test('says exactly what its file says', async () => {
    const blobs = createMemoryBlobStore();
    await createStore(blobs, { now: () => new Date(0), randomId: () => 'ab'.repeat(16) });
    assert.equal(
      String(await readIfPresent(blobs, 'ingot.json')),
      '{"chunker":{"algorithm":"ingot-gear-1","maxBytes":262144,"minBytes":32768,"threshold":131072},"created":"1970-01-01T00:00:00.000Z","format":1,"governed":false,"id":"abababababababababababababababab","sealed":false,"sum":"sha256:ea02cd0edfa0f74a262dddc0e4dfe2539db82065b5bf1fba8e54ae3285b7747f"}\n',
    );
  });

  test('is made where another writer has just left a canary, which is no file of somebody else', async () => {
    const blobs = createMemoryBlobStore();
    await blobs.write('changes/probe/0123/first', bodyOf('canary'));
    assert.equal((await createStore(blobs)).format, 1);
    const foreign = createMemoryBlobStore();
    await foreign.write('changes/probe/0123/first', bodyOf('canary'));
    await foreign.write('photos/cat.jpg', bodyOf('meow'));
    await failsWith(() => createStore(foreign), 'conflict');
  });

  test('that is not there is store-not-found and is not made by opening it', async () => {
    const blobs = createMemoryBlobStore();
    await failsWith(() => openStore(blobs), 'store-not-found');
    assert.equal(await blobs.stat('ingot.json'), undefined);
  });

  test('is not made among other files', async () => {
    const blobs = createMemoryBlobStore();
    await blobs.write('src/main.py', bodyOf('x'));
    await failsWith(() => createStore(blobs), 'conflict');
    await failsWith(() => openStore(blobs), 'store-not-found');
  });

  for (const [what, change, code] of [
    ['of a newer format is refused', { format: 2 }, 'refused'],
    ['that is sealed is refused', { sealed: true }, 'refused'],
    ['with a damaged id is integrity', { id: 'no' }, 'integrity'],
    ['without a chunker is integrity', { chunker: undefined }, 'integrity'],
  ] as const) {
    test(what, async () => {
      const blobs = createMemoryBlobStore();
      await blobs.write('ingot.json', bodyOf(canonicalJson({ ...VALID, ...change })));
      await failsWith(() => openStore(blobs), code);
      await failsWith(() => createStore(blobs), code);
    });
  }

  test('whose file is no JSON is integrity', async () => {
    const blobs = createMemoryBlobStore();
    await blobs.write('ingot.json', bodyOf('{'));
    await failsWith(() => openStore(blobs), 'integrity');
  });

  for (const key of ['models/churn-0123456789abcdef/log/0000000001.json', 'packs/0a/0.pack']) {
    test(`whose file is gone while ${key} is there is integrity, and is not made anew`, async () => {
      const blobs = createMemoryBlobStore();
      await blobs.write(key, bodyOf('{}'));
      await failsWith(() => openStore(blobs), 'integrity');
      await failsWith(() => createStore(blobs), 'integrity');
    });
  }

  test('that follows another or is governed is not written to', async () => {
    const format = { ...VALID, sealed: false };
    assert.throws(() => checkWritable({ ...format, follows: 's3://models' }, 'here'), /mirror of s3:\/\/models/);
    assert.throws(() => checkWritable({ ...format, governed: true }, 'here'), /governed/);
    checkWritable(format, 'here');
  });
});
