import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { BlobStore } from '../blob/blob-store.ts';
import { bodyOf, collect } from '../blob/bytes.ts';
import { createMemoryBlobStore } from '../blob/memory.ts';
import { digestOf } from '../digest.ts';
import { noise } from './conformance.ts';
import { packKey } from './locator.ts';
import { readPieces } from './read-pieces.ts';
import type { Piece } from './recipe.ts';
import { writeMoved } from './sweep/moved.ts';

const SMALL = 1000;
const LARGE = 8 * 1024 * 1024 + 1;

/** A store in which a pack that was moved to `b/0` is moved on to `c/0` just when a reader has found it there. */
async function movingStore(bytes: Uint8Array): Promise<BlobStore> {
  const blobs = createMemoryBlobStore();
  const range = { offset: 0, length: bytes.byteLength, newOffset: 0 };
  await blobs.write(packKey('b/0'), bodyOf(bytes));
  await writeMoved(blobs, 'a/0', [{ ...range, pack: 'b/0' }]);
  return {
    ...blobs,
    stat: async (key) => {
      const found = await blobs.stat(key);
      if (key !== packKey('b/0')) return found;
      await blobs.write(packKey('c/0'), bodyOf(bytes));
      await writeMoved(blobs, 'b/0', [{ ...range, pack: 'c/0' }]);
      await blobs.delete(packKey('b/0'));
      return found;
    },
  };
}

async function* pageOf(piece: Piece): AsyncGenerator<readonly Piece[]> {
  yield [piece];
}

describe('pieces of a pack that is gone', () => {
  test.each([SMALL, LARGE])(
    'are read where they were moved to, also when they move on meanwhile: %i bytes',
    async (n) => {
      const bytes = noise(n, 1);
      const piece = { digest: digestOf(bytes), pack: 'a/0', offset: 0, length: n };
      const read = await collect(readPieces(await movingStore(bytes), pageOf(piece), 'model.pkl', {}));
      assert.ok(read.equals(bytes));
    },
  );

  test.each([SMALL, LARGE])('that nobody has moved are lost, and their content is named: %i bytes', async (n) => {
    const piece = { digest: digestOf('gone'), pack: 'a/0', offset: 0, length: n };
    const reading = collect(readPieces(createMemoryBlobStore(), pageOf(piece), 'model.pkl', {}));
    await assert.rejects(reading, { code: 'content-not-found', message: /model\.pkl is lost: its pack a\/0/ });
  });
});
