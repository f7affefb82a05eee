import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { isIngotError } from '../errors.ts';
import { decodePiece, encodePiece } from './coding.ts';
import { noise } from './conformance.ts';
import { weights } from './testing/weights.ts';

const CODING = 'planes4-deflate';

describe('planes4-deflate', () => {
  test('gives back every piece it codes, wherever the floats begin in it', () => {
    const floats = weights(200_000, 7);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 8192, max: 150_000 }), (start, length) => {
        const bytes = floats.subarray(start, start + length);
        const coded = encodePiece(bytes)?.bytes;
        assert.ok(coded !== undefined && coded.byteLength < 0.9 * length);
        assert.deepEqual(Buffer.from(decodePiece(CODING, coded, length)), Buffer.from(bytes));
      }),
      { numRuns: 30 },
    );
  });

  test('stores float32 weights in at most 0.87 of their bytes', () => {
    const floats = weights(65_536, 1);
    assert.ok((encodePiece(floats)?.bytes.byteLength ?? Number.POSITIVE_INFINITY) <= 0.87 * floats.byteLength);
  });

  test('leaves alone what would hardly become smaller, and what is small', () => {
    assert.equal(encodePiece(noise(65_536, 3)), undefined);
    assert.equal(encodePiece(weights(4096, 3)), undefined);
  });

  test('of other bytes than were written is integrity, never a crash or a flood', () => {
    const floats = weights(20_000, 2);
    const coded = encodePiece(floats)?.bytes;
    assert.ok(coded);
    fc.assert(
      fc.property(fc.nat(coded.byteLength - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const wrong = Uint8Array.from(coded);
        wrong[at] = (wrong[at] ?? 0) ^ flip;
        // Some bits say nothing, and a digest tells all others from what was written.
        try {
          assert.equal(decodePiece(CODING, wrong, 20_000).byteLength, 20_000);
        } catch (error) {
          assert.ok(isIngotError(error, 'integrity'), String(error));
        }
      }),
    );
    for (const length of [0, 10, 19, coded.byteLength - 1]) {
      assert.throws(() => decodePiece(CODING, coded.subarray(0, length), 20_000), /coding says/);
    }
    for (const sizeBytes of [0, 19_999, 20_001, 2 ** 40]) {
      assert.throws(() => decodePiece(CODING, coded, sizeBytes), /coding says/);
    }
  });

  test('of a later release is refused, naming what this one reads', () => {
    assert.throws(
      () => decodePiece('zstd', new Uint8Array(30), 4),
      (error) => isIngotError(error, 'refused') && /zstd.*planes4-deflate/.test(error.message),
    );
  });
});
