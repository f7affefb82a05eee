import type { Signature } from '@ingot/core/signature';
import { expect, test } from 'vitest';
import { bindInputs } from './bind-inputs.ts';
import { bindOutputs } from './bind-outputs.ts';

const table: Signature = {
  origin: 'metadata',
  inputs: [
    { name: 'age', type: 'integer' },
    { name: 'income', type: 'float' },
  ],
  outputs: [],
};
const columns = [
  { name: 'age', datatype: 'INT64' as const, shape: [2], data: new BigInt64Array([41n, 27n]) },
  { name: 'income', datatype: 'FP64' as const, shape: [2], data: new Float64Array([1.5, 2.5]) },
];

test('scalar features become the columns of a graph that takes one tensor', () => {
  const bind = bindInputs([{ name: 'X', datatype: 'FP32', shape: [-1, 2] }], table);
  expect(bind(columns)).toEqual([
    { name: 'X', datatype: 'FP32', shape: [2, 2], data: new Float32Array([41, 1.5, 27, 2.5]) },
  ]);
  expect(bind([...columns].reverse())[0]?.data).toEqual(new Float32Array([41, 1.5, 27, 2.5]));
});

test('a graph with an input a feature gets columns of one', () => {
  const graph = [
    { name: 'income', datatype: 'FP32' as const, shape: [-1, 1] },
    { name: 'age', datatype: 'INT64' as const, shape: [-1, 1] },
  ];
  expect(bindInputs(graph, table)(columns)).toEqual([
    { name: 'income', datatype: 'FP32', shape: [2, 1], data: new Float32Array([1.5, 2.5]) },
    { name: 'age', datatype: 'INT64', shape: [2, 1], data: new BigInt64Array([41n, 27n]) },
  ]);
});

test('declared features that do not fit the graph are an error that names both', () => {
  expect(() => bindInputs([{ name: 'X', datatype: 'FP32', shape: [-1, 3] }], table)).toThrow(
    'the graph takes X FP32[-1,3], but the package declares 2 inputs: age, income',
  );
});

test('a single declared output is matched with the only output of the graph that suits it', () => {
  const graph = [
    { name: 'label', datatype: 'INT64' as const, shape: [-1] },
    { name: 'probabilities', datatype: 'FP32' as const, shape: [-1, 2] },
  ];
  expect(bindOutputs(graph, [{ name: 'species', type: 'integer' }])).toMatchObject({
    fetch: ['label'],
    unmatched: false,
  });
  expect(bindOutputs(graph, [{ name: 'p', type: 'float' }])).toMatchObject({
    fetch: ['label', 'probabilities'],
    unmatched: true,
  });
});
