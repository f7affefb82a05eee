import { IngotError } from '@ingot/core/errors';
import { parseModelName } from '@ingot/core/ref';
import { expect, test } from 'vitest';
import { KeptAnswers } from './kept-answers.ts';

const NAME = parseModelName('churn');

test('an answer is read once for each question, until the model has another mark', async () => {
  const answers = new KeptAnswers<string>();
  let mark = {};
  let reads = 0;
  const ask = (question: string) =>
    answers.answer({ markOf: async () => mark }, NAME, question, async () => `${question} ${++reads}`);
  expect([await ask('a'), await ask('a'), await ask('b')]).toEqual(['a 1', 'a 1', 'b 2']);
  mark = {};
  expect(await ask('a')).toBe('a 3');
});

test('what is no answer is asked again, and a model without a mark is read', async () => {
  const answers = new KeptAnswers<string | undefined>();
  let reads = 0;
  const read = async () => {
    reads += 1;
    return undefined;
  };
  const mark = {};
  for (let count = 0; count < 2; count++) await answers.answer({ markOf: async () => mark }, NAME, 'a', read);
  expect(reads).toBe(2);
  const none = async () => {
    throw new IngotError('model-not-found', 'there is no such model');
  };
  await answers.answer({ markOf: none }, NAME, 'a', read);
  expect(reads).toBe(3);
});
