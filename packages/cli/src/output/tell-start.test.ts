import assert from 'node:assert/strict';
import picocolors from 'picocolors';
import { test } from 'vitest';
import { tellStart } from './tell-start.ts';

test('what a started server tells people are lines of its log where that is JSON, the first token among them', () => {
  const told = (log: string | undefined, firstToken: string | undefined) => {
    const [written, logged]: [string[], unknown[]] = [[], []];
    const err = {
      write: (text: string): void => void written.push(text),
      isTerminal: false,
      columns: 80,
      colors: picocolors.createColors(false),
    };
    const context = { format: 'human' as const, terminal: { err }, settings: { text: () => log } };
    const running = { url: 'http://127.0.0.1:8585', isOpen: firstToken === undefined, firstToken };
    tellStart(running, context, (...line) => void logged.push(line));
    return { written: written.join(''), logged };
  };
  const token = 'ingot_secret';
  assert.deepEqual([told('json', token).written, told('json', undefined).written], ['', '']);
  assert.deepEqual([told(undefined, token).logged, told('text', undefined).logged], [[], []]);
  assert.match(told(undefined, token).written, /oras pull 127\.0\.0\.1:8585[\s\S]*\n {2}ingot_secret\n/);
  assert.match(JSON.stringify(told('json', token).logged), /\["warn","nobody has an account.*"token":"ingot_secret"/);
  assert.match(JSON.stringify(told('json', undefined).logged), /ingot account add/);
});
