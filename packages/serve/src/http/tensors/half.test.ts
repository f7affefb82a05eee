import { expect, test } from 'vitest';
import { fromHalf, toHalf } from './half.ts';

test('every half-precision pattern survives a round trip through a number', () => {
  const lost = Array.from({ length: 0x10000 }, (_, pattern) => pattern).filter((pattern) => {
    const value = fromHalf(pattern);
    return Number.isNaN(value) ? !Number.isNaN(fromHalf(toHalf(value))) : toHalf(value) !== pattern;
  });
  expect(lost).toEqual([]);
});

test('a number between two halves goes to the nearer one, a tie to the even one', () => {
  expect(fromHalf(toHalf(0.1))).toBeCloseTo(0.1, 4);
  expect(fromHalf(toHalf(2049))).toBe(2048);
  expect(fromHalf(toHalf(2051))).toBe(2052);
  expect(fromHalf(toHalf(65519))).toBe(65504);
});

test('numbers outside the range become infinity or zero', () => {
  expect(fromHalf(toHalf(65520))).toBe(Number.POSITIVE_INFINITY);
  expect(fromHalf(toHalf(-1e9))).toBe(Number.NEGATIVE_INFINITY);
  expect(toHalf(1e-10)).toBe(0);
});
