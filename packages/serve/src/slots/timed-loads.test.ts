import { IngotError } from '@ingot/core/errors';
import { expect, test } from 'vitest';
import { FakeClock } from '../testing/fake-clock.ts';
import { TinyModels } from '../testing/tiny-models.ts';
import { versionLoader } from './load-version.ts';
import { timedLoads } from './timed-loads.ts';

test('a load is told with its outcome and its seconds, one that was given up is not', async () => {
  const models = new TinyModels({ a: 1, b: 2, c: 3 });
  const clock = new FakeClock();
  const told: unknown[] = [];
  const loader = versionLoader({ source: models, runtimes: [models.runtime()], log: () => {} });
  const load = timedLoads(loader, clock, (...outcome) => told.push(outcome));
  const { signal } = new AbortController();
  let open = (): void => {};
  models.gates.set(1, new Promise((resolve) => (open = resolve)));
  const slow = load(await models.resolve('a'), signal);
  await clock.advance(2500);
  open();
  await slow;
  models.broken.set(2, new IngotError('model-failed', 'no'));
  await expect(load(await models.resolve('b'), signal)).rejects.toThrow('no');
  models.gates.set(3, new Promise(() => {}));
  const given = new AbortController();
  const third = load(await models.resolve('c'), given.signal);
  await clock.advance(1);
  given.abort();
  await expect(third).rejects.toThrow('gave up');
  expect(told).toEqual([
    ['a', '1', 'ok', 2.5],
    ['b', '2', 'failed', 0],
  ]);
});
