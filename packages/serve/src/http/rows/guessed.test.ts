import type { Feature, Signature } from '@ingot/core/signature';
import { expect, test } from 'vitest';
import { compileRowDecoder } from './row-decoder.ts';

const floats: readonly Feature[] = ['x0', 'x1', 'x2'].map((name) => ({ name, type: 'float' }));
const guess: Signature = { inputs: floats, outputs: [], origin: 'captured', partial: true };
const counted: Signature = {
  ...guess,
  inputs: [{ name: 'input', type: 'tensor', dtype: 'FP64', shape: [-1, 3] }],
};

const decode = (signature: Signature, rows: readonly unknown[]) => compileRowDecoder({ model: 'm', signature })(rows);

test('a guessed signature takes bare lists in the order of its features', () => {
  expect(decode(guess, [[1, 2, 3]]).map(({ name, data }) => [name, [...data]])).toEqual([
    ['x0', [1]],
    ['x1', [2]],
    ['x2', [3]],
  ]);
  expect(() => decode(guess, [[1, 2]])).toThrow('row 0 has 2 values, the model takes 3: x0, x1, x2');
});

test('a guessed type is no reason to refuse a number or a truth value', () => {
  const [first] = decode(guess, [
    { x0: true, x1: 1, x2: 2 },
    { x0: false, x1: 1, x2: 2 },
  ]);
  expect(first).toMatchObject({ datatype: 'BOOL', data: new Uint8Array([1, 0]) });
  expect(() => decode(guess, [{ x0: 'one', x1: 1, x2: 2 }])).toThrow('row 0, "x0" is "one"');
  expect(() => decode(guess, [{ x0: 1 }])).toThrow('missing "x1", "x2"');
});

test('an estimator that only counts its columns takes rows by any names, in the order of the first', () => {
  const rows = [
    { a: 1, b: 2, c: 3 },
    { c: 6, b: 5, a: 4 },
  ];
  expect(decode(counted, rows)[0]).toMatchObject({
    name: 'input',
    shape: [2, 3],
    data: new Float64Array([1, 2, 3, 4, 5, 6]),
  });
  expect(() => decode(counted, [{ a: 1, b: 2 }])).toThrow('missing "input"');
  expect(decode(counted, [{ input: [1, 2, 3] }])[0]).toMatchObject({ shape: [1, 3] });
});

test('a signature that somebody wrote refuses bare lists and other types', () => {
  const written: Signature = { ...guess, origin: 'metadata' };
  expect(() => decode(written, [[1, 2, 3]])).toThrow('takes rows as objects by feature name');
  expect(() => decode(written, [{ x0: true, x1: 1, x2: 2 }])).toThrow('"x0" is true');
});

test('rows in the envelope of another protocol are pointed to where they belong', () => {
  const written: Signature = { ...guess, origin: 'metadata' };
  expect(() => decode(written, [{ instances: [{ x0: 1 }] }])).toThrow(
    expect.objectContaining({ hint: expect.stringContaining('/models/m/invocations') }),
  );
});
