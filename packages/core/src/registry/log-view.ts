import type { BlobOptions } from '../blob/blob-store.ts';
import type { Digest } from '../digest.ts';
import { IngotError } from '../errors.ts';
import type { StoredEvent } from './events.ts';
import { tampered } from './events.ts';
import type { Fold } from './fold.ts';
import { refuseUnknown, slimEvent } from './fold.ts';
import { LogFiles } from './log-files.ts';
import type { LogPosition, LogSnapshot, LogTools, RefreshOptions, RememberedPosition } from './log-snapshot.ts';
import { RunKeeper } from './run-keeper.ts';

const LARGEST_BATCH = 64;

/** How long an event that was seen counts as being there, for a process that stays. */
const FRESH_MS = 1000;

/**
 * One log as it is read: from what was remembered, else from heads and segments, and on by number until a miss. Every
 * event is checked against the one before.
 */
export class LogView<State> {
  readonly files: LogFiles;
  readonly runs: RunKeeper<State>;
  readonly #tools: LogTools;
  readonly #fold: Fold<State>;
  readonly #remembered: RememberedPosition<State> | undefined;
  #position: LogPosition<State> | undefined;
  #isVerified = false;
  /** When the last known event was seen in the storage, by the clock that only goes forward. */
  #seenAt = Number.NEGATIVE_INFINITY;

  /** @param start what a former process remembers; or `new` for a log that was made just now. Default: heads and segments say. */
  constructor(tools: LogTools, prefix: string, fold: Fold<State>, start?: RememberedPosition<State> | 'new') {
    this.#tools = tools;
    this.#fold = fold;
    this.files = new LogFiles(tools.blobs, prefix);
    this.runs = new RunKeeper(tools, prefix, fold, this.files);
    this.#remembered = start === 'new' ? undefined : start;
    if (start === 'new') [this.#position, this.#isVerified] = [this.runs.none(), true];
  }

  /** What is known without asking the storage. */
  get known(): LogPosition<State> | undefined {
    this.#position ??= this.#recalled();
    return this.#position;
  }

  /** Gives the log as it is now, also when it holds events of a newer release. Throws `tampered`. */
  async advance(options: RefreshOptions): Promise<LogPosition<State>> {
    const { known } = this;
    if (known === undefined) return this.#open(options);
    const verifies = !this.#isVerified && !options.trusting;
    const check = verifies
      ? this.#verify(known, options)
      : options.toWrite && !this.isFresh
        ? this.#checkLast(known, options)
        : undefined;
    const [hasNext] = await Promise.all([this.files.has(known.seq + 1, options), check]);
    if (verifies) this.#isVerified = true;
    return hasNext ? this.#follow(known, options, 1) : known;
  }

  /** Whether the last event was seen within a second, by a process that stays. */
  get isFresh(): boolean {
    return this.#tools.beside !== undefined && performance.now() - this.#seenAt < FRESH_MS;
  }

  /** Takes events that follow a position. Throws `tampered` when they do not. */
  take(position: LogPosition<State>, events: readonly StoredEvent[]): LogPosition<State> {
    const last = events.at(-1);
    if (last === undefined) return this.#keep(position);
    let previous = position.digest;
    for (const event of events) {
      this.checkChain(event, previous);
      previous = event.digest;
    }
    const slims = events.map((event) => slimEvent(this.#fold, event));
    const state = this.#fold.apply(position.state, slims, (seq) => this.files.key(seq));
    this.#seenAt = performance.now();
    const run = position.run && this.runs.extend(position.run, slims, events);
    return this.#keep({ seq: last.head.seq, digest: last.digest, at: last.head.at, state, ...(run ? { run } : {}) });
  }

  /** Throws `tampered` when an event does not name the one before it. */
  checkChain(event: StoredEvent, previous: Digest | null): void {
    if (event.head.previous === previous) return;
    throw tampered(this.files.key(event.head.seq), 'does not follow from the event before it', this.#tools.forgetHint);
  }

  /** Throws `refused` when the log holds events that this release must not pass over. */
  refuseUnknown({ state }: LogSnapshot<State>, use: 'read' | 'write'): void {
    refuseUnknown(this.#fold.unknown(state), use, (seq) => this.files.key(seq));
  }

  /** Reads an event that must be there. */
  async event(seq: number, options: BlobOptions): Promise<StoredEvent> {
    return (await this.files.read(seq, options)) ?? this.missing(seq, options);
  }

  /** Throws what it means that an event is not there that must be. */
  async missing(seq: number, options: BlobOptions): Promise<never> {
    const { blobs, forgetHint, follows } = this.#tools;
    if ((await blobs.stat(FIRST_NAME, options)) === undefined)
      throw new IngotError('store-not-found', `there is no store at ${blobs.address} any more`, {
        retryable: true,
        details: { address: blobs.address },
      });
    if (blobs.capabilities.stalenessMs > 0 || follows !== undefined)
      throw new IngotError('unavailable', `${blobs.address} does not show ${this.files.key(seq)} yet`);
    throw tampered(this.files.key(seq), 'is missing, though it was there or a later event is', forgetHint);
  }

  #recalled(): LogPosition<State> | undefined {
    const state = this.#remembered?.state();
    if (this.#remembered === undefined || state === undefined) return undefined;
    const { seq, digest, at } = this.#remembered;
    return { seq, digest, at, state };
  }

  async #open(options: BlobOptions): Promise<LogPosition<State>> {
    const checks = this.#remembered && this.#verify(this.#remembered, options);
    const [start] = await Promise.all([this.runs.start(options), checks]);
    this.#isVerified = true;
    return this.#follow(start, options, 4);
  }

  // Reads on until a miss, in batches that double.
  async #follow(from: LogPosition<State>, options: BlobOptions, firstBatch: number): Promise<LogPosition<State>> {
    let position = from;
    for (let size = firstBatch; ; size = Math.min(LARGEST_BATCH, size * 2)) {
      const next = position.seq + 1;
      const read = (_: unknown, index: number) => this.files.read(next + index, options);
      const batch = await Promise.all(Array.from({ length: size }, read));
      const events = await this.#untilMiss(batch, next, options);
      position = this.take(position, events);
      if (events.length < size) return position;
    }
  }

  async #untilMiss(batch: readonly (StoredEvent | undefined)[], first: number, options: BlobOptions) {
    const miss = batch.indexOf(undefined);
    const events = batch.slice(0, miss < 0 ? undefined : miss).filter((event) => event !== undefined);
    // The reads of a batch race with writers: only what is still missing after a later one was seen is a hole.
    const laterSeen = miss >= 0 && batch.slice(miss).some((event) => event !== undefined);
    // A bucket that its storage replicates gets events in any order: the log ends before the first that is not there yet.
    if (laterSeen && this.#tools.follows !== undefined) return events;
    if (laterSeen && !(await this.files.has(first + miss, options))) await this.missing(first + miss, options);
    return events;
  }

  #keep(position: LogPosition<State>): LogPosition<State> {
    if (this.#position === undefined || position.seq > this.#position.seq) this.#position = position;
    return position;
  }

  async #checkLast({ seq }: LogSnapshot<State>, options: BlobOptions): Promise<void> {
    if (seq > 0 && !(await this.files.has(seq, options))) await this.missing(seq, options);
    this.#seenAt = performance.now();
  }

  // What was remembered must still be in the log: a log that goes back or says something else was tampered with.
  async #verify({ seq, digest }: Pick<LogSnapshot<State>, 'seq' | 'digest'>, options: BlobOptions): Promise<void> {
    if (seq === 0 || (await this.event(seq, options)).digest === digest) return;
    throw tampered(this.files.key(seq), 'is not the event that it was', this.#tools.forgetHint);
  }
}

const FIRST_NAME = 'names/log/0000000001.json';
