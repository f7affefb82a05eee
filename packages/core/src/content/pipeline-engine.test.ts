import assert from 'node:assert/strict';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { digestOf } from '../digest.ts';
import { CHUNKER } from './chunker.ts';
import { decodePiece } from './coding.ts';
import { noise } from './conformance.ts';
import {
  BLOCK_BYTES,
  type Block,
  type Blocks,
  heapBlocks,
  type SharedBlocks,
  sharedBlocks,
} from './pipeline-blocks.ts';
import { createInlineEngine, type Engine, startThreadEngine } from './pipeline-engine.ts';
import type { Segment } from './pipeline-thread.ts';
import { weights } from './testing/weights.ts';

let threads: { readonly blocks: SharedBlocks; readonly engine: Engine };

beforeAll(async () => {
  const blocks = sharedBlocks(16);
  threads = { blocks, engine: await startThreadEngine(blocks.shared, CHUNKER) };
});
afterAll(() => threads.engine[Symbol.asyncDispose]());

interface Found {
  readonly pieces: readonly (readonly [length: number, digest: string])[];
  readonly contents: readonly string[];
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Sends contents through an engine, one directly after another. */
async function through(
  engine: Engine,
  blocks: Blocks,
  contents: readonly Uint8Array[],
  blockBytes: number,
): Promise<Found> {
  const work: Promise<void>[] = [];
  const pieces: (readonly [number, string])[] = [];
  const digests: string[] = [];
  let [block, filled, segments]: [Block, number, Segment[]] = [await blocks.acquire(), 0, []];
  let begun = 0;
  const submit = async () => {
    const [sent, from] = [block, segments];
    work.push(
      engine.submit(sent, from).then(({ cuts, contents: done }) => {
        let at = 0;
        for (const [n, end] of cuts.ends.entries()) {
          const within = from.find((segment) => end > segment.from && end <= segment.to);
          const start = Math.max(at, within?.from ?? 0);
          pieces.push([begun + end - start, hex(cuts.digests.subarray(n * 32, n * 32 + 32))]);
          [at, begun] = [end, 0];
        }
        const last = from.at(-1);
        if (last && !last.ends) begun += last.to - Math.max(at, last.from);
        for (let n = 0; n < done.length; n += 32) digests.push(hex(done.subarray(n, n + 32)));
        sent.release();
      }),
    );
    await Promise.all(work);
    [block, filled, segments] = [await blocks.acquire(), 0, []];
  };
  for (const content of contents) {
    for (let at = 0; at < content.byteLength; ) {
      if (filled === blockBytes) await submit();
      const part = content.subarray(at, at + blockBytes - filled);
      block.bytes.set(part, filled);
      const ends = at + part.byteLength === content.byteLength;
      const to = filled + part.byteLength;
      segments.push({ from: filled, to, begins: at === 0, ends, whole: false, digested: true });
      [filled, at] = [to, at + part.byteLength];
    }
  }
  await submit();
  block.release();
  return { pieces, contents: digests };
}

describe('the engines of a push', () => {
  test('find the same pieces and digests, in threads and without, in any blocks', async () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 400_000 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(lengths, fc.integer({ min: 3000, max: BLOCK_BYTES }), async (sizes, blockBytes) => {
        const contents = sizes.map((size, n) => noise(size, n + size));
        const plain = await through(createInlineEngine(CHUNKER), heapBlocks(4), contents, blockBytes);
        assert.deepEqual(await through(threads.engine, threads.blocks, contents, blockBytes), plain);
        assert.deepEqual(
          plain.contents,
          contents.map((content) => digestOf(content).slice(7)),
        );
        const whole = Buffer.concat(contents);
        let at = 0;
        for (const [length, digest] of plain.pieces) {
          assert.equal(digestOf(whole.subarray(at, at + length)), `sha256:${digest}`);
          at += length;
        }
        assert.equal(at, whole.byteLength);
      }),
      { numRuns: 15 },
    );
  });

  test('code the same pieces, which decode to what they were', async () => {
    const block = await threads.blocks.acquire();
    const floats = weights(100_000, 1);
    block.bytes.set(floats);
    block.bytes.set(noise(50_000, 1), 100_000);
    const pieces = [
      [
        { block, from: 0, to: 60_001 },
        { block, from: 60_001, to: 100_000 },
      ],
      [{ block, from: 100_000, to: 150_000 }],
    ];
    const [inThread, inline] = [await threads.engine.code(pieces), await createInlineEngine(CHUNKER).code(pieces)];
    block.release();
    assert.equal(inThread[1], undefined);
    assert.ok(inThread[0] && inline[0]);
    assert.deepEqual(Buffer.from(inThread[0].bytes), Buffer.from(inline[0].bytes));
    assert.deepEqual(Buffer.from(decodePiece(inThread[0].coding, inThread[0].bytes, 100_000)), Buffer.from(floats));
  });
});
