import { expect, test } from 'vitest';
import { FakeClock } from '../../testing/fake-clock.ts';
import { type SpareOptions, type SpareWorker, SpareWorkers } from './spare-workers.ts';
import type { WorkerSettings } from './worker-process.ts';

/** A process that only says what was done to it. */
class IdleWorker implements SpareWorker {
  readonly memoryBytes = 100;
  isAlive = true;
  stopped = false;
  preloaded: readonly string[] = [];
  #exit: () => void = () => {};

  preload(modules: readonly string[]): void {
    this.preloaded = modules;
  }

  onExit(listener: () => void): void {
    this.#exit = listener;
  }

  async stop(): Promise<void> {
    this.stopped = true;
  }

  crash(): void {
    this.isAlive = false;
    this.#exit();
  }
}

function sparesOf(options: Partial<SpareOptions<IdleWorker>> = {}) {
  const clock = new FakeClock();
  const started: IdleWorker[] = [];
  const launch = async (): Promise<IdleWorker> => {
    const worker = new IdleWorker();
    started.push(worker);
    return worker;
  };
  const spares = new SpareWorkers<IdleWorker>({ count: 1, delayMs: 1000, launch, clock, log: () => {}, ...options });
  const pass = (ms: number): Promise<void> => clock.advance(ms);
  const settings: WorkerSettings = {
    python: '/venv/bin/python',
    script: '/worker/main.py',
    environment: { PATH: '/bin' },
    temporaryDirectory: '/tmp',
    loadTimeoutMs: 1000,
    clock,
    log: () => {},
  };
  return { spares, started, pass, settings };
}

test('a spare is started some time after a version was loaded and imports what that one imported', async () => {
  const { spares, started, pass, settings } = sparesOf();
  await using hold = spares.hold(settings, ['numpy', 'numpy.linalg']);
  expect(await spares.take(settings, [])).toBeUndefined();
  await pass(1000);
  expect(started.map(({ preloaded }) => preloaded)).toEqual([['numpy', 'numpy.linalg']]);
  expect(hold.memoryBytes).toBe(100);
});

test('a spare is taken once and then replaced', async () => {
  const { spares, started, pass, settings } = sparesOf();
  await using _hold = spares.hold(settings, []);
  await pass(1000);
  expect(await spares.take(settings, [])).toBe(started[0]);
  expect(await spares.take(settings, [])).toBeUndefined();
  await pass(1000);
  expect(await spares.take(settings, [])).toBe(started[1]);
});

test('a spare that is starting is waited for, and while others load none is started', async () => {
  let finish: (worker: IdleWorker) => void = () => {};
  const launched = new Promise<IdleWorker>((resolve) => {
    finish = resolve;
  });
  let launches = 0;
  const launch = (): Promise<IdleWorker> => {
    launches++;
    return launched;
  };
  const { spares, pass, settings } = sparesOf({ launch });
  await using _hold = spares.hold(settings, []);
  await pass(600);
  expect(await spares.take(settings, [])).toBeUndefined();
  await pass(600);
  expect(launches).toBe(0);
  await pass(400);
  expect(launches).toBe(1);
  const taken = spares.take(settings, []);
  const worker = new IdleWorker();
  finish(worker);
  expect(await taken).toBe(worker);
});

test.each([{ python: '/other/python' }, { environment: { PATH: '/bin', THRESHOLD: '2' } }])(
  'a spare of another environment is not taken',
  async (other) => {
    const { spares, pass, settings } = sparesOf();
    await using _hold = spares.hold(settings, []);
    await pass(1000);
    expect(await spares.take({ ...settings, ...other }, [])).toBeUndefined();
  },
);

test('a package with a module named like a preloaded one gets a process of its own', async () => {
  const { spares, pass, settings } = sparesOf();
  await using _hold = spares.hold(settings, ['spare-workers.inner']);
  await pass(1000);
  expect(await spares.take(settings, [import.meta.dirname])).toBeUndefined();
});

test('a spare that crashes is replaced, later each time', async () => {
  const { spares, started, pass, settings } = sparesOf();
  await using _hold = spares.hold(settings, []);
  await pass(1000);
  started[0]?.crash();
  expect(await spares.take(settings, [])).toBeUndefined();
  await pass(1000);
  expect(started).toHaveLength(1);
  await pass(1000);
  expect(await spares.take(settings, [])).toBe(started[1]);
});

test('spares end with the last version of their environment', async () => {
  const { spares, started, pass, settings } = sparesOf();
  const first = spares.hold(settings, []);
  const second = spares.hold(settings, []);
  await pass(1000);
  expect(first.memoryBytes + second.memoryBytes).toBe(100);
  await first[Symbol.asyncDispose]();
  expect(started[0]?.stopped).toBe(false);
  await second[Symbol.asyncDispose]();
  expect(started[0]?.stopped).toBe(true);
  await pass(10_000);
  expect(started).toHaveLength(1);
});

test('a spare that was about to start when the last version went is not started', async () => {
  const { spares, started, pass, settings } = sparesOf();
  await spares.hold(settings, [])[Symbol.asyncDispose]();
  await pass(10_000);
  expect(started).toHaveLength(0);
});

test('without spares nothing is started', async () => {
  const { spares, started, pass, settings } = sparesOf({ count: 0 });
  await using _hold = spares.hold(settings, []);
  await pass(10_000);
  expect(started).toHaveLength(0);
});
