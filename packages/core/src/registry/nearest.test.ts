import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { editDistance, nearest } from './nearest.ts';

describe('the nearest word', () => {
  test('is the one with the fewest slips', () => {
    assert.equal(nearest('prodction', ['staging', 'production', 'product']), 'production');
    assert.equal(nearest('Chrun', ['wine', 'churn']), 'churn');
    assert.equal(nearest('wine', ['churn', 'digits']), undefined);
    assert.equal(nearest('', ['a']), 'a');
    assert.equal(nearest('x'.repeat(10_000), ['churn']), undefined);
  });

  test('of words that are there is the word itself', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1 }), (words) => {
        const [first = ''] = words;
        assert.equal(nearest(first, words)?.toLowerCase(), first.toLowerCase().slice(0, 200));
      }),
    );
  });

  test('distances are symmetric and at most the longer word', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        assert.equal(editDistance(a, b), editDistance(b, a));
        assert.ok(editDistance(a, b) <= Math.max(a.length, b.length));
        assert.equal(editDistance(a, b) === 0, a === b);
      }),
    );
  });
});
