import { setTimeout as sleep } from 'node:timers/promises';
import type { BlobOptions } from '../blob/blob-store.ts';
import { digestOf } from '../digest.ts';
import { isIngotError } from '../errors.ts';
import type { StoredEvent } from './events.ts';
import type { Fold, SlimEvent } from './fold.ts';
import { slimEvent } from './fold.ts';
import type { LogFiles } from './log-files.ts';
import type { LogPosition, LogTools } from './log-snapshot.ts';
import type { Run } from './run.ts';
import { HEAD_EVENTS, RunCache, SEGMENT_EVENTS, segmentStart } from './run-cache.ts';

/** Stands in a run without events, whose digest nobody reads. */
const NO_DIGEST = digestOf('');

/** How long after a head a process that stays writes the next one. */
const HEADS_APART_MS = 1000;

/** What is to be written: full segments, and where the log is. */
interface Waiting<State> {
  readonly due: readonly Run[];
  readonly head: LogPosition<State> | undefined;
}

/** Turns heads and segments into a place to start reading from, and what was read into heads and segments. */
export class RunKeeper<State> {
  readonly #tools: LogTools;
  readonly #fold: Fold<State>;
  readonly #files: LogFiles;
  readonly #cache: RunCache;
  #full: Run[] = [];
  #waiting: Waiting<State> | undefined;
  #isSaving = false;

  constructor(tools: LogTools, prefix: string, fold: Fold<State>, files: LogFiles) {
    this.#tools = tools;
    this.#fold = fold;
    this.#files = files;
    this.#cache = new RunCache(tools.blobs, prefix, fold, { warn: tools.warn, stays: tools.beside !== undefined });
  }

  /** Where reading starts: after the last event that heads and segments vouch for, else before the first. */
  async start(options: BlobOptions): Promise<LogPosition<State>> {
    const runs = await this.#cache.load(options);
    const position = await this.#checked(runs, options);
    return position ?? this.none();
  }

  /** Where a log begins: before the first event. */
  none(): LogPosition<State> {
    return { seq: 0, digest: null, at: null, state: this.#fold.initial, run: this.#empty(1, null) };
  }

  /** Adds events to a run; one that reaches 256 is due as a segment, and the next one begins. */
  extend(run: Run, slims: readonly SlimEvent[], events: readonly StoredEvent[]): Run {
    let current = run;
    for (const [index, slim] of slims.entries()) {
      const digest = events[index]?.digest ?? current.digest;
      current = { ...current, digest, events: [...current.events, slim] };
      if (current.events.length < SEGMENT_EVENTS) continue;
      this.#full.push(current);
      current = this.#empty(slim.seq + 1, digest);
    }
    return current;
  }

  /** Writes what is due after an append; beside the answer where the process stays, and then at most one head a second. */
  async save(position: LogPosition<State>, options: BlobOptions): Promise<void> {
    const due = this.#full;
    this.#full = [];
    const head = position.seq % HEAD_EVENTS === 0 ? position : undefined;
    if (due.length === 0 && head === undefined) return;
    const { beside } = this.#tools;
    if (beside === undefined) return this.#write(due, head, options);
    this.#waiting = { due: [...(this.#waiting?.due ?? []), ...due], head: head ?? this.#waiting?.head };
    if (this.#isSaving) return;
    this.#isSaving = true;
    beside(this.#saveOn());
  }

  // What becomes due while one is written, or was a moment ago, is written together: only the last head is of use.
  async #saveOn(): Promise<void> {
    try {
      for (let next = this.#waiting; next !== undefined; next = this.#waiting) {
        this.#waiting = undefined;
        await this.#write(next.due, next.head, {});
        await pause(HEADS_APART_MS, this.#tools.ending);
      }
    } finally {
      this.#isSaving = false;
    }
  }

  // They only save reading: a failure is told and changes nothing.
  async #write(due: readonly Run[], position: LogPosition<State> | undefined, options: BlobOptions): Promise<void> {
    try {
      const head = position && (await this.#runTo(position, options));
      for (const run of [...due, ...(head ? [head] : [])]) await this.#cache.save(run, options);
    } catch (error) {
      if (!isIngotError(error) || error.code === 'interrupted') throw error;
      this.#tools.warn(`the heads of ${this.#files.prefix} could not be written: ${error.message}`);
    }
  }

  // Damage shows in a run's own digest; whether it fits the log shows in the log's event.
  async #checked(runs: readonly Run[], options: BlobOptions): Promise<LogPosition<State> | undefined> {
    const events = runs.flatMap((run) => run.events);
    const lastRun = runs.at(-1);
    const last = events.at(-1);
    if (lastRun === undefined || last === undefined) return undefined;
    const { digest } = lastRun;
    const state = this.#folded(events);
    if (state === undefined || (await this.#files.read(last.seq, options))?.digest !== digest) {
      this.#tools.warn(`the cached heads of ${this.#files.prefix} do not fit the log, so the events are read instead`);
      return undefined;
    }
    const run = lastRun.events.length === SEGMENT_EVENTS ? this.#empty(last.seq + 1, digest) : lastRun;
    return { seq: last.seq, digest, at: last.at, state, run };
  }

  #folded(events: readonly SlimEvent[]): State | undefined {
    try {
      return this.#fold.apply(this.#fold.initial, events, (seq) => this.#files.key(seq));
    } catch (error) {
      if (!isIngotError(error, 'integrity')) throw error;
      return undefined;
    }
  }

  // Who started from a remembered state has not seen the events since the last segment: the last head has most of them.
  async #runTo(position: LogPosition<State>, options: BlobOptions): Promise<Run | undefined> {
    if (position.run !== undefined) return position.run.events.length > 0 ? position.run : undefined;
    const start = segmentStart(position.seq);
    const head = await this.#cache.head(position.seq - HEAD_EVENTS, options);
    const before = head?.from === start + 1 ? head : undefined;
    const from = before ? before.from + before.events.length : start + 1;
    const events = await this.#files.readAll(from, position.seq, options);
    const [first] = events;
    const isWhole = events.length === position.seq - from + 1;
    if (first === undefined || !isWhole || position.digest === null) return undefined;
    if (before && first.head.previous !== before.digest) return undefined;
    return {
      ...this.#empty(start + 1, before ? before.previous : first.head.previous),
      digest: position.digest,
      events: [...(before?.events ?? []), ...events.map((event) => slimEvent(this.#fold, event))],
    };
  }

  #empty(from: number, previous: Run['previous']): Run {
    return { fold: this.#fold.version, from, previous, digest: NO_DIGEST, events: [] };
  }
}

async function pause(ms: number, ending: AbortSignal | undefined): Promise<void> {
  // An end that comes early is none that failed.
  await sleep(ms, undefined, { ref: false, ...(ending && { signal: ending }) }).catch(() => {});
}
