import { setTimeout as sleep } from 'node:timers/promises';
import type { BlobOptions } from '../blob/blob-store.ts';
import { bodyOf } from '../blob/bytes.ts';
import type { Digest } from '../digest.ts';
import { IngotError, isIngotError } from '../errors.ts';
import type { EventDraft, StoredEvent } from './events.ts';
import { encodeEvent } from './events.ts';
import type { Fold } from './fold.ts';
import type {
  AppendOptions,
  Appended,
  LogSnapshot,
  LogTools,
  RefreshOptions,
  RememberedPosition,
} from './log-snapshot.ts';
import { LogView } from './log-view.ts';

const READ_AHEAD = 64;
const LONGEST_PAUSE_MS = 250;
const LONGEST_TURN_MS = 1000;

/**
 * One append-only log, read as its fold. Appending creates the next number if it is absent, or reads on and tries
 * again: so exactly one of racing writers gets each number, and there is never a gap.
 */
export class EventLog<State> {
  readonly #tools: LogTools;
  readonly #prefix: string;
  readonly #view: LogView<State>;
  #lastTurn: Promise<void> | undefined;

  /**
   * @param prefix the log's keys are `<prefix>/log/…`, `<prefix>/heads/…` and `<prefix>/segments/…`.
   * @param start where a former process left off, checked against the log before it is relied on; or `new` for a log that
   * was made just now.
   */
  constructor(tools: LogTools, prefix: string, fold: Fold<State>, start?: RememberedPosition<State> | 'new') {
    this.#tools = tools;
    this.#prefix = prefix;
    this.#view = new LogView(tools, prefix, fold, start);
  }

  /** Whether its last event was seen within a second, by a process that stays. */
  get isFresh(): boolean {
    return this.#view.isFresh;
  }

  /** What is known without asking the storage. */
  get known(): LogSnapshot<State> | undefined {
    return this.#view.known;
  }

  /**
   * Gives the log as it is now. One request when nothing is new.
   * @throws IngotError `tampered` when it is not what it was, `refused` when it holds events of a newer release.
   */
  async refresh(options: RefreshOptions = {}): Promise<LogSnapshot<State>> {
    const position = await this.#view.advance(options);
    this.#view.refuseUnknown(position, 'read');
    return position;
  }

  /**
   * Appends what `decide` wants, given the log as it is at that very number; when somebody else takes the number,
   * `decide` is asked again. Undefined: nothing to do. One round trip to see the log, unless it was `seen`, and one to write.
   * Writers of one process take turns, as of those that race all but one write in vain.
   */
  append(
    decide: (snapshot: LogSnapshot<State>) => EventDraft | undefined,
    options: AppendOptions = {},
  ): Promise<Appended<State>> {
    return this.#inTurn(() => this.#append(decide, options));
  }

  async #append(
    decide: (snapshot: LogSnapshot<State>) => EventDraft | undefined,
    { seen = false, ...options }: AppendOptions,
  ): Promise<Appended<State>> {
    const id = this.#hex(16);
    for (let attempt = 1; ; attempt += 1) {
      const known = seen && attempt === 1 ? this.#view.known : undefined;
      const position = known ?? (await this.#view.advance({ ...options, toWrite: true }));
      this.#view.refuseUnknown(position, 'write');
      const isGuess = known !== undefined && seen === 'lately';
      const draft = isGuess ? guessed(() => decide(position)) : decide(position);
      if (draft === undefined && isGuess) continue;
      if (draft === undefined) return { snapshot: position };
      await this.#tools.checkClock(options);
      const event = await this.#write(position, draft, id, options);
      if (event === undefined) {
        await this.#pause(attempt, options);
        continue;
      }
      const snapshot = this.#view.take(position, [event]);
      this.#tools.onEvent?.(this.#prefix, event);
      await this.#view.runs.save(snapshot, options);
      return { snapshot, event };
    }
  }

  /** Reads one event. Throws `tampered` when it is missing. */
  event(seq: number, options: BlobOptions = {}): Promise<StoredEvent> {
    return this.#view.event(seq, options);
  }

  /** Streams the events up to `end` (default: all there are) in order, each checked against the one before. */
  async *events(end?: number, options: BlobOptions = {}): AsyncGenerator<StoredEvent> {
    const last = end ?? (await this.refresh(options)).seq;
    let previous: Digest | null = null;
    for (let from = 1; from <= last; from += READ_AHEAD) {
      const to = Math.min(last, from + READ_AHEAD - 1);
      const numbers = Array.from({ length: to - from + 1 }, (_, index) => from + index);
      for (const event of await Promise.all(numbers.map((seq) => this.event(seq, options)))) {
        this.#view.checkChain(event, previous);
        previous = event.digest;
        yield event;
      }
    }
  }

  // A reply can be lost: an event that carries our id is ours, whatever the storage said. Undefined: the number is taken.
  async #write(position: LogSnapshot<State>, draft: EventDraft, id: string, options: AppendOptions) {
    const event = this.#compose(position, draft, id, options.actor ?? this.#tools.actor);
    const { seq } = event.head;
    const told = this.#tools.beforeEvent?.(this.#prefix, event);
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (await this.#created(event, told, options)) return event;
      } catch (error) {
        if (!isIngotError(error) || !error.retryable) throw error;
        const isThere = await this.#view.files.has(seq, options);
        if (!isThere && attempt > 1) throw error;
        if (!isThere) continue;
      }
      const standing = await this.event(seq, options);
      return standing.head.id === id ? event : undefined;
    }
  }

  /** Whoever is told before needs no time of its own where bytes can wait for their name. */
  async #created(
    { head, bytes }: StoredEvent & { readonly bytes: Uint8Array },
    told: Promise<void> | undefined,
    { signal }: AppendOptions,
  ): Promise<boolean> {
    const { blobs } = this.#tools;
    const waits = told !== undefined && blobs.capabilities.waits === true;
    // Failing while nobody waits for it yet is no failure without an owner.
    told?.catch(() => {});
    if (told !== undefined && !waits) await told;
    const options = { thoughtFree: true, ...(signal && { signal }), ...(waits && { after: told }) };
    return (await blobs.write(this.#view.files.key(head.seq), bodyOf(bytes), options)) === 'created';
  }

  #compose({ seq, digest, at }: LogSnapshot<State>, { kind, body, ignorable }: EventDraft, id: string, actor: string) {
    const now = this.#tools.now().toISOString();
    const head = {
      seq: seq + 1,
      previous: digest,
      id,
      at: at !== null && at > now ? at : now,
      actor,
      kind,
      ...(ignorable ? { ignorable } : {}),
    };
    return encodeEvent(head, this.#hex(16), body);
  }

  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const before = this.#lastTurn;
    const mine = before === undefined ? work() : soon(before).then(work);
    const ended = mine.then(ignore, ignore);
    this.#lastTurn = ended;
    try {
      return await mine;
    } finally {
      if (this.#lastTurn === ended) this.#lastTurn = undefined;
    }
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

/** Waits for the writer before, but not for a storage that leaves it without an answer: numbers keep writers apart anyway. */
async function soon(before: Promise<void>): Promise<void> {
  const patience = new AbortController();
  const { signal } = patience;
  await Promise.race([before, sleep(LONGEST_TURN_MS, undefined, { signal, ref: false }).catch(ignore)]);
  patience.abort();
}

function ignore(): void {}

/** What is decided on a log that may have gone on: a refusal, or that there is nothing to do, may be so no more. */
function guessed(decide: () => EventDraft | undefined): EventDraft | undefined {
  try {
    return decide();
  } catch (error) {
    if (!isIngotError(error)) throw error;
    return undefined;
  }
}
