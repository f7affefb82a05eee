import { IngotError } from '@ingot/core/errors';
import type { Tensor } from '@ingot/core/serving/tensor';
import type { Feature } from '@ingot/core/signature';
import { expect, test } from 'vitest';
import { conformTensors } from './conform.ts';

const features: readonly Feature[] = [
  { name: 'age', type: 'integer' },
  { name: 'plan', type: 'categorical', categories: ['basic', 'pro'] },
];
const age: Tensor = { name: 'age', datatype: 'INT64', shape: [1], data: BigInt64Array.of(41n) };
const plan: Tensor = { name: 'plan', datatype: 'BYTES', shape: [1], data: ['pro'] };
const conform = (tensors: readonly Tensor[], inputs = features): readonly Tensor[] =>
  conformTensors('churn', { signature: { inputs, outputs: [], origin: 'metadata' } }, tensors);

function failure(run: () => unknown): IngotError {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof IngotError) return thrown;
    throw thrown;
  }
  throw new Error('nothing was thrown');
}

test('tensors come in the order of the signature, widened, columns flattened, text as strings', () => {
  const narrow: Tensor = { name: 'age', datatype: 'INT8', shape: [1, 1], data: Int8Array.of(41) };
  const bytes: Tensor = { ...plan, data: [Buffer.from('pro')] };
  expect(conform([bytes, narrow])).toEqual([age, plan]);
});

test('missing, extra, wrong datatype, wrong shape and unknown category are a signature mismatch', () => {
  const float: Tensor = { name: 'age', datatype: 'FP32', shape: [1], data: Float32Array.of(41) };
  expect(failure(() => conform([float, { ...plan, name: 'plam' }])).details).toMatchObject({
    missing: ['plan'],
    extra: ['plam'],
    wrong: [{ feature: 'age', value: 'of datatype FP32' }],
    example: { age: 1, plan: 'basic' },
  });
  expect(failure(() => conform([age, { ...plan, data: ['gold'] }])).details.wrong).toMatchObject([
    { row: 0, allowed: ['basic', 'pro'] },
  ]);
  expect(failure(() => conform([{ ...age, shape: [1, 1, 1] }, plan])).code).toBe('signature-mismatch');
  expect(failure(() => conform([age, { ...plan, data: [Uint8Array.of(255)] }])).message).toContain('no UTF-8');
});

test('inputs that disagree with each other are an invalid request', () => {
  const two: Tensor = { ...plan, shape: [2], data: ['pro', 'pro'] };
  expect(failure(() => conform([age, two])).code).toBe('invalid-request');
  expect(failure(() => conform([age, age, plan])).message).toContain('given twice');
  expect(
    failure(() =>
      conform([
        { ...age, shape: [0], data: new BigInt64Array(0) },
        { ...plan, shape: [0], data: [] },
      ]),
    ).message,
  ).toContain('no rows');
});

test('a denied missing float is named with its row', () => {
  const strict: readonly Feature[] = [{ name: 'x', type: 'float', nullable: false }];
  const gap: Tensor = { name: 'x', datatype: 'FP64', shape: [2], data: Float64Array.of(1, Number.NaN) };
  expect(failure(() => conform([gap], strict)).details.wrong).toMatchObject([{ feature: 'x', row: 1 }]);
});

test('a tensor model takes what fits its shape, of a datatype that widens', () => {
  const image: readonly Feature[] = [{ name: 'x', type: 'tensor', dtype: 'FP32', shape: [-1, 2] }];
  const halves: Tensor = { name: 'x', datatype: 'FP16', shape: [1, 2], data: Uint16Array.of(0x3c00, 0) };
  expect(conform([halves], image)).toEqual([
    { name: 'x', datatype: 'FP32', shape: [1, 2], data: Float32Array.of(1, 0) },
  ]);
  expect(failure(() => conform([{ ...halves, shape: [2, 1] }], image)).code).toBe('signature-mismatch');
});

test('a single tensor is the input of a model that takes one tensor, whatever its name; a column is not', () => {
  const image: Feature = { name: 'keras_tensor_4', type: 'tensor', dtype: 'FP32', shape: [-1, 2] };
  const tensor: Tensor = { name: 'input', datatype: 'FP32', shape: [1, 2], data: Float32Array.of(1, 2) };
  expect(conform([tensor], [image])).toEqual([{ ...tensor, name: 'keras_tensor_4' }]);
  expect(failure(() => conform([tensor, { ...tensor, name: 'more' }], [image])).details.extra).toEqual([
    'input',
    'more',
  ]);
  expect(failure(() => conform([{ ...age, name: 'years' }], [{ name: 'age', type: 'integer' }])).code).toBe(
    'signature-mismatch',
  );
});
