import { expect, test } from 'vitest';
import type { Datatype, Feature, FeatureType } from '../signature.ts';
import { fitInputs, fitOutputs } from './onnx-signature.ts';

const value = (name: string, dtype: Datatype, ...shape: readonly number[]): Feature => ({
  name,
  type: 'tensor',
  dtype,
  shape,
});
const scalar = (name: string, type: FeatureType = 'float'): Feature => ({ name, type });

test.each([
  ['one column a feature', [value('X', 'FP32', -1, 2)], [scalar('age', 'integer'), scalar('income')]],
  ['a variable number of columns', [value('X', 'FP64', -1, -1)], [scalar('age'), scalar('smoker', 'boolean')]],
  ['whole numbers', [value('X', 'INT64', -1, 1)], [scalar('age', 'integer')]],
  ['a single list', [value('X', 'FP32', -1)], [scalar('age')]],
  [
    'columns of its own for each feature, in any order',
    [value('city', 'BYTES', -1, 1), value('age', 'INT32', -1)],
    [scalar('age', 'integer'), scalar('city', 'categorical')],
  ],
] as const)('declared features are the inputs of a graph that takes %s', (_, graph, declared) => {
  expect(fitInputs(graph, declared)).toEqual({ features: declared, from: 'declared' });
});

test.each([
  ['too few', [value('X', 'FP32', -1, 3)], [scalar('a'), scalar('b')], 'onnx.input-count', 'takes 3 columns'],
  ['for an image', [value('X', 'FP32', -1, 28, 28)], [scalar('a')], 'onnx.input-count', 'FP32[-1, 28, 28]'],
  ['text among numbers', [value('X', 'FP32', -1, 1)], [scalar('a', 'string')], 'onnx.input-type', '"a" is declared'],
  ['text', [value('X', 'BYTES', -1, 1)], [scalar('a', 'string')], 'onnx.input-type', 'column of X BYTES'],
  ['half floats', [value('X', 'FP16', -1, 1)], [scalar('a')], 'onnx.input-type', 'column of X FP16'],
  ['fractions for a count', [value('X', 'INT64', -1, 1)], [scalar('a')], 'onnx.input-type', 'column of X INT64'],
  [
    'of another name',
    [value('age', 'FP32', -1, 1), value('income', 'FP32', -1, 1)],
    [scalar('age'), scalar('incme')],
    'onnx.input-names',
    'the graph takes age, income',
  ],
  [
    'of another type',
    [value('age', 'FP32', -1, 1), value('city', 'FP32', -1, 1)],
    [scalar('age'), scalar('city', 'string')],
    'onnx.input-type',
    '"city" is declared string, and in the graph it is city FP32[-1, 1]',
  ],
] as const)('declared features that are %s give way to the graph', (_, graph, declared, rule, message) => {
  const fitted = fitInputs(graph, declared);
  expect(fitted.from).toBe('graph');
  expect(fitted.disagreement).toMatchObject({ rule, message: expect.stringContaining(message) });
  expect(fitted.features.map(({ name }) => name)).toEqual(graph.map(({ name }) => name));
});

test('a misspelt input is told the name that was meant', () => {
  const graph = [value('age', 'FP32', -1, 1), value('income', 'FP32', -1, 1)];
  expect(fitInputs(graph, [scalar('age'), scalar('incme')]).disagreement).toMatchObject({
    fix: 'did you mean income?',
    feature: 'incme',
  });
});

test('several inputs of one column each are rows even when nobody declared them', () => {
  const graph = [value('age', 'INT64', -1, 1), value('score', 'FP32', -1, 1), value('ok', 'BOOL', -1)];
  expect(fitInputs([...graph, value('city', 'BYTES', -1, 1)], []).features).toEqual([
    scalar('age', 'integer'),
    scalar('score'),
    scalar('ok', 'boolean'),
    scalar('city', 'string'),
  ]);
  const tokens = [value('input_ids', 'INT64', -1, -1), value('mask', 'INT64', -1, 1)];
  expect(fitInputs(tokens, []).features).toEqual(tokens);
});

test('a declared tensor gets what the graph says of it, and keeps its own name and description', () => {
  const image: Feature = { name: 'image', type: 'tensor', description: 'grey values' };
  expect(fitInputs([value('X', 'FP32', -1, 28, 28)], [image]).features).toEqual([
    { ...image, dtype: 'FP32', shape: [-1, 28, 28] },
  ]);
  const wrong = { ...image, dtype: 'INT64' as const };
  expect(fitInputs([value('X', 'FP32', -1, 28, 28)], [wrong]).disagreement?.rule).toBe('onnx.input-type');
});

test.each([
  ['by name', [value('label', 'INT64', -1), value('p', 'FP32', -1, 1)], [scalar('p')]],
  ['by place', [value('variable', 'FP32', -1, 1)], [scalar('price')]],
  ['as the only one that suits', [value('l', 'INT64', -1), value('p', 'FP32', -1, 3)], [scalar('kind', 'categorical')]],
] as const)('a declared output is found %s', (_, graph, declared) => {
  expect(fitOutputs(graph, declared)).toEqual({ features: declared, from: 'declared' });
});

test('a declared output of several columns stays a tensor and keeps what was said of it', () => {
  const declared: Feature = { name: 'chances', type: 'float', classes: ['no', 'yes'] };
  expect(fitOutputs([value('probabilities', 'FP32', -1, 2)], [declared]).features).toEqual([
    { ...declared, type: 'tensor', dtype: 'FP32', shape: [-1, 2] },
  ]);
});

test.each([
  ['of a number is no text', [value('y', 'FP32', -1)], [scalar('y', 'string')], 'onnx.output-type'],
  ['that suits two is neither', [value('a', 'FP32', -1), value('b', 'FP32', -1)], [scalar('y')], 'onnx.output-names'],
] as const)('an output %s', (_, graph, declared, rule) => {
  expect(fitOutputs(graph, declared)).toMatchObject({ features: graph, from: 'graph', disagreement: { rule } });
});
