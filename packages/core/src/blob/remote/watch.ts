import { IngotError } from '../../errors.ts';

/** What a {@link CallWatch} needs to know of the call. */
export interface WatchOptions {
  /** `blob.read`, `blob.write`, … */
  readonly operation: string;
  /** The storage's address, for messages. */
  readonly address: string;
  readonly signal: AbortSignal | undefined;
  /** How long the storage may move no byte. */
  readonly silenceMs: number;
}

/**
 * Watches one call to a storage: its `signal` fires when the caller's does, or when the storage stood still for too
 * long. Time in which the storage waits for us (a slow reader, a slow body) does not count.
 *
 * @example
 * using watch = new CallWatch({ operation: 'blob.stat', address, signal, silenceMs });
 * try { return await request({ signal: watch.signal }); } catch (error) { throw watch.cause(error); }
 */
export class CallWatch implements Disposable {
  readonly signal: AbortSignal;
  readonly #options: WatchOptions;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #onAbort = () => this.#controller.abort(this.#options.signal?.reason);
  #paused = false;
  #stalled = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.signal = this.#controller.signal;
    this.#timer = setTimeout(() => this.#stall(), options.silenceMs);
    if (options.signal?.aborted) this.#onAbort();
    else options.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Notes that bytes moved: the storage has its full time again. */
  progress(): void {
    this.#timer.refresh();
  }

  /** Runs what the storage has to wait for; its time stands still meanwhile. */
  async aside<T>(work: () => Promise<T>): Promise<T> {
    this.pause();
    try {
      return await work();
    } finally {
      this.resume();
    }
  }

  /** Stops counting time. */
  pause(): void {
    this.#paused = true;
  }

  /** Counts time again, from zero. */
  resume(): void {
    this.#paused = false;
    this.#timer.refresh();
  }

  /** Says why the call failed: `interrupted` or `unavailable` when the watch ended it, else the error as it is. */
  cause(error: unknown): unknown {
    const { operation, address, signal, silenceMs } = this.#options;
    if (signal?.aborted)
      return new IngotError('interrupted', `${operation} was interrupted`, { operation, cause: signal.reason });
    if (!this.#stalled) return error;
    return new IngotError('unavailable', `${address} was silent for ${silenceMs / 1000} s`, {
      operation,
      details: { silenceMs },
      cause: error,
    });
  }

  /** Waits for work that cannot be stopped, no longer than the watch lets it. */
  async race<T>(work: Promise<T>): Promise<T> {
    const { signal } = this;
    signal.throwIfAborted();
    let onAbort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
    });
    // When the watch wins, nobody waits for the work any more.
    work.catch(() => {});
    try {
      return await Promise.race([work, aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
  }

  #stall(): void {
    if (this.#paused) {
      this.#timer.refresh();
      return;
    }
    this.#stalled = true;
    this.#controller.abort(new Error('the storage was silent'));
  }
}
