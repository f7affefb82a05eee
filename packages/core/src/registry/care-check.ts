import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import { readIfPresent } from '../blob/bytes.ts';
import type { RecipeRef } from '../content/content-store.ts';
import type { Digest } from '../digest.ts';
import { digestOf } from '../digest.ts';
import { isIngotError } from '../errors.ts';
import { canonicalJson, isJsonObject } from '../json.ts';
import { lostItsSum } from '../sum.ts';
import { AttachmentFold } from './attachments.ts';
import { parseEvent, type StoredEvent } from './events.ts';
import { Fields } from './fields.ts';
import type { Fold, SlimEvent } from './fold.ts';
import { slimEvent } from './fold.ts';
import { holeOf, type ListedLog } from './care-logs.ts';
import { numberedKey } from './log-files.ts';
import { modelFold, parseRecipeRef } from './model-fold.ts';
import { namesFold } from './names-fold.ts';
import { endOf, parseRun } from './run.ts';

/** Something in a log, or in a cache beside it, that is not what it should be. */
export interface LogDamage {
  readonly key: string;
  readonly message: string;
  /** Whether it may simply be deleted, because the log says the same. */
  readonly isCache: boolean;
}

/** A log as far as it can be read. */
export interface CheckedLog {
  readonly damage: readonly LogDamage[];
  readonly events: number;
  /** Recipes that are needed, of versions by number and of attachments, as far as events that can be read say. */
  readonly recipes: readonly { readonly number?: number; readonly recipe: RecipeRef }[];
  /** Numbers of versions of which something in the log itself is damaged: all that can be told, when anything is. */
  readonly doubtful: readonly number[];
  readonly closed: boolean;
  /** Events of kinds that only a newer release knows. */
  readonly unknownKinds: readonly string[];
  /** What the names log says: name by model id. */
  readonly names: ReadonlyMap<string, string>;
}

const READ_AT_ONCE = 32;

/** Reads a log and the caches beside it, and goes on behind whatever is damaged. */
export async function checkLog(
  blobs: BlobStore,
  log: ListedLog,
  options: BlobOptions = {},
  onEvent: () => void = () => {},
): Promise<CheckedLog> {
  return new LogCheck(blobs, log, options, onEvent).run();
}

class LogCheck {
  readonly #blobs: BlobStore;
  readonly #log: ListedLog;
  readonly #options: BlobOptions;
  readonly #onEvent: () => void;
  readonly #damage: LogDamage[] = [];
  readonly #slims = new Map<number, SlimEvent>();
  readonly #digests = new Map<number, Digest>();
  readonly #published = new Map<number, RecipeRef>();
  readonly #deleted = new Set<number>();
  readonly #manifests = new Map<number, Digest>();
  readonly #attached = new AttachmentFold();
  /** Versions that events publish which cannot be read any more. */
  readonly #unreadable = new Set<number>();
  readonly #unknown = new Set<string>();
  #closed = false;

  constructor(blobs: BlobStore, log: ListedLog, options: BlobOptions, onEvent: () => void) {
    this.#blobs = blobs;
    this.#log = log;
    this.#options = options;
    this.#onEvent = onEvent;
  }

  async run(): Promise<CheckedLog> {
    const hole = await holeOf(this.#blobs, this.#log, this.#options);
    if (hole !== undefined) this.#note(hole, 'is missing, though later events are there');
    await this.#events();
    const names = this.#log.prefix === 'names' ? this.#fold(namesFold)?.models : undefined;
    if (this.#log.prefix !== 'names') this.#fold(modelFold);
    for (const key of [...this.#log.heads, ...this.#log.segments]) await this.#cache(key);
    return {
      damage: this.#damage,
      events: this.#slims.size,
      recipes: this.#closed ? [] : [...this.#recipes()],
      doubtful: this.#damage.some(({ isCache }) => !isCache) ? this.#doubtful() : [],
      closed: this.#closed,
      unknownKinds: [...this.#unknown],
      names: new Map([...(names?.values() ?? [])].map(({ id, name }) => [id, name])),
    };
  }

  /** A log of which anything is damaged is not followed at all, so it is all its versions that cannot be had. */
  #doubtful(): readonly number[] {
    if (this.#closed) return [];
    const numbers = [...this.#published.keys(), ...this.#unreadable].filter((number) => !this.#deleted.has(number));
    // Numbers are given without gaps: what is missing below the newest was published by an event that is lost.
    for (let number = Math.max(0, ...numbers) - 1; number > 0; number -= 1)
      if (!numbers.includes(number) && !this.#deleted.has(number)) numbers.push(number);
    return numbers.sort((a, b) => a - b);
  }

  *#recipes(): Iterable<{ readonly number?: number; readonly recipe: RecipeRef }> {
    for (const [number, recipe] of this.#published) yield { number, recipe };
    const standing = new Set([...this.#published.keys()].map((number) => this.#manifests.get(number)));
    for (const { subject, recipe } of this.#attached.standing) if (standing.has(subject)) yield { recipe };
  }

  async #events(): Promise<void> {
    let before: { readonly event: StoredEvent; readonly hasSum: boolean } | undefined;
    const { length } = this.#log;
    for (let start = 1; start <= length; start += READ_AT_ONCE) {
      const numbers = Array.from({ length: Math.min(READ_AT_ONCE, length - start + 1) }, (_, n) => start + n);
      for (const [n, read] of (await Promise.all(numbers.map((seq) => this.#read(seq)))).entries()) {
        this.#onEvent();
        if (read !== undefined) this.#chain(start + n, read, before);
        before = read;
      }
    }
  }

  async #read(seq: number): Promise<{ readonly event: StoredEvent; readonly hasSum: boolean } | undefined> {
    const key = this.#key(seq);
    const bytes = await readIfPresent(this.#blobs, key, this.#options);
    if (bytes === undefined) return undefined;
    try {
      const event = parseEvent(bytes, key, seq);
      const document: unknown = JSON.parse(bytes.toString());
      if (lostItsSum(document, ['head', 'salt', 'body'])) this.#note(key, 'holds an entry that no release writes');
      return { event, hasSum: isJsonObject(document) && document.sum !== undefined };
    } catch (error) {
      if (!isIngotError(error, 'tampered', 'integrity')) throw error;
      this.#note(key, error.message);
      const number = publishedNumber(bytes);
      if (number !== undefined) this.#unreadable.add(number);
      return undefined;
    }
  }

  #chain(
    seq: number,
    { event, hasSum }: { readonly event: StoredEvent; readonly hasSum: boolean },
    before: { readonly event: StoredEvent; readonly hasSum: boolean } | undefined,
  ): void {
    if (before !== undefined && event.head.previous !== before.event.digest) {
      // An event with a sum says of itself that it is whole: then the other one was changed.
      const changed = before.hasSum || !hasSum ? seq : seq - 1;
      const blamed = before.hasSum === hasSum ? `${this.#key(seq - 1)} or ${this.#key(seq)}` : this.#key(changed);
      this.#note(this.#key(before.hasSum ? seq : seq - 1), `the chain breaks here: ${blamed} was changed`);
    }
    if (seq === 1 && event.head.previous !== null) this.#note(this.#key(1), 'names an event before the first');
    this.#digests.set(seq, event.digest);
    try {
      this.#take(event);
    } catch (error) {
      if (!isIngotError(error, 'integrity')) throw error;
      this.#note(this.#key(seq), error.message);
    }
  }

  #take(event: StoredEvent): void {
    const { head, body } = event;
    const fold: Pick<Fold<unknown>, 'slimBody'> = this.#log.prefix === 'names' ? namesFold : modelFold;
    this.#slims.set(head.seq, slimEvent(fold, event));
    if (head.kind === 'closed') this.#closed = true;
    if (body === undefined) return;
    const fields = new Fields(body, this.#key(head.seq));
    if (head.kind === 'version-published') {
      const number = fields.positive('number');
      this.#manifests.set(number, fields.digest('manifest'));
      this.#published.set(number, parseRecipeRef(fields.inner('recipe')));
    }
    if (head.kind === 'version-deleted') {
      this.#published.delete(fields.positive('number'));
      this.#deleted.add(fields.positive('number'));
    }
    this.#attached.add(event, this.#key(head.seq));
  }

  /** Folds the whole log, which notices events that contradict each other; not when some are damaged anyway. */
  #fold<State>(fold: Fold<State>): State | undefined {
    const events = [...this.#slims.values()];
    const isWhole = this.#damage.length === 0;
    try {
      const state = fold.apply(fold.initial, events, (seq) => this.#key(seq));
      const unknown = fold.unknown(state);
      if (unknown !== undefined) this.#unknown.add(unknown.kind);
      return state;
    } catch (error) {
      if (!isIngotError(error, 'integrity')) throw error;
      if (isWhole) this.#note(String(error.details.file ?? this.#log.prefix), error.message);
      return undefined;
    }
  }

  async #cache(key: string): Promise<void> {
    const bytes = await readIfPresent(this.#blobs, key, this.#options);
    if (bytes === undefined) return;
    const problem = this.#cacheProblem(bytes, key);
    if (problem !== undefined)
      this.#damage.push({ key, message: `${key} ${problem}; it is only a cache of the log`, isCache: true });
  }

  #cacheProblem(bytes: Uint8Array, key: string): string | undefined {
    try {
      const run = parseRun(bytes, key);
      if (!key.endsWith(numberedKey('', endOf(run)))) return 'is under the name of another';
      if (run.fold !== (this.#log.prefix === 'names' ? namesFold : modelFold).version) return undefined;
      const vouched = this.#digests.get(endOf(run));
      if (vouched !== undefined && vouched !== run.digest) return 'does not end with the event of the log';
      for (const event of run.events) {
        const known = this.#slims.get(event.seq);
        if (known !== undefined && !sameJson(known, event)) return `tells event ${event.seq} otherwise than the log`;
      }
      return undefined;
    } catch (error) {
      if (!isIngotError(error, 'integrity')) throw error;
      return 'is damaged';
    }
  }

  #note(key: string, what: string): void {
    const message = what.startsWith(key) ? what : `${key}: ${what}`;
    if (!this.#damage.some((known) => known.key === key)) this.#damage.push({ key, message, isCache: false });
  }

  #key(seq: number): string {
    return numberedKey(`${this.#log.prefix}/log`, seq);
  }
}

/** The version that a damaged event seems to publish; only for saying which versions it may concern. */
function publishedNumber(bytes: Uint8Array): number | undefined {
  const text = Buffer.from(bytes).toString('latin1');
  const number = text.includes('version-published') ? /"number": ?([1-9][0-9]{0,8})[,}]/.exec(text)?.[1] : undefined;
  return number === undefined ? undefined : Number(number);
}

function sameJson(a: object, b: object): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

/** Checks the listings that were left in the store for other machines; they are caches too. */
export async function checkListings(blobs: BlobStore, options: BlobOptions = {}): Promise<readonly LogDamage[]> {
  const damage: LogDamage[] = [];
  for await (const { key } of blobs.list('index/', options)) {
    const bytes = await readIfPresent(blobs, key, options);
    if (bytes === undefined) continue;
    const end = bytes.indexOf(0x0a);
    const isWhole =
      end > 0 && bytes.at(-1) === 0x0a && bytes.subarray(0, end).toString() === digestOf(bytes.subarray(end + 1, -1));
    if (!isWhole) damage.push({ key, message: `${key} is damaged; it is only a cache`, isCache: true });
  }
  return damage;
}
