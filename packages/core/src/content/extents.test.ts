import { expect, test } from 'vitest';
import { Extents } from './extents.ts';

test('ranges that touch or overlap become one, whatever their order', () => {
  const extents = new Extents();
  extents.add(10, 20);
  extents.add(30, 40);
  expect(extents.prefix).toBe(0);
  extents.add(0, 10);
  expect(extents.prefix).toBe(20);
  extents.add(15, 35);
  expect([extents.prefix, extents.sizeBytes]).toEqual([40, 40]);
  expect([extents.has(0, 40), extents.has(39, 41), extents.has(5, 5)]).toEqual([true, false, true]);
});

test('a thousand ranges in any order add up to the whole', () => {
  const extents = new Extents();
  const order = Array.from({ length: 1000 }, (_, n) => (n * 617) % 1000);
  for (const n of order.slice(0, 999)) extents.add(n * 7, n * 7 + 7);
  expect(extents.has(0, 7000)).toBe(false);
  expect(extents.sizeBytes).toBe(999 * 7);
  for (const n of order.slice(999)) extents.add(n * 7, n * 7 + 7);
  expect([extents.prefix, extents.has(0, 7000)]).toEqual([7000, true]);
});
