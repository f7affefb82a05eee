import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { bodyOf } from '../bytes.ts';
import { bodySaying, failsWith } from '../conformance/case.ts';
import { BodyFailure, partsOf, slicesOf, wholeOf } from './body.ts';
import { CallWatch } from './watch.ts';

const watching = (signal?: AbortSignal) =>
  new CallWatch({ operation: 'blob.write', address: 'test:', signal, silenceMs: 60_000 });

describe('a body cut into parts', () => {
  test('keeps its bytes, and all parts but the last have the size that was asked', async () => {
    const sizes = fc.array(fc.nat({ max: 40 }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 1, max: 50 }), async (pieceSizes, partBytes) => {
        const pieces = pieceSizes.map((size, n) => Buffer.alloc(size, n + 1));
        const whole = Buffer.concat(pieces);
        using watch = watching();
        const parts: Buffer[] = [];
        for await (const part of partsOf('key', bodySaying(whole.byteLength, pieces), partBytes, watch)) {
          assert.equal(
            part.start,
            parts.reduce((sum, { byteLength }) => sum + byteLength, 0),
          );
          parts.push(Buffer.concat(part.pieces));
        }
        assert.ok(Buffer.concat(parts).equals(whole));
        assert.ok(parts.length >= 1);
        for (const [n, part] of parts.entries()) {
          if (n < parts.length - 1) assert.equal(part.byteLength, partBytes);
          else assert.ok(part.byteLength <= partBytes && (part.byteLength > 0 || whole.byteLength === 0));
        }
      }),
    );
  });

  test('never gives its last part when it is longer or shorter than it said', async () => {
    for (const said of [9, 11, 12]) {
      using watch = watching();
      let given = 0;
      await failsWith(async () => {
        for await (const part of partsOf('key', bodySaying(said, [Buffer.alloc(10)]), 5, watch))
          given += part.sizeBytes;
      }, 'integrity');
      assert.ok(given < said, `${given} of ${said}`);
    }
  });

  test('is closed when nobody wants more of it', async () => {
    let closed = false;
    const body = {
      sizeBytes: 20,
      open: async function* () {
        try {
          yield Buffer.alloc(10);
          yield Buffer.alloc(10);
        } finally {
          closed = true;
        }
      },
    };
    using watch = watching();
    for await (const _ of partsOf('key', body, 5, watch)) break;
    assert.ok(closed);
  });

  test('that fails is told apart from a storage that fails', async () => {
    const failure = new Error('the disk went away');
    const body = {
      sizeBytes: 2,
      // biome-ignore lint/correctness/useYield: it fails before.
      open: async function* () {
        throw failure;
      },
    };
    using watch = watching();
    await assert.rejects(
      wholeOf('key', body, watch),
      (error) => error instanceof BodyFailure && error.cause === failure,
    );
  });

  test('that hangs does not hold up who gives it up', async () => {
    const controller = new AbortController();
    const body = {
      sizeBytes: 2,
      open: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }),
    };
    using watch = watching(controller.signal);
    const whole = wholeOf('key', body, watch);
    controller.abort(new Error('enough'));
    await assert.rejects(whole, /enough/);
  });

  test('is handed to sockets in slices of a quarter of a mebibyte at most, and an empty one in none', async () => {
    using watch = watching();
    const { pieces } = await wholeOf('key', bodyOf(Buffer.alloc(700_000)), watch);
    assert.deepEqual(
      [...slicesOf(pieces)].map(({ byteLength }) => byteLength),
      [262_144, 262_144, 175_712],
    );
    assert.deepEqual([...slicesOf((await wholeOf('key', bodyOf(''), watch)).pieces)], []);
  });
});
