import type { Clock } from '../clock.ts';

interface Failure {
  readonly error: unknown;
  readonly attempts: number;
  readonly retryAt: number;
}

const FIRST_MS = 1000;
const MAX_MS = 60_000;

/** Remembers what failed, so that it is tried again after 1, 2, 4, … 60 seconds and not for every request. */
export class Backoff {
  readonly #clock: Clock;
  readonly #failures = new Map<string, Failure>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The error to answer with while it is too early to try `key` again. */
  tooEarly(key: string): unknown {
    const failure = this.#failures.get(key);
    return failure !== undefined && this.#clock.now() < failure.retryAt ? failure.error : undefined;
  }

  /** Notes a failure; returns the milliseconds until the next attempt. */
  failed(key: string, error: unknown): number {
    const attempts = (this.#failures.get(key)?.attempts ?? 0) + 1;
    const delayMs = Math.min(FIRST_MS * 2 ** (attempts - 1), MAX_MS);
    this.#failures.set(key, { error, attempts, retryAt: this.#clock.now() + delayMs });
    return delayMs;
  }

  /** Forgets the failures of `key`. */
  clear(key: string): void {
    this.#failures.delete(key);
  }
}
