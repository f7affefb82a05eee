/**
 * The *follower* brings the index up to the logs. Events of one log go one after the other; different logs do not wait for
 * each other. What is wrong with a log is written down and shown; the others go on.
 */

import type { BlobStore } from '@ingot/core/blob/blob-store';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { type StoredEvent, tampered } from '@ingot/core/registry/events';
import { LogFiles } from '@ingot/core/registry/log-files';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import type { Log } from '../services.ts';
import { clearProblem, isLasting, noteProblem } from './log-problems.ts';
import { fileOf, type LogPlace, NAMES, placeOf, projectEvents } from './projector.ts';

/** What a follower works with. */
export interface FollowerOptions {
  readonly index: Kysely<IndexTables>;
  readonly blobs: BlobStore;
  readonly log: Log;
  readonly now: () => Date;
  /** Is told of events whose rows this process has written. */
  readonly onProjected: (log: string, events: readonly StoredEvent[]) => void;
}

const FIRST_BATCH = 4;
const LARGEST_BATCH = 256;

/** Projects logs. */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #places = new Map<string, LogPlace>();
  readonly #chains = new Map<string, Promise<void>>();
  readonly #catching = new Map<string, Promise<void>>();
  readonly #seen = new Set<string>();

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** Takes an event that this process has written: it is projected at once. Gives when that has ended, well or not. */
  told(log: string, event: StoredEvent): Promise<void> {
    return this.#queue(log, () => this.#projectFrom(log, event));
  }

  /** Whether the log was looked at since this process started. */
  hasSeen(log: string): boolean {
    return this.#seen.has(log);
  }

  /** Reads on by number until a miss. Whoever asks while somebody else's look has not begun shares it. */
  catchUp(log: string): Promise<void> {
    const waiting = this.#catching.get(log);
    if (waiting !== undefined) return waiting;
    const looking = this.#queue(log, () => {
      this.#catching.delete(log);
      return this.#readOn(log);
    });
    this.#catching.set(log, looking);
    return looking;
  }

  /**
   * Compares what was projected last with the log, and reads on.
   * @throws IngotError `tampered` when the log went back or says something else.
   */
  async verify(log: string): Promise<void> {
    await this.#queue(log, async () => {
      this.#places.delete(log);
      await this.#checkLast(log, await this.#place(log));
      await clearProblem(this.#options.index, log);
    });
    await this.catchUp(log);
  }

  /** How far a log was projected, as this process knows it. */
  async placeOf(log: string): Promise<LogPlace> {
    return this.#place(log);
  }

  /** Waits until everything that was begun has ended. */
  async idle(): Promise<void> {
    while (this.#chains.size > 0) await Promise.allSettled(this.#chains.values());
  }

  #queue(log: string, work: () => Promise<void>): Promise<void> {
    const before = this.#chains.get(log) ?? Promise.resolve();
    const next = before.then(() => this.#guarded(log, work));
    const chain = next.catch(() => {}); // Told to whoever waits for it.
    this.#chains.set(log, chain);
    void chain.then(() => {
      if (this.#chains.get(log) === chain) this.#chains.delete(log);
    });
    return next;
  }

  async #guarded(log: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#places.delete(log);
      this.#seen.delete(log);
      if (isIngotError(error) && isLasting(error)) await this.#note(log, error);
      throw error;
    }
  }

  async #note(log: string, error: IngotError): Promise<void> {
    const isNew = await noteProblem(this.#options.index, log, error, this.#options.now());
    if (isNew) this.#options.log('error', `${log} is not followed: ${error.message}`, { log, code: error.code });
  }

  async #projectFrom(log: string, event: StoredEvent): Promise<void> {
    for (;;) {
      const { seq } = await this.#place(log);
      if (event.head.seq <= seq) return;
      const between = event.head.seq - 1 > seq ? await this.#files(log).readAll(seq + 1, event.head.seq - 1, {}) : [];
      if (between.length !== Math.max(0, event.head.seq - 1 - seq)) throw this.#notShown(log, seq + 1);
      if (await this.#project(log, [...between, event])) return;
    }
  }

  async #readOn(log: string): Promise<void> {
    for (let size = FIRST_BATCH; ; size = Math.min(LARGEST_BATCH, size * 4)) {
      const { seq } = await this.#place(log);
      if (!(await this.#files(log).has(seq + 1, {}))) break;
      const events = whole(await this.#files(log).readAll(seq + 1, seq + size, {}), seq);
      if (events.length === 0) throw this.#notShown(log, seq + 1);
      await this.#project(log, events);
      if (events.length < size) size = FIRST_BATCH;
    }
    this.#seen.add(log);
  }

  /** Says whether the events are in the index now; false: look again where the log stands. */
  async #project(log: string, events: readonly StoredEvent[]): Promise<boolean> {
    const last = events.at(-1);
    if (last === undefined) return true;
    const outcome = await this.#projected(log, events);
    if (outcome === 'done') this.#places.set(log, { seq: last.head.seq, digest: last.digest });
    else this.#places.delete(log);
    if (outcome === 'done') this.#options.onProjected(log, events);
    if (outcome !== 'nameless') return outcome === 'done';
    await this.catchUp(NAMES);
    const row = await this.#options.index.selectFrom('models').select('id').where('id', '=', log).executeTakeFirst();
    if (row !== undefined) return false;
    throw new IngotError('unavailable', `the store does not show the name of ${log} yet`, { retryable: true });
  }

  async #projected(log: string, events: readonly StoredEvent[]) {
    try {
      return await projectEvents(this.#options.index, log, events);
    } catch (error) {
      if (!isIngotError(error, 'integrity', 'refused', 'tampered') || events.length === 1) throw error;
      // What comes before the event that is wrong counts.
      for (const event of events) {
        const outcome = await projectEvents(this.#options.index, log, [event]);
        if (outcome !== 'done') return outcome;
        this.#options.onProjected(log, [event]);
      }
      return 'done';
    }
  }

  async #checkLast(log: string, { seq, digest }: LogPlace): Promise<void> {
    if (seq === 0) return;
    const { blobs } = this.#options;
    const event = await this.#files(log).read(seq, {});
    if (event?.digest === digest) return;
    if (event !== undefined) throw tampered(fileOf(log, seq), 'is not the event that the index knows');
    if ((await blobs.stat('ingot.json')) === undefined || blobs.capabilities.stalenessMs > 0)
      throw this.#notShown(log, seq);
    throw tampered(fileOf(log, seq), 'is missing, though the index knows it');
  }

  #notShown(log: string, seq: number): IngotError {
    return new IngotError('unavailable', `${this.#options.blobs.address} does not show ${fileOf(log, seq)}`, {
      retryable: true,
    });
  }

  async #place(log: string): Promise<LogPlace> {
    const known = this.#places.get(log);
    if (known !== undefined) return known;
    const place = await placeOf(this.#options.index, log);
    this.#places.set(log, place);
    return place;
  }

  #files(log: string): LogFiles {
    return new LogFiles(this.#options.blobs, log === NAMES ? NAMES : `models/${log}`);
  }
}

/** The events up to the first that is not there. */
function whole(events: readonly StoredEvent[], after: number): readonly StoredEvent[] {
  const miss = events.findIndex(({ head }, index) => head.seq !== after + 1 + index);
  return miss < 0 ? events : events.slice(0, miss);
}
