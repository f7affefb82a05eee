import { expect, test } from 'vitest';
import { digestOf } from '../digest.ts';
import { PieceTable } from './piece-table.ts';

test('what was added is found where it was added first, and nothing else is', () => {
  const table = new PieceTable();
  for (let n = 0; n < 5000; n += 1) table.add(digestOf(`${n}`), n % 7, n * 10_000_000_000);
  table.add(digestOf('17'), 99, 99);
  for (let n = 0; n < 5000; n += 1)
    expect(table.find(digestOf(`${n}`))).toEqual({ file: n % 7, offset: n * 10_000_000_000 });
  expect(table.find(digestOf('another'))).toBeUndefined();
});
