import { expect, test } from 'vitest';
import { readPickle } from './pickle-globals.ts';

const [STOP, BUILD, MEMOIZE, STACK_GLOBAL] = [0x2e, 0x62, 0x94, 0x93];

test('an array of objects that joblib puts into a pickle has a memo of its own', () => {
  const array = [
    ...proto(5),
    ...[...text('numpy'), MEMOIZE, ...text('ndarray'), STACK_GLOBAL, MEMOIZE],
    // 0 is "numpy" here, and "sklearn.pipeline" outside.
    ...[...get(0), ...text('dtype'), STACK_GLOBAL, STOP],
  ];
  const around = [
    ...proto(4),
    ...[...text('sklearn.pipeline'), MEMOIZE, ...text('Pipeline'), MEMOIZE, STACK_GLOBAL, MEMOIZE],
    ...[...array, ...get(0), ...text('Later'), STACK_GLOBAL, BUILD, STOP],
  ];
  expect(readPickle(Uint8Array.from(around))).toEqual({
    protocol: 4,
    globals: [
      { module: 'sklearn.pipeline', name: 'Pipeline' },
      { module: 'numpy', name: 'ndarray' },
      { module: 'numpy', name: 'dtype' },
      { module: 'sklearn.pipeline', name: 'Later' },
    ],
    root: { module: 'sklearn.pipeline', name: 'Pipeline' },
  });
});

test('the bytes of an array are not taken for another pickle', () => {
  const bytes = [
    ...proto(4),
    ...text('sklearn'),
    ...text('Model'),
    STACK_GLOBAL,
    0x80,
    0x63,
    ...text('x'),
    ...text('y'),
  ];
  expect(readPickle(Uint8Array.from([...bytes, STACK_GLOBAL, STOP]))?.globals).toEqual([
    { module: 'sklearn', name: 'Model' },
  ]);
});

function proto(version: number): number[] {
  return [0x80, version];
}

function text(value: string): number[] {
  return [0x8c, value.length, ...Buffer.from(value)];
}

function get(index: number): number[] {
  return [0x68, index];
}
