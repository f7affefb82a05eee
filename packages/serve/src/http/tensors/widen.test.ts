import type { Tensor } from '@ingot/core/serving/tensor';
import { expect, test } from 'vitest';
import { acceptedFor, widen } from './widen.ts';

const tensor = (datatype: Tensor['datatype'], data: Tensor['data']): Tensor => ({
  name: 't',
  datatype,
  shape: [data.length],
  data,
});

test('narrow integers and floats widen without loss', () => {
  expect(widen(tensor('INT32', Int32Array.of(-7, 8)), 'INT64')?.data).toEqual(BigInt64Array.of(-7n, 8n));
  expect(widen(tensor('FP32', Float32Array.of(0.1, Number.NaN)), 'FP64')?.data).toEqual(
    Float64Array.of(Math.fround(0.1), Number.NaN),
  );
  expect(widen(tensor('FP16', Uint16Array.of(0x3c00)), 'FP32')?.data).toEqual(Float32Array.of(1));
  expect(widen(tensor('UINT8', Uint8Array.of(255)), 'FP16')?.data).toEqual(Uint16Array.of(0x5bf8));
});

test('a 64-bit integer becomes a float only when the float holds all of it', () => {
  expect(widen(tensor('INT64', BigInt64Array.of(2n ** 53n)), 'FP64')?.data).toEqual(Float64Array.of(2 ** 53));
  expect(widen(tensor('INT64', BigInt64Array.of(2n ** 53n + 1n)), 'FP64')).toBeUndefined();
  expect(widen(tensor('INT32', Int32Array.of(2 ** 24 + 1)), 'FP32')).toBeUndefined();
});

test('narrowing, and text for numbers, are refused', () => {
  expect(widen(tensor('FP64', Float64Array.of(1)), 'FP32')).toBeUndefined();
  expect(widen(tensor('INT64', BigInt64Array.of(1n)), 'INT32')).toBeUndefined();
  expect(widen(tensor('BYTES', ['1']), 'FP64')).toBeUndefined();
  expect(widen(tensor('FP32', Float32Array.of(1)), 'INT64')).toBeUndefined();
  expect(widen(tensor('UINT64', BigUint64Array.of(2n ** 63n)), 'INT64')).toBeUndefined();
});

test('what is accepted begins with what is declared', () => {
  expect(acceptedFor('FP32')[0]).toBe('FP32');
  expect(acceptedFor('BYTES')).toEqual(['BYTES']);
});
