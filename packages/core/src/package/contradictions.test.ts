import { expect, test } from 'vitest';
import type { Feature } from '../signature.ts';
import { findContradictions } from './contradictions.ts';

const messages = (declared: Feature[], data: Feature[]): string[] =>
  findContradictions(
    { metadata: { inputFeatures: declared, output: [], environmentVariables: [], raw: {} }, file: 'metadata.yaml' },
    { signature: { inputs: data, outputs: [], origin: 'captured', partial: true } },
  ).map(({ message }) => message);

test('a declared feature agrees with a column that it takes', () => {
  expect(messages([{ name: 'age', type: 'float' }], [{ name: 'age', type: 'integer' }])).toEqual([]);
  const plan: Feature = { name: 'plan', type: 'categorical', categories: ['free', 'pro'] };
  expect(messages([plan], [{ name: 'plan', type: 'string' }])).toEqual([]);
  expect(messages([plan], [{ ...plan, categories: ['pro'] }])).toEqual([]);
});

test.each<[string, Feature, Feature]>([
  [
    'input age is declared as string, the data has integer',
    { name: 'age', type: 'string' },
    { name: 'age', type: 'integer' },
  ],
  [
    'input age may not be missing, but is missing in the data',
    { name: 'age', type: 'float', nullable: false },
    { name: 'age', type: 'float', nullable: true },
  ],
  [
    'input plan does not allow team, which the data has',
    { name: 'plan', type: 'categorical', categories: ['pro'] },
    { name: 'plan', type: 'categorical', categories: ['pro', 'team'] },
  ],
  [
    'input age is declared to 90, the data goes up to 101',
    { name: 'age', type: 'integer', max: 90 },
    { name: 'age', type: 'integer', max: 101 },
  ],
])('%s', (message, declared, data) => {
  expect(messages([declared], [data])).toEqual([message]);
});

test('names that only one of the two has are told, each', () => {
  expect(messages([{ name: 'age', type: 'float' }], [{ name: 'agee', type: 'float' }])).toEqual([
    'input age is declared, but the data has no such column',
    'column agee of the data is not declared',
  ]);
});

test('without data, and for tensors, nothing is held against the declaration', () => {
  expect(messages([{ name: 'age', type: 'float' }], [])).toEqual([]);
  expect(
    messages([{ name: 'age', type: 'float' }], [{ name: 'x', type: 'tensor', dtype: 'FP32', shape: [-1, 2] }]),
  ).toEqual([]);
});
