import { IngotError } from '@ingot/core/errors';
import { afterEach, expect, test } from 'vitest';
import type { Lease } from '../model-host.ts';
import { FakeClock, settled } from '../testing/fake-clock.ts';
import { TinyModels } from '../testing/tiny-models.ts';
import { versionLoader } from './load-version.ts';
import { ModelSlots, type ModelSlotsOptions } from './model-slots.ts';

const opened: ModelSlots[] = [];
afterEach(async () => {
  for (const slots of opened.splice(0)) await slots[Symbol.asyncDispose]();
});

function slotsOver(models: TinyModels, options: Partial<ModelSlotsOptions> = {}) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const log = (_level: string, message: string): void => void lines.push(message);
  const slots = new ModelSlots({
    source: models,
    sources: [...models.names.keys()],
    loadVersion: versionLoader({ source: models, runtimes: [models.runtime()], log }),
    load: 'start',
    followIntervalMs: 1000,
    drainMs: 0,
    clock,
    random: () => 0.5,
    log,
    ...options,
  });
  opened.push(slots);
  return { slots, clock, lines };
}

async function answerOf(slots: ModelSlots, model: string, version?: string): Promise<number> {
  const lease = await slots.lease(model, version);
  try {
    const { outputs } = await lease.predictor.predict({ inputs: [] });
    return Number(outputs[0]?.data[0]);
  } finally {
    lease[Symbol.dispose]();
  }
}

function loadedLease(slots: ModelSlots, model: string): Lease {
  const lease = slots.lease(model);
  if (lease instanceof Promise) throw new Error('a loaded model gave a promise');
  return lease;
}

test('a loaded model is leased without a promise', async () => {
  const { slots } = slotsOver(new TinyModels({ 'churn@production': 7 }));
  expect(slots.ready()).toBe(false);
  await slots.start();
  expect(slots.ready()).toBe(true);
  const lease = loadedLease(slots, 'churn');
  expect(lease.served).toMatchObject({ version: '7', state: 'READY', sources: ['churn@production'] });
  lease[Symbol.dispose]();
});

test('of two versions side by side the first configured is the default', async () => {
  const { slots } = slotsOver(new TinyModels({ 'churn:8': 8, 'churn:7': 7 }));
  await slots.start();
  expect(await answerOf(slots, 'churn')).toBe(8);
  expect(await answerOf(slots, 'churn', '7')).toBe(7);
  expect(await answerOf(slots, 'churn', '1.7')).toBe(7);
  expect(slots.models()).toEqual(['churn']);
  expect(slots.index().map(({ version }) => version)).toEqual(['7', '8']);
});

test('two aliases of one version load it once', async () => {
  const models = new TinyModels({ 'churn@production': 7, 'churn@staging': 7 });
  const { slots } = slotsOver(models);
  await slots.start();
  expect(models.loaded).toEqual([7]);
  expect(slots.index()[0]?.sources).toEqual(['churn@production', 'churn@staging']);
});

test('an unknown model names what is served and the nearest name', async () => {
  const { slots } = slotsOver(new TinyModels({ churn: 1 }));
  await slots.start();
  expect(() => slots.lease('chrun')).toThrow(
    expect.objectContaining({
      code: 'model-not-found',
      nearest: 'churn',
      message: expect.stringContaining('served: churn'),
    }),
  );
  expect(() => slots.lease('churn', '9')).toThrow(expect.objectContaining({ code: 'version-not-found' }));
});

test('a moved alias takes over after loading and the old version goes with its last lease', async () => {
  const models = new TinyModels({ 'churn@production': 7 });
  const { slots, clock } = slotsOver(models, { drainMs: 60_000 });
  await slots.start();
  const held = loadedLease(slots, 'churn');
  let open = (): void => {};
  models.gates.set(8, new Promise((resolve) => (open = resolve)));
  models.names.set('churn@production', 8);
  await clock.advance(1500);
  expect(await answerOf(slots, 'churn')).toBe(7);
  open();
  await settled();
  expect(await answerOf(slots, 'churn')).toBe(8);
  expect(models.disposed).toEqual([]);
  held[Symbol.dispose]();
  await settled();
  expect(models.disposed).toEqual([7]);
  expect(slots.index().map(({ version }) => version)).toEqual(['8']);
});

test('the new version answers its sample row before it takes over', async () => {
  const models = new TinyModels({ 'churn@production': 7 });
  const { slots, clock } = slotsOver(models);
  await slots.start();
  models.names.set('churn@production', 8);
  await clock.advance(1500);
  expect(models.answered).toEqual([7, 8]);
  expect(await answerOf(slots, 'churn')).toBe(8);
});

test('a version that does not load leaves the old one answering, is reported, and is retried later', async () => {
  const models = new TinyModels({ 'churn@production': 7 });
  const { slots, clock, lines } = slotsOver(models);
  await slots.start();
  models.broken.set(8, new IngotError('model-failed', 'ValueError: no weights'));
  models.names.set('churn@production', 8);
  await clock.advance(1100);
  expect(await answerOf(slots, 'churn')).toBe(7);
  expect(slots.index().find(({ version }) => version === '8')).toMatchObject({
    state: 'UNAVAILABLE',
    reason: 'churn:8: ValueError: no weights',
  });
  expect(lines.join('\n')).toContain('churn@production stays on version 7');
  await clock.advance(10_000);
  expect(lines.filter((line) => line.includes('stays on version 7'))).toHaveLength(1);
  models.broken.clear();
  await clock.advance(10_000);
  expect(await answerOf(slots, 'churn')).toBe(8);
});

test('an alias that moves back while the new version loads cancels the load', async () => {
  const models = new TinyModels({ 'churn@production': 7 });
  const { slots, clock } = slotsOver(models);
  await slots.start();
  models.gates.set(8, new Promise(() => {}));
  models.names.set('churn@production', 8);
  await clock.advance(1100);
  expect(slots.index().find(({ version }) => version === '8')?.state).toBe('LOADING');
  models.names.set('churn@production', 7);
  await clock.advance(1100);
  expect(slots.index().map(({ version }) => version)).toEqual(['7']);
  expect(await answerOf(slots, 'churn')).toBe(7);
});

test('an outage of the store keeps the model answering and is shown', async () => {
  const models = new TinyModels({ 'churn@production': 7 });
  const { slots, clock, lines } = slotsOver(models);
  await slots.start();
  models.names.set('churn@production', new IngotError('unavailable', 'the store is gone'));
  await clock.advance(5000);
  expect(await answerOf(slots, 'churn')).toBe(7);
  expect(slots.index()[0]?.staleSince).toBe('2026-01-01T00:00:01.000Z');
  expect(lines.filter((line) => line.includes('the store is gone'))).toHaveLength(1);
  models.names.set('churn@production', 7);
  await clock.advance(1100);
  expect(slots.index()[0]?.staleSince).toBeUndefined();
  expect(lines.at(-1)).toBe('churn@production can be resolved again');
});

test('a start without the store says since when it is away', async () => {
  const models = new TinyModels({ 'churn@production': 7 });
  models.staleSince = '2026-01-01T00:00:00.000Z';
  const { slots, clock, lines } = slotsOver(models);
  await slots.start();
  expect(lines.join('\n')).toContain('churn@production has not answered since 2026-01-01T00:00:00.000Z');
  models.staleSince = undefined;
  await clock.advance(1100);
  expect(lines.at(-1)).toBe('the store of churn@production answers again');
});

test('starting fails with the reason of the first version that does not load', async () => {
  const models = new TinyModels({ churn: 7 });
  models.broken.set(7, new IngotError('environment-mismatch', 'scikit-learn 1.2.2 wanted', { hint: 'do this' }));
  const { slots } = slotsOver(models);
  await expect(slots.start()).rejects.toMatchObject({
    code: 'environment-mismatch',
    message: 'churn:7: scikit-learn 1.2.2 wanted',
    hint: 'do this',
  });
});

test('on demand a version is loaded once for all who ask', async () => {
  const models = new TinyModels({ churn: 7, wine: 2 });
  const { slots } = slotsOver(models, { load: 'on-demand' });
  await slots.start();
  expect(slots.ready()).toBe(true);
  expect(models.loaded).toEqual([]);
  expect(await Promise.all([1, 2, 3].map(() => answerOf(slots, 'churn')))).toEqual([7, 7, 7]);
  expect(models.loaded).toEqual([7]);
});

test('on demand a broken version is not loaded again for every request', async () => {
  const models = new TinyModels({ churn: 7 });
  models.broken.set(7, new IngotError('model-failed', 'ValueError: no weights'));
  const { slots, lines } = slotsOver(models, { load: 'on-demand' });
  await slots.start();
  for (let request = 0; request < 3; request++) {
    await expect(answerOf(slots, 'churn')).rejects.toMatchObject({ code: 'model-not-ready' });
  }
  expect(lines.filter((line) => line.includes('trying again'))).toHaveLength(1);
});

test('above the memory bound the longest unused version is unloaded, and loaded again when asked for', async () => {
  const models = new TinyModels({ a: 1, b: 2, c: 3 });
  const { slots, clock } = slotsOver(models, { load: 'on-demand', memoryLimitBytes: 250 });
  await slots.start();
  for (const model of ['a', 'b']) {
    await answerOf(slots, model);
    await clock.advance(10);
  }
  await answerOf(slots, 'a');
  await clock.advance(10);
  await answerOf(slots, 'c');
  await settled();
  expect(models.disposed).toEqual([2]);
  expect(slots.index().find(({ model }) => model === 'b')?.reason).toContain('to keep memory under');
  expect(await answerOf(slots, 'b')).toBe(2);
});

test('a version that a request holds is not evicted', async () => {
  const models = new TinyModels({ a: 1, b: 2 });
  const { slots } = slotsOver(models, { load: 'on-demand', memoryLimitBytes: 150 });
  await slots.start();
  const held = await slots.lease('a');
  await answerOf(slots, 'b');
  await settled();
  expect(models.disposed).toEqual([]);
  held[Symbol.dispose]();
});

test('an unloaded model stays unloaded until it is loaded again by request', async () => {
  const models = new TinyModels({ churn: 7 });
  const { slots } = slotsOver(models, { load: 'on-demand' });
  await slots.start();
  await answerOf(slots, 'churn');
  await slots.unload('churn');
  expect(models.disposed).toEqual([7]);
  expect(() => slots.lease('churn')).toThrow(expect.objectContaining({ code: 'model-not-ready' }));
  await slots.load('churn');
  expect(await answerOf(slots, 'churn')).toBe(7);
  await expect(slots.load('wine')).rejects.toMatchObject({ code: 'model-not-found' });
});

test('a package that no runtime takes says how to make it one', async () => {
  const models = new TinyModels({ churn: 7 });
  const { slots } = slotsOver(models, { loadVersion: versionLoader({ source: models, runtimes: [], log: () => {} }) });
  await expect(slots.start()).rejects.toMatchObject({
    code: 'invalid-package',
    hint: expect.stringContaining('ingot init'),
  });
});

test('closing disposes every predictor', async () => {
  const models = new TinyModels({ a: 1, b: 2 });
  const { slots } = slotsOver(models);
  await slots.start();
  await slots[Symbol.asyncDispose]();
  expect(models.disposed.sort()).toEqual([1, 2]);
});
