import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { editDistance, nearest } from './nearest.ts';

describe('the nearest word', () => {
  test.each([
    ['prodction', 'production'],
    ['prodcution', 'production'],
    ['Chrun', 'churn'],
    ['/v2/model/churn', '/v2/models/churn'],
    ['Agee', 'age'],
    ['ag', 'age'],
    ['input_feature', 'input_features'],
  ])('to %s is %s', (word, meant) => {
    const known = ['staging', 'production', 'churn', '/v2/models/churn', '/metrics', 'age', 'plan', 'input_features'];
    expect(nearest(word, known)).toBe(meant);
  });

  test.each(['wine', 'weight', 'x', 'x'.repeat(100_000)])('is not looked for far away', (word) => {
    expect(nearest(word, ['churn', 'age', 'plan', 'x'.repeat(99_999)])).toBeUndefined();
  });

  test('of words that are there is the word itself', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1 }), (words) => {
        const [first = ''] = words;
        expect(nearest(first, words)?.toLowerCase()).toBe(first.toLowerCase());
      }),
    );
  });

  test('distances are symmetric and at most the longer word', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
        expect(editDistance(a, b) === 0).toBe(a === b);
      }),
    );
  });
});
