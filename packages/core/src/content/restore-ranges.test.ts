import { expect, test } from 'vitest';
import { digestOf } from '../digest.ts';
import type { Piece } from './recipe.ts';
import { type PackRange, RangePlanner } from './restore-ranges.ts';

const piece = (pack: string, offset: number, length: number): Piece => ({
  digest: digestOf('x'),
  pack,
  offset,
  length,
});

/** Plans the pieces of one file, one after another. */
function plan(pieces: readonly Piece[], limits = {}, held = false): PackRange<string>[] {
  const planner = new RangePlanner<string>(limits);
  let at = 0;
  const ranges = pieces.flatMap((each) => {
    const before = at;
    at += each.sizeBytes ?? each.length;
    return planner.add('f', before, each, held);
  });
  return [...ranges, ...planner.finish()];
}

const spans = (ranges: readonly PackRange<string>[]) => ranges.map(({ pack, start, end }) => [pack, start, end]);

test('neighbours in a pack are one range, and one part where they are neighbours in the file too', () => {
  const ranges = plan(Array.from({ length: 100 }, (_, n) => piece('a/0', n * 10, 10)));
  expect(ranges).toEqual([
    { pack: 'a/0', start: 0, end: 1000, held: false, parts: [{ file: 'f', at: 0, offset: 0, length: 1000 }] },
  ]);
});

test('pieces that a new version scattered over a file come with one range', () => {
  const pieces = Array.from({ length: 50 }, (_, n) => [
    piece('old/0', n * 1000, 900),
    piece('new/0', n * 100, 100),
  ]).flat();
  const ranges = plan(pieces, { gapBytes: 0 });
  expect(ranges.filter(({ pack }) => pack === 'new/0')).toMatchObject([{ start: 0, end: 5000 }]);
  expect(ranges.filter(({ pack }) => pack === 'old/0')).toHaveLength(50);
});

test('a small gap is read over, a large one is not', () => {
  expect(spans(plan([piece('a/0', 0, 10), piece('a/0', 30, 10)], { gapBytes: 20 }))).toEqual([['a/0', 0, 40]]);
  expect(spans(plan([piece('a/0', 0, 10), piece('a/0', 31, 10)], { gapBytes: 20 }))).toEqual([
    ['a/0', 0, 10],
    ['a/0', 31, 41],
  ]);
});

test('a piece larger than a range is asked for in several that meet without gap or overlap', () => {
  const ranges = plan([piece('a/0', 5, 95), piece('a/0', 100, 250), piece('a/0', 350, 10)], { streamBytes: 100 });
  expect(spans(ranges)).toEqual([
    ['a/0', 5, 105],
    ['a/0', 105, 205],
    ['a/0', 205, 305],
    ['a/0', 305, 360],
  ]);
  expect(ranges.flatMap(({ parts }) => parts).map(({ at, length }) => [at, length])).toEqual([
    [0, 100],
    [100, 100],
    [200, 100],
    [300, 55],
  ]);
});

test('one piece many times in a row is asked for once', () => {
  const [range, ...others] = plan(Array.from({ length: 1000 }, () => piece('a/0', 64, 32)));
  expect(others).toEqual([]);
  expect([range?.start, range?.end, range?.parts.length]).toEqual([64, 96, 1000]);
});

test('coded pieces and small files are held, and their ranges stay small', () => {
  const coded = { ...piece('a/0', 0, 30), coding: 'planes4-deflate', sizeBytes: 64 };
  expect(plan([coded, { ...coded, offset: 30 }])).toMatchObject([
    { held: true, parts: [{ at: 0 }, { at: 64, sizeBytes: 64 }] },
  ]);
  expect(spans(plan([piece('a/0', 0, 60), piece('a/0', 60, 60)], { heldBytes: 100 }, true))).toEqual([
    ['a/0', 0, 60],
    ['a/0', 60, 120],
  ]);
});

test('a range does not wait for ever for neighbours', () => {
  const planner = new RangePlanner<string>({ patienceBytes: 1000 });
  expect(planner.add('f', 0, piece('new/0', 0, 10), false)).toEqual([]);
  const finished = Array.from({ length: 10 }, (_, n) =>
    planner.add('f', 10 + n * 100, piece('old/0', n * 500_000, 100), false),
  );
  expect(finished.flat().map(({ pack }) => pack)).toContain('new/0');
});
