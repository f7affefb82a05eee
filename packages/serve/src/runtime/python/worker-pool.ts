import { IngotError } from '@ingot/core/errors';
import type { PredictRequest, PredictResult } from '@ingot/core/serving/runtime';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { merge, mergeable, rowsOf, split } from '../merge.ts';

/** What the pool needs of a worker; {@link WorkerProcess} in earnest. */
export interface PoolWorker {
  readonly memoryBytes: number;
  predict(request: PredictRequest): Promise<PredictResult>;
  kill(): void;
  stop(): Promise<void>;
  onExit(listener: () => void): void;
}

/** How a pool behaves. */
export interface PoolSettings<Worker extends PoolWorker> {
  /** How many workers. */
  readonly size: number;
  readonly start: (signal?: AbortSignal) => Promise<Worker>;
  /** A request that runs longer fails with `timeout` and its worker is replaced; one that waits longer is `overloaded`. */
  readonly requestTimeoutMs: number;
  /** How many requests may wait; the next one is `overloaded`. */
  readonly queueLimit: number;
  /** Up to how many rows waiting requests are merged into one call; 0: never. */
  readonly mergeRows: number;
  readonly clock: Clock;
  readonly log: Log;
}

interface Job {
  readonly request: PredictRequest;
  readonly resolve: (result: PredictResult) => void;
  readonly reject: (error: unknown) => void;
  /** Set after a merged call failed: this request is asked by itself. */
  alone: boolean;
  cancelTimer: () => void;
  /** When it began to wait for a free worker, and how long it waited in the end. */
  queuedAt?: number;
  queuedMs?: number;
}

const MAX_BACKOFF_MS = 30_000;

/**
 * The workers of one version. A request goes to whichever worker is free; a worker that dies or does not answer in time
 * costs the request it was working on and is replaced, at once the first time, then with growing delays.
 */
export class WorkerPool<Worker extends PoolWorker> implements AsyncDisposable {
  readonly #settings: PoolSettings<Worker>;
  readonly #alive = new Set<Worker>();
  readonly #idle: Worker[] = [];
  #queue: Job[] = [];
  #failures = 0;
  readonly #closing = new AbortController();
  #lastFailure: unknown;

  private constructor(settings: PoolSettings<Worker>) {
    this.#settings = settings;
  }

  /** Starts a pool and waits for its first worker; the others follow in the background. Throws what loading throws. */
  static async start<Worker extends PoolWorker>(
    settings: PoolSettings<Worker>,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<{ readonly pool: WorkerPool<Worker>; readonly first: Worker }> {
    const pool = new WorkerPool(settings);
    const first = await settings.start(options.signal);
    pool.#adopt(first);
    for (let count = 1; count < settings.size; count++) void pool.#replace();
    return { pool, first };
  }

  /** Memory of all workers, as last reported. */
  get memoryBytes(): number {
    let sum = 0;
    for (const worker of this.#alive) sum += worker.memoryBytes;
    return sum;
  }

  /** Answers one request; see {@link PoolSettings} for what can go wrong. Aborting gives up waiting. */
  predict(request: PredictRequest, signal?: AbortSignal): Promise<PredictResult> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(interrupted());
      if (this.#closing.signal.aborted) return reject(new IngotError('model-not-ready', 'the model is being unloaded'));
      if (this.#alive.size === 0 && this.#lastFailure !== undefined) return reject(this.#noWorker());
      if (this.#idle.length === 0 && this.#queue.length >= this.#settings.queueLimit) return reject(this.#full());
      const job: Job = { request, resolve, reject, alone: false, cancelTimer: () => {} };
      if (signal !== undefined) this.#giveUpOn(job, signal);
      this.#queue.push(job);
      this.#dispatch();
      if (this.#queue.includes(job)) this.#limitWaiting(job);
    });
  }

  /** Stops all workers; waiting requests fail with `model-not-ready`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#rejectWaiting(new IngotError('model-not-ready', 'the model is being unloaded'));
    await Promise.all([...this.#alive].map((worker) => worker.stop()));
  }

  #giveUpOn(job: Job, signal: AbortSignal): void {
    const { resolve, reject } = job;
    const onAbort = (): void => {
      if (this.#remove(job)) job.cancelTimer();
      reject(interrupted());
    };
    signal.addEventListener('abort', onAbort, { once: true });
    Object.assign(job, {
      resolve: (result: PredictResult) => {
        signal.removeEventListener('abort', onAbort);
        resolve(result);
      },
      reject: (error: unknown) => {
        signal.removeEventListener('abort', onAbort);
        reject(error);
      },
    });
  }

  #limitWaiting(job: Job): void {
    const { clock, requestTimeoutMs } = this.#settings;
    job.queuedAt ??= clock.now();
    job.cancelTimer = clock.after(requestTimeoutMs, () => {
      if (!this.#remove(job)) return;
      job.reject(new IngotError('overloaded', `no worker was free within ${requestTimeoutMs / 1000} s`));
    });
  }

  #remove(job: Job): boolean {
    const index = this.#queue.indexOf(job);
    if (index >= 0) this.#queue.splice(index, 1);
    return index >= 0;
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const worker = this.#idle.pop();
      if (worker === undefined) return;
      const [first, ...others] = this.#take();
      if (first !== undefined) void this.#run(worker, [first, ...others]);
    }
  }

  /** The next job, with those behind it that can be answered in the same call. */
  #take(): readonly Job[] {
    const [first] = this.#queue;
    if (first === undefined) return [];
    const { mergeRows } = this.#settings;
    if (mergeRows === 0 || first.alone || this.#queue.length === 1) return this.#queue.splice(0, 1);
    const taken = [first];
    let rows = rowsOf(first.request);
    const left: Job[] = [];
    for (const job of this.#queue.slice(1)) {
      const more = rowsOf(job.request);
      if (!job.alone && rows + more <= mergeRows && mergeable(first.request, job.request)) {
        taken.push(job);
        rows += more;
      } else left.push(job);
    }
    this.#queue = left;
    return taken;
  }

  async #run(worker: Worker, jobs: readonly [Job, ...Job[]]): Promise<void> {
    const { clock, requestTimeoutMs } = this.#settings;
    for (const job of jobs) {
      job.cancelTimer();
      if (job.queuedAt !== undefined) job.queuedMs = clock.now() - job.queuedAt;
    }
    let late = false;
    const cancel = clock.after(requestTimeoutMs, () => {
      late = true;
      worker.kill();
    });
    try {
      const [first, ...rest] = jobs;
      const result = await worker.predict(merge([first.request, ...rest.map(({ request }) => request)]));
      this.#failures = 0;
      this.#deliver(jobs, result);
    } catch (error) {
      this.#failed(jobs, late ? this.#late() : error);
    } finally {
      cancel();
      if (this.#alive.has(worker)) this.#idle.push(worker);
      this.#dispatch();
    }
  }

  #deliver(jobs: readonly [Job, ...Job[]], result: PredictResult): void {
    if (jobs.length === 1) {
      jobs[0].resolve(afterWaiting(jobs[0], result));
      return;
    }
    const results = split(
      result,
      jobs.map(({ request }) => rowsOf(request)),
    );
    if (results === undefined) {
      this.#retryAlone(jobs);
      return;
    }
    jobs.forEach((job, index) => {
      const part = results[index];
      if (part !== undefined) job.resolve(afterWaiting(job, part));
    });
  }

  #failed(jobs: readonly Job[], error: unknown): void {
    if (jobs.length > 1) {
      this.#retryAlone(jobs);
      return;
    }
    for (const job of jobs) job.reject(error);
  }

  /** One bad row must not fail the others: each request of a failed merged call is asked again by itself. */
  #retryAlone(jobs: readonly Job[]): void {
    for (const job of jobs) {
      job.alone = true;
      this.#limitWaiting(job);
    }
    this.#queue.unshift(...jobs);
  }

  #adopt(worker: Worker): void {
    this.#alive.add(worker);
    this.#idle.push(worker);
    this.#lastFailure = undefined;
    worker.onExit(() => {
      this.#alive.delete(worker);
      const index = this.#idle.indexOf(worker);
      if (index >= 0) this.#idle.splice(index, 1);
      if (this.#closing.signal.aborted) return;
      this.#scheduleReplacement();
    });
    this.#dispatch();
  }

  #scheduleReplacement(): void {
    const failures = this.#failures++;
    const delayMs = failures === 0 ? 0 : Math.min(500 * 2 ** (failures - 1), MAX_BACKOFF_MS);
    if (delayMs > 0) this.#settings.log('warn', `the next worker starts in ${delayMs / 1000} s`);
    if (delayMs === 0) void this.#replace();
    else this.#settings.clock.after(delayMs, () => void this.#replace());
  }

  async #replace(): Promise<void> {
    const { signal } = this.#closing;
    if (signal.aborted) return;
    try {
      const worker = await this.#settings.start(signal);
      if (signal.aborted) return await worker.stop();
      this.#adopt(worker);
    } catch (error) {
      if (signal.aborted) return;
      this.#lastFailure = error;
      this.#settings.log('error', `a worker could not be replaced: ${error instanceof Error ? error.message : error}`);
      this.#scheduleReplacement();
      if (this.#alive.size === 0) this.#rejectWaiting(this.#noWorker());
    }
  }

  #rejectWaiting(error: IngotError): void {
    for (const job of this.#queue.splice(0)) {
      job.cancelTimer();
      job.reject(error);
    }
  }

  #noWorker(): IngotError {
    const why = this.#lastFailure instanceof Error ? `: ${this.#lastFailure.message}` : '';
    return new IngotError('model-not-ready', `no worker of this model is running${why}`);
  }

  #full(): IngotError {
    const { queueLimit } = this.#settings;
    return new IngotError('overloaded', `${queueLimit} requests are waiting for this model already`, {
      details: { queueLimit },
    });
  }

  #late(): IngotError {
    const seconds = this.#settings.requestTimeoutMs / 1000;
    return new IngotError('timeout', `the model did not answer within ${seconds} s; its worker is being replaced`, {
      retryable: false,
    });
  }
}

/** The answer, with how long its request waited for a worker. */
function afterWaiting({ queuedMs }: Job, result: PredictResult): PredictResult {
  return queuedMs === undefined ? result : { ...result, queuedMs };
}

function interrupted(): IngotError {
  return new IngotError('interrupted', 'the caller gave up waiting');
}
