import { IngotError } from '@ingot/core/errors';
import type { PredictRequest, PredictResult } from '@ingot/core/serving/runtime';
import { expect, test } from 'vitest';
import { FakeClock, settled } from '../../testing/fake-clock.ts';
import { type PoolSettings, WorkerPool, type PoolWorker } from './worker-pool.ts';

/** A worker whose answers the test gives. */
class HeldWorker implements PoolWorker {
  readonly memoryBytes = 10;
  readonly calls: { request: PredictRequest; answer: () => void; fail: (error: unknown) => void }[] = [];
  #exit: () => void = () => {};

  predict(request: PredictRequest): Promise<PredictResult> {
    return new Promise((resolve, reject) => {
      this.calls.push({ request, answer: () => resolve({ outputs: request.inputs }), fail: reject });
    });
  }

  kill(): void {
    for (const call of this.calls) call.fail(new IngotError('model-failed', 'killed'));
    this.#exit();
  }

  async stop(): Promise<void> {}

  onExit(listener: () => void): void {
    this.#exit = listener;
  }
}

async function poolOf(settings: Partial<PoolSettings<HeldWorker>> = {}) {
  const clock = new FakeClock();
  const started: HeldWorker[] = [];
  const { pool } = await WorkerPool.start<HeldWorker>({
    size: 1,
    start: async () => {
      const worker = new HeldWorker();
      started.push(worker);
      return worker;
    },
    requestTimeoutMs: 1000,
    queueLimit: 4,
    mergeRows: 0,
    clock,
    log: () => {},
    ...settings,
  });
  return { pool, clock, started };
}

function request(...values: number[]): PredictRequest {
  return { inputs: [{ name: 'x', datatype: 'FP64', shape: [values.length], data: new Float64Array(values) }] };
}

function worker(started: readonly HeldWorker[], index: number): HeldWorker {
  const found = started[index];
  if (found === undefined) throw new Error(`no worker ${index}`);
  return found;
}

const valuesOf = (result: PredictResult): number[] => [...(result.outputs[0]?.data ?? [])].map(Number);

test('a worker is given one request at a time', async () => {
  const { pool, started } = await poolOf();
  const first = pool.predict(request(1));
  const second = pool.predict(request(2));
  await settled();
  expect(worker(started, 0).calls).toHaveLength(1);
  worker(started, 0).calls[0]?.answer();
  await first;
  await settled();
  worker(started, 0).calls[1]?.answer();
  expect(valuesOf(await second)).toEqual([2]);
});

test('more requests than may wait are refused as overloaded', async () => {
  const { pool } = await poolOf();
  const waiting = [1, 2, 3, 4, 5].map((value) => pool.predict(request(value)));
  await expect(pool.predict(request(6))).rejects.toMatchObject({ code: 'overloaded' });
  await pool[Symbol.asyncDispose]();
  await Promise.allSettled(waiting.slice(1));
});

test('a request that runs too long fails by itself and its worker is replaced', async () => {
  const { pool, clock, started } = await poolOf();
  const slow = expect(pool.predict(request(1))).rejects.toMatchObject({ code: 'timeout' });
  await settled();
  await clock.advance(500);
  const next = pool.predict(request(2));
  await clock.advance(600);
  await slow;
  expect(started).toHaveLength(2);
  worker(started, 1).calls[0]?.answer();
  expect(valuesOf(await next)).toEqual([2]);
});

test('a request that waits too long is overloaded and never reaches a worker', async () => {
  const { pool, clock, started } = await poolOf({ requestTimeoutMs: 1000 });
  const first = pool.predict(request(1));
  await settled();
  await clock.advance(900);
  const second = pool.predict(request(2));
  worker(started, 0).calls[0]?.answer();
  await first;
  await settled();
  const third = expect(pool.predict(request(3))).rejects.toMatchObject({ code: 'overloaded' });
  await clock.advance(950);
  worker(started, 0).calls[1]?.answer();
  await second;
  const fourth = pool.predict(request(4));
  expect(worker(started, 0).calls.map(({ request: { inputs } }) => inputs[0]?.data[0])).toEqual([1, 2, 3]);
  worker(started, 0).calls[2]?.fail(new IngotError('overloaded', 'said by the model'));
  await third;
  await settled();
  worker(started, 0).calls[3]?.answer();
  await fourth;
});

test('a dying worker costs only the request it was working on', async () => {
  const { pool, started } = await poolOf();
  const first = expect(pool.predict(request(1))).rejects.toMatchObject({ code: 'model-failed' });
  const second = pool.predict(request(2));
  await settled();
  worker(started, 0).kill();
  await first;
  await settled();
  worker(started, 1).calls[0]?.answer();
  expect(valuesOf(await second)).toEqual([2]);
});

test('workers that keep dying are replaced after growing delays', async () => {
  const { clock, started } = await poolOf();
  worker(started, 0).kill();
  await settled();
  expect(started).toHaveLength(2);
  worker(started, 1).kill();
  await clock.advance(400);
  expect(started).toHaveLength(2);
  await clock.advance(200);
  expect(started).toHaveLength(3);
  worker(started, 2).kill();
  await clock.advance(900);
  expect(started).toHaveLength(3);
  await clock.advance(200);
  expect(started).toHaveLength(4);
});

test('when the replacement does not load, requests learn why', async () => {
  let broken = false;
  const made: HeldWorker[] = [];
  const { pool } = await poolOf({
    start: async () => {
      if (broken) throw new IngotError('model-failed', 'no memory');
      const next = new HeldWorker();
      made.push(next);
      return next;
    },
  });
  broken = true;
  worker(made, 0).kill();
  await settled();
  await expect(pool.predict(request(1))).rejects.toMatchObject({
    code: 'model-not-ready',
    message: 'no worker of this model is running: no memory',
  });
});

test('giving up takes a waiting request out of the queue', async () => {
  const { pool, started } = await poolOf();
  const first = pool.predict(request(1));
  const abort = new AbortController();
  const second = expect(pool.predict(request(2), abort.signal)).rejects.toMatchObject({ code: 'interrupted' });
  abort.abort();
  await second;
  worker(started, 0).calls[0]?.answer();
  await first;
  await settled();
  expect(worker(started, 0).calls).toHaveLength(1);
});

test('waiting requests become one call and each gets its own rows', async () => {
  const { pool, started } = await poolOf({ mergeRows: 100 });
  const first = pool.predict(request(1));
  const others = [pool.predict(request(2, 3)), pool.predict(request(4))];
  await settled();
  worker(started, 0).calls[0]?.answer();
  await first;
  await settled();
  expect(worker(started, 0).calls[1]?.request.inputs[0]?.shape).toEqual([3]);
  worker(started, 0).calls[1]?.answer();
  expect((await Promise.all(others)).map(valuesOf)).toEqual([[2, 3], [4]]);
});

test('one bad row in a merged call fails only its own request', async () => {
  const { pool, started } = await poolOf({ mergeRows: 100 });
  const first = pool.predict(request(1));
  const good = pool.predict(request(2));
  const bad = expect(pool.predict(request(Number.NaN))).rejects.toMatchObject({ message: 'NaN' });
  await settled();
  const { calls } = worker(started, 0);
  calls[0]?.answer();
  await first;
  await settled();
  calls[1]?.fail(new IngotError('model-failed', 'one of them'));
  await settled();
  calls[2]?.answer();
  expect(valuesOf(await good)).toEqual([2]);
  await settled();
  calls[3]?.fail(new IngotError('model-failed', 'NaN'));
  await bad;
});

test('an answer says how long its request waited for a worker', async () => {
  const { pool, clock, started } = await poolOf();
  const first = pool.predict(request(1));
  const second = pool.predict(request(1));
  await clock.advance(40);
  started[0]?.calls[0]?.answer();
  await settled();
  started[0]?.calls[1]?.answer();
  expect((await first).queuedMs).toBeUndefined();
  expect((await second).queuedMs).toBe(40);
});
