import { expect, test } from 'vitest';
import { capturedSections } from './captured-sections.ts';
import { visibleLength } from './table.ts';
import type { Output } from './terminal.ts';
import picocolors from 'picocolors';

const output = (columns: number): Output => ({
  write: () => {},
  isTerminal: true,
  columns,
  colors: picocolors.createColors(false),
});
const captured = {
  profile: {
    rows: 2000,
    columns: 3,
    features: [
      {
        name: 'age',
        dtype: 'int64',
        missing: 0.25,
        distinct: 72,
        quantiles: [21, 37, 55, 72, 86],
        edges: [20, 40, 80],
        counts: [100, 900, 900, 100],
      },
      {
        name: 'plan',
        dtype: 'category',
        missing: 0,
        distinct: 3,
        values: [['pro', 1500] as const, ['free', 490] as const],
        other: 10,
      },
      { name: 'since', dtype: 'datetime64[ns]', quantiles: [0, 1, 2, 3, 4] },
    ],
    target: [{ name: 'churned', dtype: 'bool', values: [[true, 2000] as const], other: 0 }],
  },
  example: { inputs: [{ age: 41 }], predictions: [1] },
};

test('distributions, missing values and the example are told', () => {
  const [data = '', example = ''] = capturedSections(captured, output(120));
  expect(data).toContain('TRAINING DATA  2000 rows, 3 columns');
  expect(data).toMatch(/age +int64 +25 % +72 +███▆▅▅▅▅▅▅ +5 % 21, median 55, 95 % 86/);
  expect(data).toMatch(/plan .*pro 75 %, free 25 %, …/);
  expect(data).toMatch(/since .*5 % 1970-01-01, median 1970-01-03/);
  expect(data).toMatch(/y +churned .*true 100 %/);
  expect(example).toBe('EXAMPLE\ninput   {"age":41}\nanswer  1\n');
});

test('no line is wider than the terminal', () => {
  const lines = capturedSections(captured, output(50)).join('').split('\n');
  expect(Math.max(...lines.map(visibleLength))).toBeLessThanOrEqual(50);
});

test('a version of which nothing was captured has no such section', () => {
  expect(capturedSections(null, output(80))).toEqual([]);
  expect(capturedSections({}, output(80))).toEqual([]);
});
