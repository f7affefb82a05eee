import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'vitest';
import { createMemoryBlobStore } from '../blob/memory.ts';
import { digestOf } from '../digest.ts';
import { createBlobContentStore } from './blob-content-store.ts';
import { CHUNKER } from './chunker.ts';
import { takeHands } from './pipeline-hands.ts';

test('threads that an upload has left are taken by the next, and those it left with blocks in use are not', async () => {
  const first = await takeHands(2, CHUNKER);
  await first.done(false);
  const second = await takeHands(2, CHUNKER);
  assert.equal(second.engine, first.engine);
  const block = await second.blocks.acquire();
  await second.done(false);
  block.release();
  const third = await takeHands(2, CHUNKER);
  assert.notEqual(third.engine, first.engine);
  await third.done(true);
});

test('uploads one after another and at once, whole and given up, store what they should', async () => {
  const contents = createBlobContentStore(createMemoryBlobStore());
  const bytes = randomBytes(17 * 1024 * 1024);
  const digest = digestOf(bytes);
  const put = async (n: number): Promise<string> => {
    await using upload = await contents.openUpload({ keptAs: { kind: 'oci', id: `u${n}`, owner: 'test' } });
    const open = async function* () {
      yield bytes;
    };
    const done = await upload.put({ role: 'file', path: 'blob', sizeBytes: bytes.byteLength, open });
    if (n % 2 === 0) await upload.seal();
    return done.digest;
  };
  for (const n of [1, 2, 3]) assert.equal(await put(n), digest);
  assert.deepEqual(await Promise.all([4, 5, 6].map(put)), [digest, digest, digest]);
  assert.equal(await put(8), digest);
});

test('an upload that is ended twice does not end the threads that the next one has taken', async () => {
  const contents = createBlobContentStore(createMemoryBlobStore());
  const bytes = randomBytes(17 * 1024 * 1024);
  const content = (open: () => AsyncIterable<Uint8Array>) =>
    ({ role: 'file', path: 'blob', sizeBytes: bytes.byteLength, open }) as const;
  const first = await contents.openUpload({ keptAs: { kind: 'oci', id: 'first', owner: 'test' } });
  await first.put(
    content(async function* () {
      yield bytes;
    }),
  );
  await first.seal();
  await first[Symbol.asyncDispose]();
  await using second = await contents.openUpload({ keptAs: { kind: 'oci', id: 'second', owner: 'test' } });
  const put = second.put(
    content(async function* () {
      yield bytes.subarray(0, 4 * 1024 * 1024);
      await first[Symbol.asyncDispose]();
      yield bytes.subarray(4 * 1024 * 1024);
    }),
  );
  assert.equal((await put).digest, digestOf(bytes));
});
