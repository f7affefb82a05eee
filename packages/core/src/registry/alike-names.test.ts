import { describe, expect, test } from 'vitest';
import { alikeNames } from './alike-names.ts';

describe('names that are taken for each other', () => {
  test.each([
    ['Churn', 'churn'],
    ['churn_model', 'churn-model'],
    ['churn.model', 'churnmodel'],
    ['team/Churn', 'team/churn'],
    ['churn/daily', 'churn'],
    ['churn', 'churn/daily'],
  ])('%s is like %s', (name, other) => {
    expect(alikeNames(name, ['iris', other])).toEqual([other]);
  });

  test.each([
    ['churn', 'churn'],
    ['churn', 'churn2'],
    ['churn', 'churner/daily'],
    ['a/churn', 'b/churn'],
  ])('%s is not like %s', (name, other) => {
    expect(alikeNames(name, [other])).toEqual([]);
  });
});
