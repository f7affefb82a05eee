/**
 * The *feed* tells what happens in the registry as it comes into the index, over all models, in one order. A *position*
 * names a place in it; whoever was away goes on after the last position it has seen. After an interruption an event may
 * come twice, but none is left out: where that cannot be promised, the feed says *reset*.
 */

import type { ModelName } from '@ingot/core/ref';
import { parseModelName } from '@ingot/core/ref';
import { summaryOf } from '@ingot/core/registry/history-summary';
import { isJsonObject, type JsonObject } from '@ingot/core/json';
import type { Database } from '../database/database.ts';
import type { ModelIndex } from '../index/indexed-registry.ts';
import type { Log } from '../services.ts';
import { FEED_CHANNEL } from './note-feed.ts';

/** An event as the feed tells it. */
export interface FeedEvent {
  /** Where to go on after it. */
  readonly position: string;
  readonly kind: string;
  /** Null for a model that has no name any more. */
  readonly model: ModelName | null;
  readonly modelId: string;
  /** In the model's log; with `modelId`, this names the event. Events of names count in a log of their own. */
  readonly seq: number;
  readonly log: string;
  readonly at: string;
  readonly actor: string;
  readonly summary: string;
  readonly reason?: string;
  readonly body: JsonObject;
}

/** What a reader of the feed is told. */
export type FeedNews =
  | { readonly kind: 'event'; readonly event: FeedEvent }
  | { readonly kind: 'reset'; readonly position: string };

/** A place in the feed, and what had been told shortly before it: replicas' events may still come with earlier positions. */
export interface FeedPlace {
  readonly position: string;
  readonly told: ReadonlySet<number>;
}

/** Receives news; must not throw. */
export type FeedReader = (news: FeedNews) => void;

/** What a feed works with. */
export interface FeedOptions {
  readonly database: Database;
  readonly index: Pick<ModelIndex, 'subscribe'>;
  readonly log: Log;
  /** How often is looked for what other servers wrote, where no notice of it came. Default: 2 seconds. */
  readonly pollMs?: number;
}

const READ_AT_ONCE = 500;
/** Replicas write at the same time: what was numbered earlier may become visible later. */
const LOOK_BACK = 100;
const POLL_MS = 2000;
const KEPT = 50_000;
/** Whoever missed more is quicker to ask anew. */
const MOST_MISSED = 5000;
const CLEAN_EVERY = 1000;
const NONE: ReadonlySet<number> = new Set();

/** Tells readers what comes into the index, here or at another server over the same database. */
export class Feed implements AsyncDisposable {
  readonly #options: FeedOptions;
  readonly #readers = new Set<FeedReader>();
  readonly #unsubscribe: () => void;
  #listening: AsyncDisposable | undefined;
  readonly #recent = new Set<number>();
  #last = 0;
  #started: Promise<void> | undefined;
  #pumping: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #sinceClean = 0;
  #generation = '';

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#unsubscribe = options.index.subscribe(() => this.#wake());
  }

  /**
   * Tells a reader everything after a position (default: from now on) until the function that it gives is called.
   * @throws IngotError when the database does not answer.
   */
  async subscribe(reader: FeedReader, after?: string | FeedPlace): Promise<() => void> {
    const from = after ?? (await this.now());
    await this.#start();
    const held: FeedNews[] = [];
    let deliver: FeedReader = (news) => held.push(news);
    const tell: FeedReader = (news) => deliver(news);
    this.#readers.add(tell);
    const told = new Set<string>();
    for (const news of await this.#missed(from)) {
      if (news.kind === 'event') told.add(news.event.position);
      reader(news);
    }
    for (const news of held) if (news.kind === 'reset' || !told.has(news.event.position)) reader(news);
    deliver = reader;
    return () => {
      this.#readers.delete(tell);
      if (this.#readers.size === 0) this.#stopPolling();
    };
  }

  /**
   * The place now: what comes later comes after it. What came while nobody read is looked at first.
   * @throws IngotError when the database does not answer.
   */
  async now(): Promise<FeedPlace> {
    await this.#start();
    await this.#newest();
    await this.#readAll();
    return { position: this.#text(this.#last), told: new Set(this.#recent) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe();
    this.#stopPolling();
    this.#readers.clear();
    await this.#listening?.[Symbol.asyncDispose]();
  }

  async #start(): Promise<void> {
    this.#started ??= this.#open().catch((error: unknown) => {
      this.#started = undefined;
      throw error;
    });
    await this.#started;
    const { database, pollMs = POLL_MS } = this.#options;
    if (database.listen === undefined || this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#wake(), pollMs).unref();
    this.#listening ??= database.listen(FEED_CHANNEL, () => this.#wake());
  }

  async #open(): Promise<void> {
    const { index } = this.#options.database;
    const row = await index.selectFrom('feed_generation').select('generation').executeTakeFirst();
    this.#generation = row?.generation ?? 'none';
    this.#last = await this.#newest();
    for (const { position } of await this.#rows(this.#last - LOOK_BACK, LOOK_BACK)) this.#recent.add(position);
  }

  #stopPolling(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #wake(): void {
    if (this.#started === undefined || this.#readers.size === 0) return;
    void this.#readAll();
  }

  /** Ends when all that was there when it was called has been told. */
  #readAll(): Promise<void> {
    this.#again = true;
    this.#pumping ??= this.#pump().finally(() => {
      this.#pumping = undefined;
    });
    return this.#pumping;
  }

  async #pump(): Promise<void> {
    await this.#started;
    while (this.#again) {
      this.#again = false;
      try {
        await this.#readOn();
      } catch (error) {
        // Whoever reads is told with the next event; a database that is away is reported by all else.
        this.#options.log('warn', `the feed could not be read: ${String(error)}`);
      }
    }
  }

  async #readOn(): Promise<void> {
    for (;;) {
      const rows = await this.#rows(this.#last - LOOK_BACK, READ_AT_ONCE);
      const fresh = rows.filter(({ position }) => !this.#recent.has(position));
      for (const event of await this.#eventsOf(fresh)) this.#tell({ kind: 'event', event });
      for (const { position } of fresh) this.#note(position);
      if (rows.length < READ_AT_ONCE) return;
    }
  }

  #note(position: number): void {
    this.#recent.add(position);
    this.#last = Math.max(this.#last, position);
    for (const old of this.#recent) if (old < this.#last - 2 * LOOK_BACK) this.#recent.delete(old);
    this.#sinceClean += 1;
    if (this.#sinceClean < CLEAN_EVERY) return;
    this.#sinceClean = 0;
    const { index } = this.#options.database;
    void index
      .deleteFrom('feed')
      .where('position', '<', this.#last - KEPT)
      .execute()
      .catch((error: unknown) => this.#options.log('warn', `old rows of the feed stay: ${String(error)}`));
  }

  #tell(news: FeedNews): void {
    for (const reader of this.#readers) reader(news);
  }

  async #missed(after: string | FeedPlace): Promise<readonly FeedNews[]> {
    const { position, told } = typeof after === 'string' ? { position: after, told: NONE } : after;
    const [generation, text] = position.split('-');
    const from = Number(text);
    const oldest = await this.#oldest();
    const isKnown = generation === this.#generation && Number.isSafeInteger(from) && from >= 0;
    const newest = await this.#newest();
    if (!isKnown || from > newest || from < oldest - 1 || newest - from > MOST_MISSED)
      return [{ kind: 'reset', position: this.#text(newest) }];
    const news: FeedNews[] = [];
    const isShared = this.#options.database.kind === 'postgres';
    for (let at = isShared ? from - LOOK_BACK : from; ; ) {
      const rows = await this.#rows(at, READ_AT_ONCE);
      const missed = rows.filter((row) => !told.has(row.position));
      for (const event of await this.#eventsOf(missed)) news.push({ kind: 'event', event });
      const last = rows.at(-1)?.position;
      if (last === undefined || rows.length < READ_AT_ONCE) return news;
      at = last;
    }
  }

  async #newest(): Promise<number> {
    const { index } = this.#options.database;
    const row = await index
      .selectFrom('feed')
      .select(({ fn }) => fn.max('position').as('position'))
      .executeTakeFirst();
    return Number(row?.position ?? 0);
  }

  async #oldest(): Promise<number> {
    const { index } = this.#options.database;
    const row = await index
      .selectFrom('feed')
      .select(({ fn }) => fn.min('position').as('position'))
      .executeTakeFirst();
    return Number(row?.position ?? 1);
  }

  async #rows(after: number, limit: number): Promise<readonly Row[]> {
    const rows = await this.#options.database.index
      .selectFrom('feed')
      .innerJoin('events', (join) => join.onRef('events.log', '=', 'feed.log').onRef('events.seq', '=', 'feed.seq'))
      .leftJoin('models', 'models.id', 'feed.log')
      .select(['feed.position', 'feed.log', 'feed.seq', 'events.kind', 'events.at', 'events.actor', 'events.reason'])
      .select(['events.body', 'models.name'])
      .where('feed.position', '>', after)
      .orderBy('feed.position')
      .limit(limit)
      .execute();
    return rows.map((row) => ({ ...row, position: Number(row.position) }));
  }

  async #eventsOf(rows: readonly Row[]): Promise<readonly FeedEvent[]> {
    return rows.map((row) => eventOf(row, this.#text(row.position)));
  }

  #text(position: number): string {
    return `${this.#generation}-${position}`;
  }
}

interface Row {
  readonly position: number;
  readonly log: string;
  readonly seq: number;
  readonly kind: string;
  readonly at: string;
  readonly actor: string;
  readonly reason: string | null;
  readonly body: string | null;
  readonly name: string | null;
}

function eventOf({ log, seq, kind, at, actor, reason, body: text, name }: Row, position: string): FeedEvent {
  const parsed: unknown = text === null ? {} : JSON.parse(text);
  const body = isJsonObject(parsed) ? parsed : {};
  const named = name === null ? namedIn(body) : { model: parseModelName(name), modelId: log };
  return {
    position,
    kind,
    ...named,
    modelId: named.modelId === '' ? log : named.modelId,
    seq,
    log,
    at,
    actor,
    summary: text === null ? `${kind} (erased)` : summaryOf(kind, body),
    ...(reason !== null && { reason }),
    body,
  };
}

/** Events of the names log say in their body which model they are about. */
function namedIn(body: JsonObject): { readonly model: ModelName | null; readonly modelId: string } {
  const renames = Array.isArray(body.renames) ? body.renames[0] : undefined;
  const { name = isJsonObject(renames) ? renames.to : undefined, id = isJsonObject(renames) ? renames.id : undefined } =
    body;
  return {
    model: typeof name === 'string' ? parseModelName(name) : null,
    modelId: typeof id === 'string' ? id : '',
  };
}
