import { expect, test } from 'vitest';
import { openProgressEvents } from './progress-events.ts';
import { openOutput } from './terminal.ts';

test('progress for programs is JSON Lines, at most ten a second, and the last one is always told', () => {
  const said: string[] = [];
  const output = openOutput({ write: (text) => said.push(text) }, { allowed: false });
  let clock = 0;
  const { onProgress } = openProgressEvents(output, () => clock);
  for (const doneBytes of [0, 10, 20, 30, 100]) {
    onProgress({ phase: 'store', path: 'model.pkl', doneBytes, totalBytes: 100 });
    clock += 40;
  }
  const lines = said.map((line) => JSON.parse(line).progress);
  expect(lines.map(({ done, total }) => [done, total])).toEqual([
    [0, 100],
    [30, 100],
    [100, 100],
  ]);
  expect(lines[2]).toEqual({ phase: 'store', done: 100, total: 100, text: 'storing model.pkl  100 B of 100 B' });
});
