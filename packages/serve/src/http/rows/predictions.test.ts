import type { Tensor } from '@ingot/core/serving/tensor';
import type { Feature } from '@ingot/core/signature';
import { expect, test } from 'vitest';
import { predictionsToJson } from './predictions.ts';

const floats = (name: string, shape: readonly number[], ...values: number[]): Tensor => ({
  name,
  datatype: 'FP64',
  shape,
  data: Float64Array.from(values),
});
const whole = (name: string, ...values: bigint[]): Tensor => ({
  name,
  datatype: 'INT64',
  shape: [values.length],
  data: BigInt64Array.from(values),
});
const parse = (outputs: readonly Tensor[], rows: number, features: readonly Feature[] = []): unknown => {
  const { predictions, labels } = predictionsToJson(outputs, features, rows);
  return {
    predictions: JSON.parse(predictions) as unknown,
    ...(labels === undefined ? {} : { labels: JSON.parse(labels) as unknown }),
  };
};

test('one output gives a scalar a row, several give an object a row', () => {
  expect(parse([floats('p', [2], 0.1, 0.9)], 2)).toEqual({ predictions: [0.1, 0.9] });
  expect(parse([floats('p', [2], 0.1, 0.9), whole('n', 1n, 2n)], 2)).toEqual({
    predictions: [
      { p: 0.1, n: 1 },
      { p: 0.9, n: 2 },
    ],
  });
});

test('classes add labels beside the indices', () => {
  const features: readonly Feature[] = [{ name: 'n', type: 'integer', classes: ['no', 'yes'] }];
  expect(parse([whole('n', 1n, 0n, 7n)], 3, features)).toEqual({ predictions: [1, 0, 7], labels: ['yes', 'no', null] });
  expect(parse([whole('n', 1n), floats('p', [1], 0.5)], 1, features)).toEqual({
    predictions: [{ n: 1, p: 0.5 }],
    labels: [{ n: 'yes' }],
  });
});

test('a format says how to read a value and never rescales it', () => {
  expect(parse([floats('p', [1], 0.93)], 1, [{ name: 'p', type: 'float', format: 'percentage' }])).toEqual({
    predictions: [0.93],
  });
});

test('tensors are nested a row, column vectors are scalars', () => {
  expect(parse([floats('p', [2, 2], 1, 2, 3, 4)], 2)).toEqual({
    predictions: [
      [1, 2],
      [3, 4],
    ],
  });
  expect(parse([floats('p', [2, 1], 1, 2)], 2, [{ name: 'p', type: 'tensor', shape: [-1, 1] }])).toEqual({
    predictions: [1, 2],
  });
  expect(parse([floats('p', [2, 1], 1, 2)], 2, [{ name: 'p', type: 'tensor', shape: [-1, -1] }])).toEqual({
    predictions: [[1], [2]],
  });
  expect(parse([floats('p', [1, 2, 1], 1, 2)], 1)).toEqual({ predictions: [[[1], [2]]] });
});

test('an output that is not by row is one entry for one row and a failure for several', () => {
  expect(parse([floats('p', [], 7)], 1)).toEqual({ predictions: [7] });
  expect(parse([floats('p', [3], 1, 2, 3)], 1)).toEqual({ predictions: [[1, 2, 3]] });
  expect(() => parse([floats('p', [3], 1, 2, 3)], 2)).toThrow(/of shape \[3\] to 2 rows/);
});

test('NaN becomes null', () => {
  expect(parse([floats('p', [1], Number.NaN)], 1)).toEqual({ predictions: [null] });
});
