import { expect, test } from 'vitest';
import { recordedLock } from './recorded-lock.ts';
import { readRequirements } from './requirements.ts';

const HASH = `--hash=sha256:${'a'.repeat(64)}`;
const interpreter = { path: '/usr/bin/python3', version: '3.11.9', platform: 'linux-x86_64' };
const recorded = (lines: string[], requirements: string[], made = { python: '3.11.7', platform: 'linux-x86_64' }) =>
  recordedLock({ lock: { ...made, lines }, requirements: readRequirements(requirements) }, interpreter);

test('a lock with hashes is used as it is', () => {
  const lines = [`joblib==1.6.0 ${HASH}`, `numpy==2.4.6 ${HASH} ${HASH}`];
  expect(recorded(lines, ['numpy==2.4.6'])?.lock).toBe(
    `joblib==1.6.0 \\\n    ${HASH}\nnumpy==2.4.6 \\\n    ${HASH} \\\n    ${HASH}\n`,
  );
});

test('without hashes its versions are kept to', () => {
  expect(recorded(['joblib==1.6.0', 'torch==2.9.0+cpu'], ['joblib', 'torch==2.9.0'])).toEqual({
    constraints: ['joblib==1.6.0'],
  });
});

test.each([
  ['another minor Python', ['joblib==1.6.0'], ['joblib'], { python: '3.12.1', platform: 'linux-x86_64' }],
  ['another platform', ['joblib==1.6.0'], ['joblib'], { python: '3.11.7', platform: 'darwin-arm64' }],
  ['a requirement that it lacks', ['joblib==1.6.0'], ['numpy'], undefined],
  ['a requirement of another version', ['joblib==1.6.0'], ['joblib==1.5.0'], undefined],
  ['a range, which it may not meet', ['joblib==1.6.0'], ['joblib<1.6'], undefined],
  ['lines that are no pins', ['joblib==1.6.0', '--index-url=x'], ['joblib'], undefined],
  ['nothing', [], ['joblib'], undefined],
])('it is of no use for %s', (_, lines, requirements, made) => {
  expect(recorded(lines, requirements, made)).toBeUndefined();
});
