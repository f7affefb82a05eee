import { isIngotError } from '@ingot/core/errors';
import type { Feature } from '@ingot/core/signature';
import { expect, test } from 'vitest';
import { datatypeOf, shapeOf } from './datatype.ts';
import { exampleRow } from './example-row.ts';
import { signatureMismatch } from './mismatch.ts';
import { isDatetime, mayBeMissing } from './value.ts';

test('each type of feature has one datatype', () => {
  const of = (type: Feature['type']): string => datatypeOf({ name: 'f', type });
  expect(
    ['float', 'integer', 'boolean', 'string', 'categorical', 'datetime', 'tensor'].map((type) =>
      of(type as Feature['type']),
    ),
  ).toEqual(['FP64', 'INT64', 'BOOL', 'BYTES', 'BYTES', 'BYTES', 'FP64']);
  expect(shapeOf({ name: 'f', type: 'tensor', shape: [-1, 3] })).toEqual([-1, 3]);
  expect(shapeOf({ name: 'f', type: 'float' })).toEqual([-1]);
});

test('dates that the calendar lacks are no datetimes', () => {
  expect(
    ['2024-02-29', '2024-05-01T12:00:00Z', '2024-05-01 12:00', '2024-05-01T12:00:00.123+02:00'].every(isDatetime),
  ).toBe(true);
  expect(['2023-02-29', '2024-13-01', '2024-05-01T25:00:00Z', 'yesterday', '', '1714564800'].some(isDatetime)).toBe(
    false,
  );
});

test('a missing whole number needs a grant, a missing float only no denial', () => {
  expect(mayBeMissing({ name: 'f', type: 'float' })).toBe(true);
  expect(mayBeMissing({ name: 'f', type: 'float', nullable: false })).toBe(false);
  expect(mayBeMissing({ name: 'f', type: 'integer' })).toBe(false);
  expect(mayBeMissing({ name: 'f', type: 'integer', nullable: true })).toBe(true);
});

test('an example is the captured row, else lies within ranges and categories', () => {
  const inputs: readonly Feature[] = [
    { name: 'age', type: 'integer', min: 18, max: 99 },
    { name: 'plan', type: 'categorical', categories: ['basic', 'pro'] },
    { name: 'image', type: 'tensor', dtype: 'FP32', shape: [-1, 2, 2] },
  ];
  const signature = { inputs, outputs: [], origin: 'metadata' } as const;
  expect(exampleRow({ signature })).toEqual({
    age: 58,
    plan: 'basic',
    image: [
      [0, 0],
      [0, 0],
    ],
  });
  expect(exampleRow({ signature, example: { inputs: [{ age: 41 }] } })).toEqual({ age: 41 });
  expect(
    exampleRow({ signature: { ...signature, inputs: [{ name: 'x', type: 'tensor', shape: [-1, 3, 224, 224] }] } }),
  ).toBeUndefined();
  expect(exampleRow({})).toBeUndefined();
});

test('a mismatch names what is missing, extra and wrong, and guesses what an extra name meant', () => {
  const error = signatureMismatch(
    'churn',
    {
      missing: ['age'],
      extra: ['agee'],
      wrong: [{ feature: 'plan', row: 3, value: '"gold"', expected: 'one of "basic", "pro"' }],
    },
    ['age', 'plan'],
    { age: 41 },
  );
  expect(isIngotError(error, 'signature-mismatch')).toBe(true);
  expect(error.message).toBe(
    'the request does not fit what churn takes: missing "age"; unknown "agee" (did you mean "age"?); row 3, "plan" is "gold", expected one of "basic", "pro"',
  );
  expect(error.details.example).toEqual({ age: 41 });
  expect(error.nearest).toBe('age');
});
