import type { Capture } from '@ingot/core/capture';
import type { FeatureProfile } from '@ingot/core/profile';
import { expect, test } from 'vitest';
import { compareData } from './compare-profiles.ts';

const captured = (features: FeatureProfile[], rows = 10_000): Capture => ({
  profile: { rows, columns: features.length, features },
  lineage: { data: [{ name: 'X', digest: `sha256:${rows}`, rows }] },
});
const evenly = (from: number, to: number): FeatureProfile => ({
  name: 'age',
  missing: 0,
  edges: Array.from({ length: 19 }, (_, at) => from + ((to - from) * (at + 1)) / 20),
  counts: Array.from({ length: 20 }, () => 500),
});
const drift = (a: FeatureProfile, b: FeatureProfile, rows?: number) =>
  compareData(captured([a], rows), captured([b], rows))?.features[a.name];

test('the same distribution has no drift, though it was cut at other edges', () => {
  expect(drift(evenly(0, 100), evenly(0, 100))).toEqual({ psi: 0, level: 'same', missing: { a: 0, b: 0 } });
  expect(drift(evenly(0, 100), evenly(0.7, 100.4))?.level).toBe('same');
});

test('a distribution that lies elsewhere is shifted, one a little wider moved', () => {
  expect(drift(evenly(0, 100), evenly(60, 160))).toMatchObject({ level: 'shifted' });
  expect(drift(evenly(0, 100), evenly(0, 125))?.level).toBe('moved');
});

test('values are compared by name, rare ones together, and missing ones too', () => {
  const plan = (free: number, pro: number, missing = 0): FeatureProfile => ({
    name: 'plan',
    missing,
    values: [
      ['free', free],
      ['pro', pro],
    ],
    other: 10,
  });
  expect(drift(plan(500, 500), plan(510, 490))?.level).toBe('same');
  expect(drift(plan(900, 100), plan(400, 600))?.level).toBe('shifted');
  expect(drift(plan(500, 500), plan(500, 500, 0.4))).toMatchObject({ level: 'shifted', missing: { a: 0, b: 0.4 } });
});

test('what samples of few rows differ by is taken as chance', () => {
  const values = (a: number, b: number): FeatureProfile => ({
    name: 'x',
    values: [
      ['a', a],
      ['b', b],
    ],
    other: 0,
  });
  expect(drift(values(12, 18), values(18, 12), 30)?.level).toBe('same');
  expect(drift(values(1200, 1800), values(1800, 1200), 3000)?.level).toBe('moved');
});

test('columns that cannot be compared are left out, and without data there is nothing to say', () => {
  expect(
    drift({ name: 'a', edges: [1], counts: [10, 10] }, { name: 'a', values: [[1, 20]], other: 0 }),
  ).toBeUndefined();
  expect(compareData(null, {})).toBeNull();
  expect(compareData(captured([]), captured([]))).toEqual({
    same: true,
    rows: { a: 10_000, b: 10_000 },
    features: {},
    target: {},
  });
});
