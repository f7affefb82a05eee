import { expect, test } from 'vitest';
import { shellWord } from './shell-word.ts';

test.each([
  ['s3://bucket/models/churn_v1.2.pkl', 's3://bucket/models/churn_v1.2.pkl'],
  ['./models/churn_v*.pkl', "'./models/churn_v*.pkl'"],
  ['./my model.pkl', "'./my model.pkl'"],
  ['s3://b/m.pkl?versionId=x&a=b', "'s3://b/m.pkl?versionId=x&a=b'"],
  ["./it's.pkl", `'./it'\\''s.pkl'`],
  ['~/m.pkl', "'~/m.pkl'"],
  ['', "''"],
])('%s is %s in a shell', (text, word) => {
  expect(shellWord(text)).toBe(word);
});
