import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, test } from 'vitest';
import type { BlobStore } from '../blob/blob-store.ts';
import { createLocalBlobStore } from '../blob/local.ts';
import { createMemoryBlobStore } from '../blob/memory.ts';
import type { Digest } from '../digest.ts';
import { createBlobContentStore } from './blob-content-store.ts';
import type { Coding } from './coding.ts';
import type { Recipe } from './content-store.ts';
import { LentReader } from './lent-reader.ts';

const SIZE = 9_000_000;
/** Weights, which can be coded, and then bytes which cannot. */
const BYTES = Buffer.concat([weights(6_000_000), randomBytes(SIZE - 6_000_000)]);
let directory = '';

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ingot-lent-'));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

function weights(sizeBytes: number): Buffer {
  return Buffer.from(Float32Array.from({ length: sizeBytes / 4 }, () => (Math.random() - 0.5) / 10).buffer);
}

async function stored(
  blobs: BlobStore,
  coding?: Coding,
): Promise<{ readonly recipe: Recipe; readonly digest: Digest }> {
  const contents = createBlobContentStore(blobs, { packBytes: 3_000_000, ...(coding && { coding }) });
  await using upload = await contents.openUpload({ keptAs: { kind: 'oci', id: 'a', owner: 'test' } });
  const sizeBytes = SIZE;
  const { digest } = await upload.put({
    role: 'file',
    path: 'blob',
    sizeBytes,
    open: async function* () {
      yield BYTES;
    },
  });
  const { recipe } = await upload.seal();
  await upload.release();
  return { recipe: await contents.openRecipe(recipe), digest };
}

/** What is lent is copied at once: it holds only until the next is asked for. */
async function taken(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of bytes) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

for (const name of ['a disk', 'coded files', 'memory'])
  test(`any range of a content in ${name} is lent as it is`, async () => {
    const blobs = name === 'memory' ? createMemoryBlobStore() : createLocalBlobStore(join(directory, name));
    const { recipe, digest } = await stored(blobs, name === 'coded files' ? 'planes4-deflate' : undefined);
    const reader = new LentReader(blobs);
    for (const [start, end] of [
      [0, SIZE],
      [0, SIZE],
      [5, 6],
      [0, 0],
      [4_123_456, 8_765_432],
      [SIZE - 1, SIZE],
    ] as const) {
      const got = await taken(reader.read(recipe, digest, { range: { start, end } }));
      assert(got.equals(BYTES.subarray(start, end)), `${start} to ${end}`);
    }
  });

test('bytes that somebody changes are noticed, also when they were found right before', async () => {
  const blobs = createLocalBlobStore(join(directory, 'changed'));
  const { recipe, digest } = await stored(blobs);
  const reader = new LentReader(blobs);
  const read = () => taken(reader.read(recipe, digest, { range: { start: 0, end: SIZE } }));
  await read();
  const [upload = ''] = await readdir(join(directory, 'changed/packs'));
  const file = await open(join(directory, 'changed/packs', upload, '1.pack'), 'r+');
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 500_000);
  await file.write(
    buffer.map((byte) => byte ^ 1),
    0,
    1,
    500_000,
  );
  await file.close();
  await assert.rejects(read(), { code: 'integrity' });
});

test('what was found right is hashed again after an hour', async () => {
  const blobs = createLocalBlobStore(join(directory, 'later'));
  const { recipe, digest } = await stored(blobs);
  let time = Date.now() + 1000;
  const reader = new LentReader(blobs, { now: () => time });
  const read = () => taken(reader.read(recipe, digest, { range: { start: 0, end: SIZE } }));
  await read();
  // As a disk that forgets: the file is another, and nobody wrote to it since the reader looked.
  const [upload = ''] = await readdir(join(directory, 'later/packs'));
  const file = await open(join(directory, 'later/packs', upload, '1.pack'), 'r+');
  await file.write(randomBytes(64), 0, 64, 500_000);
  await file.close();
  assert.equal((await read()).byteLength, SIZE);
  time += 3_600_000;
  await assert.rejects(read(), { code: 'integrity' });
});

test('a pack that is gone is told of by its name', async () => {
  const blobs = createLocalBlobStore(join(directory, 'gone'));
  const { recipe, digest } = await stored(blobs);
  for (const pack of recipe.packs.slice(0, 1)) await blobs.delete(`packs/${pack}.pack`);
  const reading = taken(new LentReader(blobs).read(recipe, digest, { range: { start: 0, end: SIZE } }));
  await assert.rejects(reading, { code: 'content-not-found' });
});
