import { setTimeout as sleep } from 'node:timers/promises';
import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import { bodyOf } from '../blob/bytes.ts';
import type { Digest } from '../digest.ts';
import { digestOf } from '../digest.ts';
import { IngotError, isIngotError } from '../errors.ts';
import type { EventDraft, StoredEvent } from './events.ts';
import { encodeEvent, tampered } from './events.ts';
import type { Fold, SlimEvent } from './fold.ts';
import { refuseUnknown, slimEvent } from './fold.ts';
import { LogFiles } from './log-files.ts';
import { HEAD_EVENTS, RunCache, SEGMENT_EVENTS, segmentStart } from './run-cache.ts';
import type { Run } from './run.ts';

/** What the logs of one store share. */
export interface LogTools {
  readonly blobs: BlobStore;
  /** Who writes, for the events. */
  readonly actor: string;
  readonly now: () => Date;
  readonly random: (size: number) => Uint8Array;
  /** Is told once of each cache that had to be passed over. */
  readonly warn: (message: string) => void;
  /** Throws `refused` when this machine's clock is off. */
  readonly checkClock: (options: BlobOptions) => Promise<void>;
  /** What to do when a log is not the one that was remembered; a hint for people. */
  readonly forgetHint?: string;
}

/** A log up to some event. */
export interface LogSnapshot<State> {
  /** 0: nothing was written yet. */
  readonly seq: number;
  readonly digest: Digest | null;
  /** Time of the last event. */
  readonly at: string | null;
  readonly state: State;
}

/** What `append` gives: the log with the event, and the event, or none when there was nothing to do. */
export interface Appended<State> {
  readonly snapshot: LogSnapshot<State>;
  readonly event?: StoredEvent;
}

/** Options of `refresh`. */
export interface RefreshOptions extends BlobOptions {
  /** Ask only for new events, and take what was remembered for granted. One request when there are none. */
  readonly trusting?: boolean;
}

/** What a former process remembers of a log: where it was, and its state if that was kept. */
export interface RememberedPosition<State> {
  readonly seq: number;
  readonly digest: Digest;
  readonly at: string;
  /** Reads the state, if it was kept. */
  state(): State | undefined;
}

interface Position<State> extends LogSnapshot<State> {
  /** Events since the last full segment, when they are known: what a head is made of. */
  readonly run?: Run;
}

const LARGEST_BATCH = 64;
const LONGEST_PAUSE_MS = 40;

/**
 * One append-only log, read as its fold. Reading starts from what was remembered, else from heads and segments, and goes
 * on by number until a miss; appending creates the next number if it is absent, or reads on and tries again.
 */
export class EventLog<State> {
  readonly #tools: LogTools;
  readonly #fold: Fold<State>;
  readonly #files: LogFiles;
  readonly #cache: RunCache;
  #position: Position<State> | undefined;
  readonly #remembered: RememberedPosition<State> | undefined;
  #isVerified = false;
  #unsaved: Run[] = [];

  /**
   * @param prefix the log's keys are `<prefix>/log/…`, `<prefix>/heads/…` and `<prefix>/segments/…`.
   * @param remembered where a former process left off; checked against the log before it is relied on.
   */
  constructor(tools: LogTools, prefix: string, fold: Fold<State>, remembered?: RememberedPosition<State>) {
    this.#tools = tools;
    this.#fold = fold;
    this.#files = new LogFiles(tools.blobs, prefix);
    this.#cache = new RunCache(tools.blobs, prefix, fold.version, tools.warn);
    this.#remembered = remembered;
  }

  /** What is known without asking the storage. */
  get known(): LogSnapshot<State> | undefined {
    return this.#position ?? this.#recall();
  }

  /**
   * Gives the log as it is now. One request when nothing is new.
   * @throws IngotError `tampered` when it is not what it was, `refused` when it holds events of a newer release.
   */
  async refresh(options: RefreshOptions = {}): Promise<LogSnapshot<State>> {
    const position = await this.#advance(options);
    refuseUnknown(this.#fold.unknown(position.state), 'read', (seq) => this.#files.key(seq));
    return position;
  }

  /**
   * Appends what `decide` wants, given the log as it is at that very number; when somebody else takes the number,
   * `decide` is asked again. Undefined: nothing to do.
   */
  async append(
    decide: (snapshot: LogSnapshot<State>) => EventDraft | undefined,
    options: BlobOptions = {},
  ): Promise<Appended<State>> {
    await this.#tools.checkClock(options);
    const id = this.#hex(16);
    for (let attempt = 1; ; attempt += 1) {
      const position = await this.#advance(options);
      refuseUnknown(this.#fold.unknown(position.state), 'write', (seq) => this.#files.key(seq));
      const draft = decide(position);
      if (draft === undefined) return { snapshot: position };
      await this.#checkLast(position, options);
      const written = await this.#write(position, draft, id, options);
      if (written !== undefined) {
        const snapshot = this.#take(position, [written]);
        await this.#saveRuns(snapshot, options);
        return { snapshot, event: written };
      }
      await this.#pause(attempt, options);
    }
  }

  /** Reads one event. Throws `tampered` when it is missing. */
  async event(seq: number, options: BlobOptions = {}): Promise<StoredEvent> {
    return (await this.#files.read(seq, options)) ?? this.#missing(seq, options);
  }

  /** Streams the events up to `end` (default: all there are) in order, each checked against the one before. */
  async *events(end?: number, options: BlobOptions = {}): AsyncGenerator<StoredEvent> {
    const last = end ?? (await this.refresh(options)).seq;
    let previous: Digest | null = null;
    for (let from = 1; from <= last; from += LARGEST_BATCH) {
      const size = Math.min(LARGEST_BATCH, last - from + 1);
      const batch = await Promise.all(Array.from({ length: size }, (_, index) => this.event(from + index, options)));
      for (const event of batch) {
        this.#checkChain(event, previous);
        previous = event.digest;
        yield event;
      }
    }
  }

  async #advance(options: RefreshOptions): Promise<Position<State>> {
    const known = this.#position ?? this.#recall();
    if (known === undefined) return this.#openAll(options);
    if (this.#isVerified || options.trusting) {
      return (await this.#files.has(known.seq + 1, options)) ? this.#follow(known, options, 1) : known;
    }
    const [, hasNext] = await Promise.all([this.#verify(known, options), this.#files.has(known.seq + 1, options)]);
    this.#isVerified = true;
    return hasNext ? this.#follow(known, options, 1) : known;
  }

  #recall(): Position<State> | undefined {
    const { seq, digest, at } = this.#remembered ?? {};
    const state = this.#remembered?.state();
    if (seq === undefined || digest === undefined || at === undefined || state === undefined) return undefined;
    this.#position = { seq, digest, at, state };
    return this.#position;
  }

  async #openAll(options: BlobOptions): Promise<Position<State>> {
    const [start] = await Promise.all([
      this.#open(options),
      this.#remembered && this.#verify(this.#remembered, options),
    ]);
    this.#isVerified = true;
    return this.#follow(start, options, 4);
  }

  // Reads on until a miss, in batches that double.
  async #follow(from: Position<State>, options: BlobOptions, firstBatch: number): Promise<Position<State>> {
    let position = from;
    for (let size = firstBatch; ; size = Math.min(LARGEST_BATCH, size * 2)) {
      const next = position.seq + 1;
      const read = (_: unknown, index: number) => this.#files.read(next + index, options);
      const batch = await Promise.all(Array.from({ length: size }, read));
      const events = await this.#untilMiss(batch, next, options);
      position = this.#take(position, events);
      if (events.length < size) return position;
    }
  }

  async #untilMiss(batch: readonly (StoredEvent | undefined)[], first: number, options: BlobOptions) {
    const miss = batch.indexOf(undefined);
    const events = batch.slice(0, miss < 0 ? undefined : miss).filter((event) => event !== undefined);
    // The reads of a batch race with writers: only what is still missing after a later one was seen is a hole.
    const laterSeen = miss >= 0 && batch.slice(miss).some((event) => event !== undefined);
    if (laterSeen && !(await this.#files.has(first + miss, options))) await this.#missing(first + miss, options);
    return events;
  }

  #take(position: Position<State>, events: readonly StoredEvent[]): Position<State> {
    const last = events.at(-1);
    if (last === undefined) return this.#keep(position);
    let previous = position.digest;
    for (const event of events) {
      this.#checkChain(event, previous);
      previous = event.digest;
    }
    const slims = events.map((event) => slimEvent(this.#fold, event));
    const state = this.#fold.apply(position.state, slims, (seq) => this.#files.key(seq));
    const run = position.run && this.#extend(position.run, slims, events);
    return this.#keep({ seq: last.head.seq, digest: last.digest, at: last.head.at, state, ...(run ? { run } : {}) });
  }

  #keep(position: Position<State>): Position<State> {
    if (this.#position === undefined || position.seq > this.#position.seq) this.#position = position;
    return position;
  }

  #checkChain(event: StoredEvent, previous: Digest | null): void {
    if (event.head.previous === previous) return;
    throw tampered(this.#files.key(event.head.seq), 'does not follow from the event before it', this.#tools.forgetHint);
  }

  // A run that reaches 256 events is due as a segment, and the next one begins.
  #extend(run: Run, slims: readonly SlimEvent[], events: readonly StoredEvent[]): Run {
    let current = run;
    slims.forEach((slim, index) => {
      const digest = events[index]?.digest ?? current.digest;
      current = { ...current, digest, events: [...current.events, slim] };
      if (current.events.length < SEGMENT_EVENTS) return;
      this.#unsaved.push(current);
      current = { fold: this.#fold.version, from: slim.seq + 1, previous: digest, digest, events: [] };
    });
    return current;
  }

  async #open(options: BlobOptions): Promise<Position<State>> {
    const runs = await this.#cache.load(options);
    const cached = runs.length > 0 ? await this.#fromRuns(runs, options) : undefined;
    return cached ?? this.#start();
  }

  #start(): Position<State> {
    const run = { fold: this.#fold.version, from: 1, previous: null, digest: NO_DIGEST, events: [] };
    return { seq: 0, digest: null, at: null, state: this.#fold.initial, run };
  }

  async #fromRuns(runs: readonly Run[], options: BlobOptions): Promise<Position<State> | undefined> {
    const events = runs.flatMap((run) => run.events);
    const lastRun = runs.at(-1);
    const last = events.at(-1);
    if (lastRun === undefined || last === undefined) return undefined;
    const inLog = await this.#files.read(last.seq, options);
    if (inLog?.digest !== lastRun.digest) {
      this.#tools.warn(
        `the cached heads of ${this.#files.key(last.seq)} do not fit the log, so the events are read instead`,
      );
      return undefined;
    }
    const state = this.#fold.apply(this.#fold.initial, events, (seq) => this.#files.key(seq));
    const full = lastRun.events.length === SEGMENT_EVENTS;
    const run = full ? { ...lastRun, from: last.seq + 1, previous: lastRun.digest, events: [] } : lastRun;
    return { seq: last.seq, digest: lastRun.digest, at: last.at, state, run };
  }

  // What was remembered must still be in the log: a log that goes back or says something else was tampered with.
  async #verify(known: Pick<LogSnapshot<State>, 'seq' | 'digest'>, options: BlobOptions): Promise<void> {
    if (known.seq === 0) return;
    const event = await this.event(known.seq, options);
    if (event.digest === known.digest) return;
    throw tampered(this.#files.key(known.seq), 'is not the event that it was', this.#tools.forgetHint);
  }

  // A log that lost its end must not go on with a hole.
  async #checkLast({ seq }: LogSnapshot<State>, options: BlobOptions): Promise<void> {
    if (seq > 0 && !(await this.#files.has(seq, options))) await this.#missing(seq, options);
  }

  async #missing(seq: number, options: BlobOptions): Promise<never> {
    const { blobs, forgetHint } = this.#tools;
    if ((await blobs.stat(FIRST_NAME, options)) === undefined)
      throw new IngotError('store-not-found', `there is no store at ${blobs.address} any more`, {
        retryable: true,
        details: { address: blobs.address },
      });
    if (blobs.capabilities.stalenessMs > 0)
      throw new IngotError('unavailable', `${blobs.address} does not show ${this.#files.key(seq)} yet`);
    throw tampered(this.#files.key(seq), 'is missing, though it was there or a later event is', forgetHint);
  }

  // A reply can be lost: an event that carries our id is ours, whatever the storage said.
  async #write(position: LogSnapshot<State>, draft: EventDraft, id: string, options: BlobOptions) {
    const event = this.#compose(position, draft, id);
    const key = this.#files.key(event.head.seq);
    for (let attempt = 1; ; attempt += 1) {
      try {
        if ((await this.#tools.blobs.write(key, bodyOf(event.bytes), options)) === 'created') return event;
      } catch (error) {
        const there = isIngotError(error) && error.retryable && (await this.#files.has(event.head.seq, options));
        if (!there && (attempt > 1 || !isIngotError(error) || !error.retryable)) throw error;
        if (!there) continue;
      }
      const standing = await this.event(event.head.seq, options);
      return standing.head.id === id ? event : undefined;
    }
  }

  #compose({ seq, digest, at }: LogSnapshot<State>, draft: EventDraft, id: string) {
    const now = this.#tools.now().toISOString();
    const { kind, body, ignorable } = draft;
    return encodeEvent(
      {
        seq: seq + 1,
        previous: digest,
        id,
        at: at !== null && at > now ? at : now,
        actor: this.#tools.actor,
        kind,
        ...(ignorable ? { ignorable } : {}),
      },
      this.#hex(16),
      body,
    );
  }

  // Heads and segments only save reading: a failure to write them is told and changes nothing.
  async #saveRuns(position: Position<State>, options: BlobOptions): Promise<void> {
    const runs = this.#unsaved;
    this.#unsaved = [];
    try {
      const head = position.seq % HEAD_EVENTS === 0 ? await this.#runTo(position, options) : undefined;
      for (const run of [...runs, ...(head ? [head] : [])]) await this.#cache.save(run, options);
    } catch (error) {
      if (!isIngotError(error) || error.code === 'interrupted') throw error;
      this.#tools.warn(`the heads of ${this.#files.key(position.seq)} could not be written: ${error.message}`);
    }
  }

  async #runTo(position: Position<State>, options: BlobOptions): Promise<Run | undefined> {
    if (position.run !== undefined) return position.run.events.length > 0 ? position.run : undefined;
    const start = segmentStart(position.seq);
    const head = await this.#cache.head(position.seq - HEAD_EVENTS, options);
    const usable = head?.from === start + 1 ? head : undefined;
    const from = usable ? usable.from + usable.events.length : start + 1;
    const size = position.seq - from + 1;
    const events = await Promise.all(Array.from({ length: size }, (_, index) => this.event(from + index, options)));
    const [first] = events;
    if (first === undefined || position.digest === null) return undefined;
    if (usable && first.head.previous !== usable.digest) return undefined;
    const slims = events.map((event) => slimEvent(this.#fold, event));
    return {
      fold: this.#fold.version,
      from: start + 1,
      previous: usable ? usable.previous : first.head.previous,
      digest: position.digest,
      events: [...(usable?.events ?? []), ...slims],
    };
  }

  async #pause(attempt: number, { signal }: BlobOptions): Promise<void> {
    const [byte = 0] = this.#tools.random(1);
    const delayMs = (byte / 255) * Math.min(LONGEST_PAUSE_MS, 2 ** attempt);
    await sleep(delayMs, undefined, signal ? { signal } : {}).catch(() => {
      throw new IngotError('interrupted', 'interrupted while other writers had their turn');
    });
  }

  #hex(size: number): string {
    return Buffer.from(this.#tools.random(size)).toString('hex');
  }
}

const FIRST_NAME = 'names/log/0000000001.json';
/** Stands in a run without events, whose digest nobody reads. */
const NO_DIGEST = digestOf('');
