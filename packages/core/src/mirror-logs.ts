import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { bodyOf, readIfPresent } from './blob/bytes.ts';
import type { RecipeRef } from './content/content-store.ts';
import type { Digest } from './digest.ts';
import { IngotError } from './errors.ts';
import { AttachmentFold } from './registry/attachments.ts';
import { parseEvent, type StoredEvent, tampered } from './registry/events.ts';
import { Fields } from './registry/fields.ts';
import { numberedKey } from './registry/log-files.ts';
import { parseRecipeRef } from './registry/model-fold.ts';

/** A store and the one that follows it. */
export interface StorePair {
  readonly source: BlobStore;
  readonly destination: BlobStore;
}

/** An event as it lies in the store, to be copied as it is. */
export interface CopiedEvent {
  readonly key: string;
  readonly bytes: Uint8Array;
}

interface ReadEvent extends CopiedEvent, StoredEvent {}

const READ_AT_ONCE = 32;

/** Events are kept in memory from the first reading up to this many bytes; others are read again when they are copied. */
const HELD_BYTES = 4 * 1024 * 1024;

/** Says that two logs are not one log, further read. */
export type Divergence = {
  /** `names`, or `models/<id>`. */
  readonly log: string;
  /** Last event of the mirror. */
  readonly seq: number;
  readonly destination: Digest;
  /** Null: the source has no such event. */
  readonly source: Digest | null;
};

/**
 * Compares the last event of a mirror's log with the source's. As each event names the digest of the one before, that
 * proves all of them. Two requests.
 * @returns the digest that both have (null: nothing is there yet), or in what they differ.
 */
export async function compareLast(
  { source, destination }: StorePair,
  { prefix, there }: { readonly prefix: string; readonly there: number },
  options: BlobOptions,
): Promise<Digest | null | Divergence> {
  if (there === 0) return null;
  // Not by what was listed: another mirroring may have copied what was written since.
  const [theirs, ours] = await Promise.all([
    mustRead(destination, prefix, there, options),
    read(source, prefix, there, options),
  ]);
  if (ours?.digest === theirs.digest) return ours.digest;
  return { log: prefix, seq: there, destination: theirs.digest, source: ours?.digest ?? null };
}

/** The conflict that differing logs are. */
export function divergedError({ source, destination }: StorePair, all: readonly Divergence[]): IngotError {
  const [first] = all;
  const { log = '', seq = 0 } = first ?? {};
  const what =
    first === undefined || first.source === null
      ? `${destination.address} has event ${seq} of ${log}, which ${source.address} has not`
      : `event ${seq} of ${log} is ${first.destination} in ${destination.address} and ${first.source} in ${source.address}`;
  const others = all.length < 2 ? '' : ` (and ${all.length - 1} more like this)`;
  return new IngotError('conflict', `the two histories differ, and nothing is merged: ${what}${others}`, {
    operation: 'mirror',
    hint: 'mirror to an empty address, or find out which of the two was put back to an old state; nothing was changed',
    details: { ...first, differing: all },
  });
}

/** The events of a log that a mirror lacks, checked to follow from those it has. */
export class NewEvents {
  /** Contents that they rely on, by the number of the event: not of what they take back again. */
  readonly recipes: ReadonlyMap<number, RecipeRef>;
  readonly from: number;
  readonly to: number;
  readonly #source: BlobStore;
  readonly #prefix: string;
  readonly #before: Digest | null;
  readonly #held: ReadonlyMap<number, CopiedEvent>;

  private constructor(read: ReadLog, recipes: ReadonlyMap<number, RecipeRef>, held: ReadonlyMap<number, CopiedEvent>) {
    this.from = read.there + 1;
    this.to = read.length;
    this.#source = read.source;
    this.#prefix = read.prefix;
    this.#before = read.last;
    this.#held = held;
    this.recipes = recipes;
  }

  /** @throws IngotError `tampered` when the log is not whole. */
  static async read(log: ReadLog, options: BlobOptions): Promise<NewEvents> {
    const held = new Map<number, CopiedEvent>();
    const needs = new Needs();
    let heldBytes = 0;
    for await (const event of eventsOf(log, options)) {
      needs.add(event);
      heldBytes += event.bytes.byteLength;
      if (heldBytes <= HELD_BYTES) held.set(event.head.seq, { key: event.key, bytes: event.bytes });
    }
    const earlier = { ...log, there: 0, length: log.there, last: null };
    if (needs.asksForEarlier) for await (const event of eventsOf(earlier, options)) needs.addEarlier(event);
    return new NewEvents(log, needs.recipes(), held);
  }

  get count(): number {
    return this.to - this.from + 1;
  }

  /** Streams some of the events in their order. */
  async *events(from: number, to: number, options: BlobOptions): AsyncGenerator<CopiedEvent> {
    let at = from;
    for (let held = this.#held.get(at); held !== undefined && at <= to; held = this.#held.get(at)) {
      yield held;
      at += 1;
    }
    if (at > to) return;
    const last = at === this.from ? this.#before : (await mustRead(this.#source, this.#prefix, at - 1, options)).digest;
    const rest = { source: this.#source, prefix: this.#prefix, there: at - 1, length: to, last };
    for await (const { key, bytes } of eventsOf(rest, options)) yield { key, bytes };
  }
}

/** Events of a source's log behind those that a mirror has. */
export interface ReadLog {
  readonly source: BlobStore;
  readonly prefix: string;
  /** How many the mirror has, and the digest of the last. */
  readonly there: number;
  readonly last: Digest | null;
  readonly length: number;
}

async function* eventsOf({ source, prefix, there, length, last }: ReadLog, options: BlobOptions) {
  let previous = last;
  for (let from = there + 1; from <= length; from += READ_AT_ONCE) {
    const numbers = Array.from({ length: Math.min(READ_AT_ONCE, length - from + 1) }, (_, n) => from + n);
    for (const event of await Promise.all(numbers.map((seq) => mustRead(source, prefix, seq, options)))) {
      if (event.head.previous !== previous) throw tampered(event.key, 'does not follow from the event before it');
      previous = event.digest;
      yield event;
    }
  }
}

async function read(
  blobs: BlobStore,
  prefix: string,
  seq: number,
  options: BlobOptions,
): Promise<ReadEvent | undefined> {
  const key = numberedKey(`${prefix}/log`, seq);
  const bytes = await readIfPresent(blobs, key, options);
  return bytes && { key, bytes, ...parseEvent(bytes, key, seq) };
}

async function mustRead(blobs: BlobStore, prefix: string, seq: number, options: BlobOptions): Promise<ReadEvent> {
  const event = await read(blobs, prefix, seq, options);
  if (event !== undefined) return event;
  throw tampered(numberedKey(`${prefix}/log`, seq), `is missing from ${blobs.address}, though later events are there`);
}

/** Gathers which contents events rely on. */
class Needs {
  readonly #versions = new Map<number, { readonly seq: number; readonly ref: RecipeRef }>();
  readonly #attached = new AttachmentFold();
  /** Of all versions that stand, as far as they are known. */
  readonly #manifests = new Map<number, Digest>();
  readonly #deleted = new Set<number>();
  #closed = false;

  add({ head, body, key }: ReadEvent): void {
    if (head.kind === 'closed') this.#closed = true;
    if (body === undefined) return;
    const fields = new Fields(body, key);
    if (head.kind === 'version-published') {
      const number = fields.positive('number');
      this.#manifests.set(number, fields.digest('manifest'));
      this.#versions.set(number, { seq: head.seq, ref: parseRecipeRef(fields.inner('recipe')) });
    } else if (head.kind === 'version-deleted') {
      const number = fields.positive('number');
      this.#versions.delete(number);
      this.#manifests.delete(number);
      this.#deleted.add(number);
    } else this.#attached.add({ head, body }, key);
  }

  /** Whether earlier events decide what is needed: something is attached, and a version of theirs is deleted. */
  get asksForEarlier(): boolean {
    return this.#deleted.size > 0 && this.#attached.standing.length > 0;
  }

  /** Learns which versions there were before. */
  addEarlier({ head, body, key }: ReadEvent): void {
    if (body === undefined || (head.kind !== 'version-published' && head.kind !== 'version-deleted')) return;
    const fields = new Fields(body, key);
    const number = fields.positive('number');
    if (head.kind === 'version-deleted') this.#manifests.delete(number);
    else if (!this.#deleted.has(number)) this.#manifests.set(number, fields.digest('manifest'));
  }

  recipes(): ReadonlyMap<number, RecipeRef> {
    if (this.#closed) return new Map();
    const versions = [...this.#versions.values()].map(({ seq, ref }): [number, RecipeRef] => [seq, ref]);
    const standing = new Set(this.#manifests.values());
    const attached = this.#attached.standing
      .filter(({ subject }) => this.#deleted.size === 0 || standing.has(subject))
      .map(({ seq, recipe }): [number, RecipeRef] => [seq, recipe]);
    return new Map([...versions, ...attached].sort(([a], [b]) => a - b));
  }
}

/**
 * Writes an event as it is.
 * @throws IngotError `conflict` when something else stands there.
 */
export async function putExactly(
  destination: BlobStore,
  { key, bytes }: CopiedEvent,
  options: BlobOptions,
): Promise<void> {
  if ((await destination.write(key, bodyOf(bytes), options)) === 'created') return;
  const standing = await readIfPresent(destination, key, options);
  if (standing?.equals(bytes) === true) return;
  throw new IngotError('conflict', `${key} of ${destination.address} is not what is mirrored`, {
    operation: 'mirror',
    hint: 'something else writes to the mirror: mirror to an address of its own',
    details: { key },
  });
}
