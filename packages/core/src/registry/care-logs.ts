/**
 * Logs as those read them who care for a store: all of them, from their events alone, each from the first event on.
 * Heads, segments and what a machine remembers are caches, and a mistake in a cache must not cost a model its contents.
 */

import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import type { RecipeRef } from '../content/content-store.ts';
import type { Digest } from '../digest.ts';
import { IngotError } from '../errors.ts';
import type { ModelName } from '../ref.ts';
import { type Attachment, AttachmentFold } from './attachments.ts';
import type { StoredEvent } from './events.ts';
import { tampered } from './events.ts';
import type { Fold } from './fold.ts';
import { refuseUnknown, slimEvent } from './fold.ts';
import { LogFiles, numberedKey } from './log-files.ts';
import type { ModelState } from './model-fold.ts';
import { modelFold } from './model-fold.ts';
import type { NamesState } from './names-fold.ts';
import { namesFold } from './names-fold.ts';

/** Keys of one log and of the caches beside it, as a listing shows them. */
export interface ListedLog {
  /** `names`, or `models/<id>`. */
  readonly prefix: string;
  /** Number of the last event. */
  readonly length: number;
  /** Numbers that the listing did not show though it shows a later one: holes, unless they were just being written. */
  readonly missing: readonly number[];
  readonly heads: readonly string[];
  readonly segments: readonly string[];
}

/** What a listing of all logs shows. */
export interface ListedLogs {
  readonly logs: ReadonlyMap<string, ListedLog>;
  /** Keys that belong to no log. */
  readonly strays: readonly string[];
}

/** A model's log, all of it. */
export interface CareModel {
  readonly id: string;
  /** Its name now; undefined when it was deleted, or never had one. */
  readonly name?: ModelName;
  readonly seq: number;
  readonly digest: Digest | null;
  readonly state: ModelState;
  /** What is attached to manifests of its versions, also of deleted ones. */
  readonly attached: readonly Attachment[];
}

/** All logs of a store. */
export interface CareView {
  readonly names: NamesState;
  readonly models: ReadonlyMap<string, CareModel>;
  readonly listed: ListedLogs;
}

const EVENT_OF_LOG = /^(names|models\/[^/]+)\/(log|heads|segments)\/(\d{10})\.json$/;
const READ_AT_ONCE = 32;
const MOST_HOLES = 1000;

/** Lists the keys of all logs. One request per 1,000 keys. */
export async function listLogs(blobs: Pick<BlobStore, 'list'>, options: BlobOptions = {}): Promise<ListedLogs> {
  const logs = new Map<string, Listing>();
  const strays: string[] = [];
  for (const part of ['models/', 'names/']) {
    for await (const { key } of blobs.list(part, options)) {
      const [, prefix, kind, digits] = EVENT_OF_LOG.exec(key) ?? [];
      if (prefix === undefined) {
        strays.push(key);
        continue;
      }
      const log = logs.get(prefix) ?? { prefix, length: 0, missing: [], heads: [], segments: [] };
      logs.set(prefix, log);
      if (kind === 'heads') log.heads.push(key);
      else if (kind === 'segments') log.segments.push(key);
      else noteEvent(log, Number(digits));
    }
  }
  return { logs, strays };
}

interface Listing {
  readonly prefix: string;
  length: number;
  readonly missing: number[];
  readonly heads: string[];
  readonly segments: string[];
}

function noteEvent(log: Listing, seq: number): void {
  for (let number = log.length + 1; number < seq && log.missing.length < MOST_HOLES; number += 1)
    log.missing.push(number);
  log.length = seq;
}

/** Gives the first event of a log that is really missing: a listing may pass over what was written while it went on. */
export async function holeOf(
  blobs: Pick<BlobStore, 'stat'>,
  { prefix, missing }: ListedLog,
  options: BlobOptions = {},
): Promise<string | undefined> {
  for (const number of missing) {
    const key = numberedKey(`${prefix}/log`, number);
    if ((await blobs.stat(key, options)) === undefined) return key;
  }
  return undefined;
}

/** Streams the events of a log from one on, several read at once, each checked against the one before. Throws `tampered`. */
export async function* careEvents(
  blobs: BlobStore,
  prefix: string,
  from: number,
  to: number,
  before: Digest | null,
  options: BlobOptions = {},
): AsyncGenerator<StoredEvent> {
  const files = new LogFiles(blobs, prefix);
  let previous = before;
  for (let start = from; start <= to; start += READ_AT_ONCE) {
    const numbers = Array.from({ length: Math.min(READ_AT_ONCE, to - start + 1) }, (_, n) => start + n);
    for (const [n, event] of (await Promise.all(numbers.map((seq) => files.read(seq, options)))).entries()) {
      if (event === undefined) throw tampered(files.key(start + n), 'is missing, though later events are there');
      if (event.head.previous !== previous)
        throw tampered(files.key(start + n), 'does not follow from the event before it');
      previous = event.digest;
      yield event;
    }
  }
}

/** Reads all logs of a store again and again; what was read is not read a second time. */
export class CareLogs {
  readonly #blobs: BlobStore;
  readonly #models = new Map<string, Followed<ModelState>>();
  #names: Followed<NamesState> | undefined;

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /**
   * Reads all logs as they are now.
   * @throws IngotError `tampered` when an event is missing or damaged, `refused` when there are events of a newer release.
   */
  async read(options: BlobOptions = {}): Promise<CareView> {
    const listed = await listLogs(this.#blobs, options);
    this.#names ??= new Followed(this.#blobs, 'names', namesFold);
    for (const log of listed.logs.values()) {
      const hole = await holeOf(this.#blobs, log, options);
      if (hole !== undefined) throw tampered(hole, 'is missing, though later events are there');
    }
    await this.#names.advance(listed.logs.get('names')?.length ?? 0, options);
    const names = this.#names.state;
    const named = new Map([...names.models.values()].map(({ id, name }) => [id, name]));
    const models = new Map<string, CareModel>();
    for (const { prefix, length } of listed.logs.values()) {
      if (prefix === 'names') continue;
      const id = prefix.slice('models/'.length);
      models.set(id, await this.#model(id, named.get(id), length, options));
    }
    for (const [id, name] of named) if (!models.has(id)) models.set(id, { ...NO_EVENTS, id, name });
    return { names, models, listed };
  }

  async #model(id: string, name: ModelName | undefined, length: number, options: BlobOptions): Promise<CareModel> {
    const log = this.#models.get(id) ?? new Followed(this.#blobs, `models/${id}`, modelFold);
    this.#models.set(id, log);
    await log.advance(length, options);
    const { seq, digest, state, attached } = log;
    return { id, ...(name === undefined ? {} : { name }), seq, digest, state, attached };
  }
}

const NO_EVENTS = { seq: 0, digest: null, state: modelFold.initial, attached: [] };

/** One log, followed from its first event. */
class Followed<State> {
  seq = 0;
  digest: Digest | null = null;
  state: State;
  readonly #attached = new AttachmentFold();
  readonly #blobs: BlobStore;
  readonly #prefix: string;
  readonly #fold: Fold<State>;

  constructor(blobs: BlobStore, prefix: string, fold: Fold<State>) {
    this.#blobs = blobs;
    this.#prefix = prefix;
    this.#fold = fold;
    this.state = fold.initial;
  }

  get attached(): readonly Attachment[] {
    return this.#attached.standing;
  }

  async advance(to: number, options: BlobOptions): Promise<void> {
    if (to < this.seq)
      throw tampered(numberedKey(`${this.#prefix}/log`, to + 1), 'is missing, though it was there a moment ago');
    const fileOf = (seq: number) => numberedKey(`${this.#prefix}/log`, seq);
    let batch: StoredEvent[] = [];
    const take = (): void => {
      this.state = this.#fold.apply(
        this.state,
        batch.map((event) => slimEvent(this.#fold, event)),
        fileOf,
      );
      batch = [];
    };
    for await (const event of careEvents(this.#blobs, this.#prefix, this.seq + 1, to, this.digest, options)) {
      batch.push(event);
      this.seq = event.head.seq;
      this.digest = event.digest;
      // What is attached to a version lies in packs like a version does.
      this.#attached.add(event, fileOf(event.head.seq));
      if (batch.length === 256) take();
    }
    take();
    refuseUnknown(this.#fold.unknown(this.state), 'write', fileOf);
  }
}

/** Recipes that a model needs: of its versions that are not deleted, and of what is attached to those; none once it is closed. */
export function neededRecipes(
  model: CareModel,
): readonly { readonly label: string; readonly number?: number; readonly recipe: RecipeRef }[] {
  if (model.state.closed) return [];
  const shown = model.name ?? model.id;
  const versions = model.state.versions.flatMap((entry) =>
    entry === null || entry.status === 'deleted'
      ? []
      : [{ label: `${shown}:${entry.number}`, number: entry.number, recipe: entry.recipe }],
  );
  const standing = new Set(
    model.state.versions.flatMap((entry) => (entry === null || entry.status === 'deleted' ? [] : entry.manifest)),
  );
  const attached = model.attached
    .filter(({ subject }) => standing.has(subject))
    .map(({ manifest, recipe }) => ({ label: `${shown}@${manifest} (attached)`, recipe }));
  return [...versions, ...attached];
}

/** Refuses to go on when a model's id could not be one. */
export function isModelId(id: string): boolean {
  return /^[a-z0-9-]{1,60}-[0-9a-f]{16}$/.test(id);
}

/** Says that nothing may be deleted because what is needed cannot be told. */
export function cannotTell(label: string, cause: IngotError): IngotError {
  return new IngotError(
    cause.code,
    `nothing was deleted: it cannot be told what ${label} needs, because ${cause.message}`,
    {
      operation: 'collect',
      hint: `ingot check   (names all damage; \`ingot check --repair-from STORE\` mends it, \`ingot rm ${label}\` gives it up)`,
      details: { ...cause.details, version: label },
      cause,
    },
  );
}
