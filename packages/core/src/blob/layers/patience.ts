/** *Patience* is how long and how often a storage is asked again. */

import type { IngotError } from '../../errors.ts';
import { isIngotError } from '../../errors.ts';
import { stopIfInterrupted } from '../interrupt.ts';

/** How calls are repeated. */
export interface RetryOptions {
  /** How often one call is made at most while it gets nowhere. Default: 7, about 6 seconds of waiting. */
  readonly attempts?: number;
  /** How often a storage is asked that has not answered yet: its address may be wrong. Default: 3, or `attempts` if fewer. */
  readonly firstAttempts?: number;
  /** The first wait is at most this long, each next one at most twice as long. Default: 200 ms. */
  readonly baseDelayMs?: number;
  /** No wait is longer, unless the storage asks for it. Default: 8 seconds. */
  readonly maxDelayMs?: number;
  /** Nothing is repeated when a call has got nowhere for this long, as where a firewall swallows it. Default: one minute. */
  readonly patienceMs?: number;
  /** A number from 0 up to 1. Default: `Math.random`. */
  readonly random?: () => number;
  /** Waits. Default: a timer that the signal ends. */
  readonly sleep?: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
  /** Milliseconds of a clock that only goes forward. Default: `performance.now`. */
  readonly clock?: () => number;
  /** Is told before each wait. */
  readonly onRetry?: (failure: IngotError, attempt: number, delayMs: number) => void;
}

/** One call that may be repeated. */
export interface Course {
  /** The call got somewhere: its failures so far no longer count. */
  progressed(): void;
  /** Waits before the next attempt, or throws what it was given. */
  failed(thrown: unknown): Promise<void>;
}

/** Decides about repeating; knows whether the storage answers. One for each store. */
export class Patience {
  readonly #options: Required<Omit<RetryOptions, 'onRetry'>> & Pick<RetryOptions, 'onRetry'>;
  #standing: 'unknown' | 'answers' | 'away' = 'unknown';

  constructor(options: RetryOptions) {
    const attempts = options.attempts ?? 7;
    this.#options = {
      attempts,
      firstAttempts: Math.min(options.firstAttempts ?? 3, attempts),
      baseDelayMs: options.baseDelayMs ?? 200,
      maxDelayMs: options.maxDelayMs ?? 8000,
      patienceMs: options.patienceMs ?? 60_000,
      random: options.random ?? Math.random,
      sleep: options.sleep ?? sleep,
      clock: options.clock ?? (() => performance.now()),
      onRetry: options.onRetry,
    };
  }

  /** The storage did what it was asked. */
  answered(): void {
    this.#standing = 'answers';
  }

  /** Counts the failures of one call since it last got somewhere. */
  course(signal: AbortSignal | undefined): Course {
    let failures = 0;
    let since: number | undefined;
    return {
      progressed: () => {
        this.answered();
        failures = 0;
        since = undefined;
      },
      failed: async (thrown) => {
        failures += 1;
        since ??= this.#options.clock();
        await this.#waitOrThrow(thrown, failures, since, signal);
      },
    };
  }

  async #waitOrThrow(thrown: unknown, failures: number, since: number, signal: AbortSignal | undefined): Promise<void> {
    if (!isIngotError(thrown) || !thrown.retryable || signal?.aborted === true) throw thrown;
    // Whoever says "slow down" answers.
    if (thrown.code === 'overloaded') this.answered();
    const { clock, patienceMs, random, sleep: wait, onRetry } = this.#options;
    if (failures >= this.#attempts() || clock() - since >= patienceMs) {
      if (thrown.code !== 'overloaded') this.#standing = 'away';
      throw thrown;
    }
    const delayMs = Math.max(random() * this.#longest(failures), askedWait(thrown));
    onRetry?.(thrown, failures, delayMs);
    await wait(delayMs, signal);
    stopIfInterrupted(signal, thrown.operation ?? 'blob');
  }

  #attempts(): number {
    const { attempts, firstAttempts } = this.#options;
    return { unknown: firstAttempts, answers: attempts, away: 1 }[this.#standing];
  }

  #longest(failures: number): number {
    const { baseDelayMs, maxDelayMs } = this.#options;
    return Math.min(maxDelayMs, baseDelayMs * 2 ** (failures - 1));
  }

  /** Does work that either succeeds or fails as a whole. */
  async repeat<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const course = this.course(signal);
    for (;;) {
      try {
        const result = await work();
        this.answered();
        return result;
      } catch (thrown) {
        await course.failed(thrown);
      }
    }
  }
}

/** A storage may say how long to stay away (`Retry-After`); backends put it into the error. Half a minute at most. */
function askedWait({ details }: IngotError): number {
  const asked = details.retryAfterMs;
  return typeof asked === 'number' && asked > 0 ? Math.min(asked, 30_000) : 0;
}

function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener('abort', done, { once: true });
    if (signal?.aborted === true) done();
  });
}
