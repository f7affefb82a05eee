import { expect, test } from 'vitest';
import { nearest } from './nearest.ts';

test('a slip of the pen finds its word, another word does not', () => {
  expect(nearest('/v2/model/churn', ['/v2/models/churn', '/metrics'])).toBe('/v2/models/churn');
  expect(nearest('Agee', ['age', 'plan'])).toBe('age');
  expect(nearest('weight', ['age', 'plan'])).toBeUndefined();
});
