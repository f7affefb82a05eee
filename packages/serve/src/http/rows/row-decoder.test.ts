import { IngotError } from '@ingot/core/errors';
import type { Feature } from '@ingot/core/signature';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileRowDecoder } from './row-decoder.ts';

const inputs: readonly Feature[] = [
  { name: 'age', type: 'integer' },
  { name: 'charges', type: 'float' },
  { name: 'plan', type: 'categorical', categories: ['basic', 'pro'] },
  { name: 'active', type: 'boolean' },
  { name: 'since', type: 'datetime' },
];
const good = { age: 41, charges: 9.5, plan: 'pro', active: true, since: '2024-05-01' };

const decoderOf = (features: readonly Feature[]) =>
  compileRowDecoder({ model: 'churn', signature: { inputs: features, outputs: [], origin: 'metadata' } });
const decode = decoderOf(inputs);

function failure(run: () => unknown): IngotError {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof IngotError) return thrown;
    throw thrown;
  }
  throw new Error('nothing was thrown');
}

test('rows become one tensor a feature in the order of the signature, however the row is ordered', () => {
  const reversed = Object.fromEntries(Object.entries({ ...good, age: -3 }).reverse());
  expect(decode([good, reversed])).toEqual([
    { name: 'age', datatype: 'INT64', shape: [2], data: BigInt64Array.of(41n, -3n) },
    { name: 'charges', datatype: 'FP64', shape: [2], data: Float64Array.of(9.5, 9.5) },
    { name: 'plan', datatype: 'BYTES', shape: [2], data: ['pro', 'pro'] },
    { name: 'active', datatype: 'BOOL', shape: [2], data: Uint8Array.of(1, 1) },
    { name: 'since', datatype: 'BYTES', shape: [2], data: ['2024-05-01', '2024-05-01'] },
  ]);
});

test('any 64-bit integer keeps all its digits', () => {
  const one = decoderOf([{ name: 'n', type: 'integer' }]);
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { minLength: 1 }), (values) => {
      const rows = values.map((n) => ({ n: Number.isSafeInteger(Number(n)) ? Number(n) : n }));
      expect(one(rows)[0]?.data).toEqual(BigInt64Array.from(values));
    }),
  );
});

test('missing, extra and wrong values are all named at once, with row, value, allowed values and an example', () => {
  const { age: _, ...withoutAge } = good;
  const error = failure(() => decode([good, { ...withoutAge, agee: 1, plan: 'gold', charges: 'x' }]));
  expect(error.code).toBe('signature-mismatch');
  expect(error.details).toMatchObject({
    missing: ['age'],
    extra: ['agee'],
    wrong: [
      { feature: 'charges', row: 1, value: '"x"', expected: 'a number' },
      { feature: 'plan', row: 1, value: '"gold"', allowed: ['basic', 'pro'] },
    ],
  });
  const example = error.details.example;
  expect(decode([example])).toHaveLength(5);
});

test('a row with all features and one more is refused for the one more', () => {
  expect(failure(() => decode([good, { ...good, shoe: 43 }])).details).toMatchObject({
    missing: [],
    extra: ['shoe'],
    wrong: [],
  });
});

test('values of the wrong kind are refused one by one', () => {
  const bad: readonly object[] = [
    { age: 1.5 },
    { age: '41' },
    { age: null },
    { age: true },
    { age: [1] },
    { age: 2 ** 60 },
    { age: 2n ** 70n },
    { charges: Number.POSITIVE_INFINITY },
    { charges: true },
    { plan: 'PRO' },
    { plan: 1 },
    { active: 1 },
    { active: null },
    { since: 'yesterday' },
    { since: 7 },
  ];
  for (const part of bad) expect(failure(() => decode([{ ...good, ...part }])).code).toBe('signature-mismatch');
});

test('a whole number may be written 3.0, and null is NaN for a float', () => {
  expect(decode([{ ...good, age: 3.0, charges: null }])[1]?.data).toEqual(Float64Array.of(Number.NaN));
  const strict = decoderOf([{ name: 'x', type: 'float', nullable: false }]);
  expect(failure(() => strict([{ x: null }])).message).toContain('not null');
});

test('a whole-number or boolean column that may have gaps travels as floats when it has some', () => {
  const gaps = decoderOf([
    { name: 'n', type: 'integer', nullable: true },
    { name: 'b', type: 'boolean', nullable: true },
  ]);
  expect(
    gaps([
      { n: 1, b: true },
      { n: null, b: null },
    ]).map((tensor) => tensor.data),
  ).toEqual([Float64Array.of(1, Number.NaN), Float64Array.of(1, Number.NaN)]);
  expect(gaps([{ n: 1, b: true }]).map((tensor) => tensor.datatype)).toEqual(['INT64', 'BOOL']);
});

test('features named like object internals are found only where a row has them', () => {
  const odd = decoderOf(['constructor', 'toString', '__proto__'].map((name) => ({ name, type: 'float' as const })));
  expect(failure(() => odd([{}])).details.missing).toEqual(['constructor', 'toString', '__proto__']);
  const row: unknown = JSON.parse('{"constructor": 1, "toString": 2, "__proto__": 3}');
  expect(odd([row]).map((tensor) => tensor.data[0])).toEqual([1, 2, 3]);
});

test('rows of a tensor model are lists, stacked row by row', () => {
  const tensor = decoderOf([{ name: 'x', type: 'tensor', dtype: 'FP32', shape: [-1, 2] }]);
  const expected = [{ name: 'x', datatype: 'FP32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }];
  expect(
    tensor([
      [1, 2],
      [3, 4],
    ]),
  ).toEqual(expected);
  expect(tensor([{ x: [1, 2] }, { x: [3, 4] }])).toEqual(expected);
  expect(failure(() => tensor([[1, 2, 3]])).details.wrong).toMatchObject([{ feature: 'x', row: 0 }]);
  expect(failure(() => tensor([[1, [2]]])).code).toBe('signature-mismatch');
});

test('a variable inner dimension must be the same in all rows, a fixed batch must be met', () => {
  const ragged = decoderOf([{ name: 'x', type: 'tensor', dtype: 'INT64', shape: [-1, -1] }]);
  expect(ragged([[1, 2, 3]])[0]?.shape).toEqual([1, 3]);
  expect(failure(() => ragged([[1, 2], [3]])).message).toContain('rows of one shape');
  const fixed = decoderOf([{ name: 'x', type: 'tensor', shape: [1, 2] }]);
  expect(
    failure(() =>
      fixed([
        [1, 2],
        [3, 4],
      ]),
    ).message,
  ).toContain('exactly 1 row');
});

test('without a signature datatypes follow the values', () => {
  const decodeAny = compileRowDecoder({ model: 'm' });
  expect(
    decodeAny([
      { a: 1, b: 'x', c: true, d: 1.5 },
      { a: 2, b: null, c: false, d: null },
    ]).map((tensor) => tensor.datatype),
  ).toEqual(['INT64', 'BYTES', 'BOOL', 'FP64']);
  expect(
    decodeAny([
      [1, 2],
      [3, 4],
    ]),
  ).toMatchObject([{ datatype: 'FP64', shape: [2, 2] }]);
  expect(failure(() => decodeAny([{ a: 1 }, { b: 1 }])).code).toBe('invalid-request');
  expect(failure(() => decodeAny([{ a: 1 }, { a: 'x' }])).code).toBe('invalid-request');
  expect(failure(() => decodeAny([[1], [[2]]])).code).toBe('invalid-request');
  expect(failure(() => decodeAny([null, {}])).code).toBe('invalid-request');
});

test('no JSON value makes a decoder fail in any other way than a refusal', () => {
  const decoders = [
    decode,
    compileRowDecoder({ model: 'm' }),
    decoderOf([{ name: 'x', type: 'tensor', shape: [-1, 2] }]),
  ];
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { minLength: 1 }), (rows) => {
      for (const run of decoders) {
        try {
          run(rows);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(IngotError);
        }
      }
    }),
  );
});
