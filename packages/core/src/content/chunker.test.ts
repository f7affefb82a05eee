import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import type { JsonObject } from '../json.ts';
import { CHUNKER, type ChunkerParameters, chunkerJson, createChunker, parseChunker } from './chunker.ts';
import { createGearScan, GEAR } from './chunker-gear.ts';
import { createGearMemory, createWasmScan, GEAR_BYTES } from './chunker-wasm.ts';
import { noise } from './conformance.ts';

const shared = createGearMemory(128);
const arena = new Uint8Array(shared.memory.buffer, GEAR_BYTES);
const SMALL: ChunkerParameters = { minBytes: 1024, maxBytes: 8192, threshold: 2 ** 22 };

/** The rule as docs/format.md says it, byte by byte. */
function cutsByRule(bytes: Uint8Array, { minBytes, maxBytes, threshold }: ChunkerParameters): number[] {
  const cuts: number[] = [];
  for (let start = 0; start < bytes.length; ) {
    let end = bytes.length;
    for (let at = start + minBytes; at < Math.min(bytes.length, start + maxBytes); at += 1) {
      let hash = 0;
      for (let n = at - 31; n <= at; n += 1) hash = (Math.imul(hash, 2) + (GEAR[bytes[n] ?? 0] ?? 0)) >>> 0;
      if (hash >= threshold && at + 1 - start < maxBytes) continue;
      end = at + 1;
      break;
    }
    cuts.push(end);
    start = end;
  }
  return cuts;
}

/** The cuts when the bytes come in blocks of these sizes, in turn. */
function cutsOf(
  bytes: Uint8Array,
  parameters: ChunkerParameters,
  how: 'wasm' | 'plain',
  blocks: readonly number[] = [bytes.length],
): number[] {
  if (how === 'wasm') arena.set(bytes);
  const scan = how === 'wasm' ? createWasmScan(shared) : createGearScan(bytes);
  const shift = how === 'wasm' ? GEAR_BYTES : 0;
  const chunker = createChunker(scan, parameters);
  const cuts: number[] = [];
  chunker.begin();
  for (let from = 0, n = 0; from < bytes.length; n += 1) {
    const to = Math.min(bytes.length, from + (blocks[n % blocks.length] ?? 1));
    for (let at = from; at < to; ) {
      const cut = chunker.next(at + shift, to + shift);
      if (cut < 0) break;
      at = cut - shift;
      cuts.push(at);
    }
    from = to;
  }
  return cuts.at(-1) === bytes.length || bytes.length === 0 ? cuts : [...cuts, bytes.length];
}

describe('the chunker', () => {
  test('cuts where the rule says, in WebAssembly and without, however the bytes are divided into blocks', () => {
    const blocks = fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.nat(100_000), fc.nat(1000), blocks, (length, seed, sizes) => {
        const bytes = noise(length, seed);
        const wanted = cutsByRule(bytes, SMALL);
        assert.deepEqual(cutsOf(bytes, SMALL, 'plain', sizes), wanted);
        assert.deepEqual(cutsOf(bytes, SMALL, 'wasm', sizes), wanted);
      }),
      { numRuns: 40 },
    );
  });

  test('makes pieces of 64 KiB on average, none out of its bounds but the last', () => {
    const bytes = noise(8_000_000, 11);
    const cuts = cutsOf(bytes, CHUNKER, 'wasm');
    const lengths = cuts.map((cut, n) => cut - (cuts[n - 1] ?? 0)).slice(0, -1);
    const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
    assert.ok(mean > 55_000 && mean < 75_000, `${mean}`);
    assert.ok(lengths.every((length) => length > CHUNKER.minBytes && length <= CHUNKER.maxBytes));
  });

  test('finds its old cuts again behind any edit', () => {
    const before = noise(3_000_000, 5);
    const edits = fc.record({
      at: fc.integer({ min: 0, max: 2_000_000 }),
      removed: fc.nat(20_000),
      inserted: fc.nat(20_000),
      seed: fc.nat(),
    });
    const old = cutsOf(before, CHUNKER, 'wasm');
    fc.assert(
      fc.property(edits, ({ at, removed, inserted, seed }) => {
        const parts = [before.subarray(0, at), noise(inserted, seed), before.subarray(at + removed)];
        const moved = cutsOf(Buffer.concat(parts), CHUNKER, 'wasm').map((cut) => cut - inserted + removed);
        const again = new Set(moved);
        const lost = old.filter((cut) => cut > at + removed && !again.has(cut));
        assert.ok(lost.length < 12, `${lost.length} cuts lost`);
        assert.deepEqual(
          old.filter((cut) => cut <= at),
          moved.map((cut) => cut + inserted - removed).filter((cut) => cut <= at),
        );
      }),
      { numRuns: 25 },
    );
  });

  test('leaves a run of one byte in the longest pieces, whichever it is', () => {
    for (let byte = 0; byte < 256; byte += 1) {
      const bytes = Buffer.alloc(300_000, byte);
      assert.deepEqual(cutsOf(bytes, CHUNKER, 'wasm'), [262_144, 300_000], `${byte}`);
    }
  });

  test('keeps the gear table of the format', () => {
    assert.deepEqual([...GEAR.subarray(0, 3), GEAR[255]], [2_161_512_749, 2_115_289_121, 1_105_665_150, 1_098_703_102]);
  });

  test('reads its parameters from a store, and falls back to those of new stores', () => {
    assert.deepEqual(parseChunker(chunkerJson(SMALL)), SMALL);
    assert.deepEqual(parseChunker({ algorithm: 'whole-file' }), CHUNKER);
    const damaged: JsonObject[] = [{ minBytes: 0 }, { maxBytes: 2 ** 30 }, { threshold: 'x' }, { maxBytes: 1024 }];
    for (const wrong of damaged) assert.deepEqual(parseChunker({ ...chunkerJson(SMALL), ...wrong }), CHUNKER);
  });
});
