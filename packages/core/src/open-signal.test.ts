import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { test } from 'vitest';
import { openSignal } from './open-signal.ts';

test('any number listens to an open signal without a warning, and all hear of its end', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  process.on('warning', note);
  const outer = new AbortController();
  const heard = [openSignal(), openSignal(undefined, outer.signal)].map(({ signal, end }) => {
    const all = Array.from({ length: 30 }, () => once(signal, 'abort'));
    return { all, end };
  });
  await setImmediate();
  process.off('warning', note);
  assert.deepEqual(warnings, []);
  heard[0]?.end();
  outer.abort();
  await Promise.all(heard.flatMap(({ all }) => all));
});
