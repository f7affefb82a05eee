import { IngotError } from '@ingot/core/errors';
import type { PredictRequest, PredictResult } from '@ingot/core/serving/runtime';
import type { Signature } from '@ingot/core/signature';
import { type MemoryModel, echo, sumOfColumns } from './memory-host.ts';

const churn: Signature = {
  origin: 'metadata',
  inputs: [
    { name: 'age', type: 'integer', min: 18, max: 90 },
    { name: 'charges', type: 'float', description: 'a month' },
    { name: 'plan', type: 'categorical', categories: ['basic', 'pro'] },
  ],
  outputs: [{ name: 'total', type: 'float' }],
};

/** A tabular model in two versions, the second with a label. */
export const CHURN: readonly MemoryModel[] = [
  {
    name: 'churn',
    version: '7',
    label: '1.2.0',
    signature: churn,
    predict: sumOfColumns,
    description: 'Adds age and charges.',
  },
  { name: 'churn', version: '8', signature: churn, predict: minusSum },
];

function minusSum(request: PredictRequest): PredictResult {
  const outputs = sumOfColumns(request).outputs.map((tensor) => {
    const values: ArrayLike<unknown> = tensor.data;
    return { ...tensor, data: Float64Array.from(Array.from(values, (value) => -Number(value))) };
  });
  return { outputs };
}

/** Two integers a row in, the same out: what stock protocol clients try first. */
export const ADDER: MemoryModel = {
  name: 'simple',
  signature: {
    origin: 'graph',
    inputs: [
      { name: 'INPUT0', type: 'tensor', dtype: 'INT32', shape: [-1, 4] },
      { name: 'INPUT1', type: 'tensor', dtype: 'INT32', shape: [-1, 4] },
    ],
    outputs: [
      { name: 'OUTPUT0', type: 'tensor', dtype: 'INT32', shape: [-1, 4] },
      { name: 'OUTPUT1', type: 'tensor', dtype: 'INT32', shape: [-1, 4] },
    ],
  },
  predict({ inputs }) {
    const [a, b] = inputs;
    if (!(a?.data instanceof Int32Array) || !(b?.data instanceof Int32Array))
      throw new IngotError('model-failed', 'TypeError: not INT32');
    const other = b.data;
    const shape = a.shape;
    return {
      outputs: [
        { name: 'OUTPUT0', datatype: 'INT32', shape, data: a.data.map((value, index) => value + (other[index] ?? 0)) },
        { name: 'OUTPUT1', datatype: 'INT32', shape, data: a.data.map((value, index) => value - (other[index] ?? 0)) },
      ],
    };
  },
};

/** Answers what it was given, whatever that is. */
export const ECHO: MemoryModel = { name: 'echo', predict: echo };

/** Answers what it was given, in a namespace, of one raw tensor. */
export const IMAGE: MemoryModel = {
  name: 'team/image',
  signature: { origin: 'graph', inputs: [{ name: 'x', type: 'tensor', dtype: 'FP32', shape: [-1, 2] }], outputs: [] },
  predict: echo,
};

/** A classifier of class indices with names. */
export const IRIS: MemoryModel = {
  name: 'iris',
  signature: {
    origin: 'captured',
    inputs: [{ name: 'width', type: 'float' }],
    outputs: [{ name: 'species', type: 'integer', classes: ['setosa', 'virginica'] }],
  },
  predict: ({ inputs }) => {
    const widths = Array.from<unknown, number>(inputs[0]?.data ?? [], Number);
    return {
      outputs: [
        {
          name: 'species',
          datatype: 'INT64',
          shape: [widths.length],
          data: BigInt64Array.from(widths, (width) => (width > 1 ? 1n : 0n)),
        },
      ],
    };
  },
};

/** Fails, as user code does. */
export const BROKEN: MemoryModel = {
  name: 'broken',
  predict() {
    throw new IngotError('model-failed', 'ValueError: no such column', {
      cause: new Error('Traceback (most recent call last): /secret/interface.py'),
    });
  },
};

/** Waits until its request is given up. */
export function waiting(onAbort: () => void): MemoryModel {
  return {
    name: 'waiting',
    predict: (_request, signal) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => {
          onAbort();
          reject(new IngotError('interrupted', 'given up'));
        });
      }),
  };
}
