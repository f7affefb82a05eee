import { isIngotError } from '@ingot/core/errors';
import { DATATYPES, type Datatype } from '@ingot/core/signature';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { tensorFromBinary, tensorToBinary } from './binary.ts';
import { tensorFromJson } from './from-json.ts';
import { elementCount } from './shape.ts';
import { elementsToJson } from './to-json.ts';
import { parseExactly } from '../json-body.ts';

const element: { readonly [datatype in Datatype]: fc.Arbitrary<unknown> } = {
  BOOL: fc.boolean(),
  UINT8: fc.integer({ min: 0, max: 255 }),
  UINT16: fc.integer({ min: 0, max: 65535 }),
  UINT32: fc.integer({ min: 0, max: 0xffffffff }),
  UINT64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  INT8: fc.integer({ min: -128, max: 127 }),
  INT16: fc.integer({ min: -32768, max: 32767 }),
  INT32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  INT64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  FP16: fc.constantFrom(0, 1, -2.5, 0.5, 1024, 65504, 2 ** -24),
  FP32: fc.float({ noDefaultInfinity: true, noNaN: true }).map((value) => (Object.is(value, -0) ? 0 : value)),
  FP64: fc.double({ noDefaultInfinity: true, noNaN: true }).map((value) => (Object.is(value, -0) ? 0 : value)),
  BYTES: fc.string({ unit: 'grapheme' }),
};

const anyTensor = fc
  .record({
    datatype: fc.constantFrom(...DATATYPES),
    shape: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 3 }),
  })
  .chain(({ datatype, shape }) => {
    const count = elementCount(shape, 't');
    return fc.record({
      datatype: fc.constant(datatype),
      shape: fc.constant(shape),
      values: fc.array(element[datatype], { minLength: count, maxLength: count }),
    });
  });

function nest(values: readonly unknown[], shape: readonly number[]): readonly unknown[] {
  if (shape.length <= 1) return values;
  const [rows = 0, ...rest] = shape;
  const size = rest.reduce((a, b) => a * b, 1);
  return Array.from({ length: rows }, (_, row) => nest(values.slice(row * size, (row + 1) * size), rest));
}

test('any tensor survives JSON, flat or nested, with every digit', () => {
  fc.assert(
    fc.property(anyTensor, fc.boolean(), ({ datatype, shape, values }, flat) => {
      const tensor = tensorFromJson('t', datatype, shape, values.length, flat ? values : nest(values, shape));
      const { text } = elementsToJson(tensor);
      const again = tensorFromJson('t', datatype, shape, values.length, parseExactly(`[${text}]`));
      expect(again).toEqual(tensor);
      expect(text).toBe(
        values.map((value) => (typeof value === 'bigint' ? String(value) : JSON.stringify(value))).join(','),
      );
    }),
  );
});

test('any tensor survives binary, aligned or not', () => {
  fc.assert(
    fc.property(anyTensor, fc.integer({ min: 0, max: 9 }), ({ datatype, shape, values }, shift) => {
      const tensor = tensorFromJson('t', datatype, shape, values.length, values);
      const bytes = tensorToBinary(tensor);
      const moved = new Uint8Array(bytes.byteLength + shift);
      moved.set(bytes, shift);
      const again = tensorFromBinary('t', datatype, shape, values.length, moved.subarray(shift));
      expect(Buffer.compare(tensorToBinary(again), bytes)).toBe(0);
      if (datatype !== 'BYTES') expect(again).toEqual(tensor);
    }),
  );
});

function codeOf(run: () => unknown): string {
  try {
    run();
    return 'no error';
  } catch (thrown) {
    return isIngotError(thrown) ? thrown.code : String(thrown);
  }
}

test('data that disagrees with shape or datatype is an invalid request', () => {
  const bad: readonly [Datatype, readonly number[], unknown][] = [
    ['FP32', [2], [1]],
    ['FP32', [2], 'ab'],
    ['FP32', [2, 2], [[1, 2], [3]]],
    ['FP32', [2, 2], [[1, 2], 3]],
    ['FP32', [2, 2], [[1, 2, 3], [4]]],
    ['FP32', [1], [1e39]],
    ['FP64', [1], [Number.POSITIVE_INFINITY]],
    ['FP64', [1], ['1']],
    ['FP16', [1], [70000]],
    ['INT8', [1], [128]],
    ['INT8', [1], [1.5]],
    ['UINT64', [1], [-1]],
    ['INT64', [1], [2 ** 60]],
    ['INT64', [1], [null]],
    ['BOOL', [1], [2]],
    ['BYTES', [1], [1]],
    ['FP32', [1_000_000, 1_000_000], [[1]]],
  ];
  for (const [datatype, shape, data] of bad) {
    expect(
      codeOf(() => tensorFromJson('t', datatype, shape, elementCount(shape, 't'), data)),
      JSON.stringify([datatype, shape, data]),
    ).toBe('invalid-request');
  }
});

test('a shape that is negative, fractional, too deep or beyond counting is an invalid request', () => {
  for (const shape of [[-1], [1.5], ['2'], null, 3, Array(33).fill(1), [1e9, 1e9], [Number.NaN]]) {
    expect(codeOf(() => elementCount(shape, 't'))).toBe('invalid-request');
  }
  expect(elementCount([], 't')).toBe(1);
});

test('lying byte counts and BYTES lengths are invalid requests', () => {
  expect(codeOf(() => tensorFromBinary('t', 'FP32', [2], 2, new Uint8Array(7)))).toBe('invalid-request');
  expect(codeOf(() => tensorFromBinary('t', 'BYTES', [1], 1, Uint8Array.of(255, 255, 255, 255)))).toBe(
    'invalid-request',
  );
  expect(codeOf(() => tensorFromBinary('t', 'BYTES', [1], 1, Uint8Array.of(1, 0)))).toBe('invalid-request');
  expect(codeOf(() => tensorFromBinary('t', 'BYTES', [2], 2, Uint8Array.of(1, 0, 0, 0, 65)))).toBe('invalid-request');
  expect(codeOf(() => tensorFromBinary('t', 'BOOL', [1], 1, Uint8Array.of(7)))).toBe('invalid-request');
});

test('NaN and infinity become null in JSON and null becomes NaN again', () => {
  const tensor = {
    name: 't',
    datatype: 'FP64',
    shape: [3],
    data: Float64Array.of(Number.NaN, Number.POSITIVE_INFINITY, 1),
  } as const;
  expect(elementsToJson(tensor).text).toBe('null,null,1');
  expect(tensorFromJson('t', 'FP64', [1], 1, [null]).data).toEqual(Float64Array.of(Number.NaN));
});

test('BYTES that are no text are written in base64 and marked', () => {
  const tensor = { name: 't', datatype: 'BYTES', shape: [2], data: [Uint8Array.of(255, 254), 'ab'] } as const;
  expect(elementsToJson(tensor)).toEqual({ text: '"//4=","YWI="', base64: true });
});
