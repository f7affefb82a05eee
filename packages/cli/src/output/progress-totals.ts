import type { ProgressEvent } from '@ingot/core/progress';

/** Rates are over this long, so that they do not jump. */
const WINDOW_MS = 5000;
const SAMPLE_MS = 200;
/** Nothing is foretold from less than this: of time, and of what there is to do (a thousandth, at most a megabyte). */
const FIRST_MS = 1000;
const FIRST_SHARE = 1000;
const FIRST_BYTES = 1_000_000;

interface Sample {
  readonly at: number;
  readonly done: number;
}

/** Sums of the phase that is going on, how fast it goes, and when it will be done. */
export class ProgressTotals {
  done = 0;
  total = 0;
  /** Of what is done: what had to be moved, and what was there already; undefined when nobody says. */
  fresh: number | undefined;
  known: number | undefined;
  readonly #now: () => number;
  #phase: ProgressEvent['phase'] | undefined;
  readonly #seen = new Map<string, ProgressEvent>();
  #samples: Sample[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  get files(): number {
    return this.#seen.size;
  }

  /** Bytes a second lately; undefined at first. */
  get rate(): number | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined || last.at - first.at < FIRST_MS) return undefined;
    return ((last.done - first.done) * 1000) / (last.at - first.at);
  }

  /** Seconds until all is done, if it goes on like this; undefined when that cannot be said. */
  get secondsLeft(): number | undefined {
    const { rate } = this;
    if (rate === undefined || rate <= 0 || this.done < Math.min(this.total / FIRST_SHARE, FIRST_BYTES))
      return undefined;
    return (this.total - this.done) / rate;
  }

  /** Whether there is more to sum up than the event itself says; what an installer says is not about bytes. */
  matterFor(event: ProgressEvent): boolean {
    return this.total > 0 && event.message === undefined && (this.files > 1 || this.rate !== undefined);
  }

  add(event: ProgressEvent): void {
    if (event.phase !== this.#phase) this.#begin(event.phase);
    const before = this.#seen.get(event.path);
    // It began again: a rate from before would be below zero.
    if (before !== undefined && event.doneBytes < before.doneBytes) this.#samples = [];
    this.done += event.doneBytes - (before?.doneBytes ?? 0);
    this.total += event.totalBytes - (before?.totalBytes ?? 0);
    if (event.newBytes !== undefined) this.fresh = (this.fresh ?? 0) + event.newBytes - (before?.newBytes ?? 0);
    if (event.storedBytes !== undefined)
      this.known = (this.known ?? 0) + event.storedBytes - (before?.storedBytes ?? 0);
    this.#seen.set(event.path, event);
    this.#sample();
  }

  #begin(phase: ProgressEvent['phase']): void {
    this.#phase = phase;
    this.#seen.clear();
    this.#samples = [];
    this.done = 0;
    this.total = 0;
    this.fresh = undefined;
    this.known = undefined;
  }

  #sample(): void {
    const at = this.#now();
    const last = this.#samples.at(-1);
    if (last !== undefined && at - last.at < SAMPLE_MS) return;
    this.#samples.push({ at, done: this.done });
    while ((this.#samples[1]?.at ?? at) < at - WINDOW_MS) this.#samples.shift();
  }
}
