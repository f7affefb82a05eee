import type { BlobOptions } from '../blob/blob-store.ts';
import type { StoreFormat } from '../content/store-format.ts';
import { checkWritable, type FormatOnce } from '../content/store-format.ts';
import { IngotError, isIngotError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import type { ModelName } from '../ref.ts';
import { type ModelBrief, briefOf } from './brief.ts';
import type { LogSnapshot, LogTools, RememberedPosition } from './log-snapshot.ts';
import { alikeNames } from './alike-names.ts';
import { EventLog } from './event-log.ts';
import type { Fold } from './fold.ts';
import { LogFiles } from './log-files.ts';
import type { ModelState } from './model-fold.ts';
import { modelFold } from './model-fold.ts';
import type { NamedModel, NamesState } from './names-fold.ts';
import { namesFold } from './names-fold.ts';
import { nearest } from '../nearest.ts';
import type { OpenModel, ToldVersion } from './record.ts';
import type { RememberedStates, SeenLog } from './remembered.ts';
import type { BriefAt } from './shared-briefs.ts';

const NAMES = 'names';

/** How often a process that stays saves what it remembers, at most. */
const RESIDENT_SAVES_MS = 10_000;

interface OpenOptions extends BlobOptions {
  readonly toWrite?: boolean;
  readonly lately?: boolean;
}

interface OpenStore {
  readonly format: StoreFormat;
  readonly names: EventLog<NamesState>;
}

/** The logs of one store: that of the names, and one for each model. */
export class ModelDirectory {
  readonly tools: LogTools;
  readonly #format: FormatOnce;
  readonly #memory: RememberedStates | undefined;
  readonly #logs = new Map<string, EventLog<ModelState>>();
  readonly #saved = new Map<string, number>();
  readonly #told = new Map<string, Map<number, ToldVersion>>();
  #store: Promise<OpenStore> | undefined;
  #nextSaveAt = 0;

  constructor(tools: LogTools, format: FormatOnce, memory: RememberedStates | undefined) {
    this.tools = tools;
    this.#format = format;
    this.#memory = memory;
  }

  /**
   * The names log, opened with what is remembered.
   * @throws IngotError `store-not-found`.
   */
  async names(options: BlobOptions): Promise<EventLog<NamesState>> {
    return (await this.#opened(() => this.#format.open(options))).names;
  }

  /**
   * The names log, to write to this store; makes the store where there is none and `create` is given.
   * @throws IngotError `refused` when the store is a mirror or governed.
   */
  async writableNames(options: BlobOptions & { readonly create?: boolean }): Promise<EventLog<NamesState>> {
    const { blobs, now } = this.tools;
    const open = () => (options.create ? this.#format.create({ ...options, now }) : this.#format.open(options));
    const { format, names } = await this.#opened(open);
    checkWritable(format, blobs.address);
    return names;
  }

  /** The log of a model. */
  log(id: string): EventLog<ModelState> {
    const open = this.#logs.get(id);
    if (open !== undefined) return open;
    const log = new EventLog(this.tools, `models/${id}`, modelFold, this.#recall(id, modelFold));
    this.#logs.set(id, log);
    return log;
  }

  /** The log of a model that this process has just made: nothing was in it then. */
  newLog(id: string): EventLog<ModelState> {
    const log = new EventLog(this.tools, `models/${id}`, modelFold, 'new');
    this.#logs.set(id, log);
    return log;
  }

  /**
   * Reads a model as it is now: one round trip, of a request to each of two logs, when nothing is new.
   * To append to it afterwards with `seen`, its last event is looked for, too (`toWrite`). `lately`: a log that was seen a
   * moment ago is taken for what it was, and appended to as such.
   * @throws IngotError `model-not-found` with the nearest name, `store-not-found`.
   */
  async open(name: ModelName, options: OpenOptions): Promise<OpenModel> {
    const names = await this.names(options);
    const guess = names.known?.state.models.get(name);
    const { toWrite: _, lately: __, ...reading } = options;
    const [{ state }, early] = await Promise.all([names.refresh(reading), guess && this.#snapshot(guess.id, options)]);
    const named = state.models.get(name);
    if (named === undefined) throw notFound(name, state);
    const snapshot = early && named.id === guess?.id ? early : await this.log(named.id).refresh(options);
    if (snapshot.state.closed) throw notFound(name, state);
    return this.opened(named, snapshot);
  }

  async #snapshot(id: string, { lately, ...options }: OpenOptions): Promise<LogSnapshot<ModelState>> {
    const log = this.log(id);
    const known = lately && log.isFresh ? log.known : undefined;
    return known === undefined || known.state.closed ? log.refresh(options) : known;
  }

  /** Whether a model's log was read by this process. */
  isOpen(id: string): boolean {
    return this.#logs.has(id);
  }

  /** The files of a model's log. */
  files(id: string): LogFiles {
    return new LogFiles(this.tools.blobs, `models/${id}`);
  }

  /** What this machine remembers of a model, by the fold of this release. */
  seen(id: string): SeenLog | undefined {
    const seen = this.#memory?.get(id);
    return seen?.fold === modelFold.version ? seen : undefined;
  }

  /** Remembers what somebody else saw of a model. */
  note(id: string, { seq, digest, brief }: BriefAt): void {
    if (brief.at !== null) this.#memory?.put(id, { fold: modelFold.version, seq, digest, at: brief.at, brief });
  }

  /** The address that this store is a mirror of. */
  async follows(options: BlobOptions): Promise<string | undefined> {
    return (await this.#opened(() => this.#format.open(options))).format.follows;
  }

  /** Whether this store takes writes from anybody. */
  async isWritable(options: BlobOptions): Promise<boolean> {
    const { format } = await this.#opened(() => this.#format.open(options));
    return !format.governed && format.follows === undefined;
  }

  /** How sure it is that a model that was opened `lately` is as its log is. */
  get trust(): 'lately' | true {
    return this.tools.beside === undefined ? true : 'lately';
  }

  opened(named: NamedModel, { seq, at, state }: Pick<LogSnapshot<ModelState>, 'seq' | 'at' | 'state'>): OpenModel {
    return { ...named, log: this.log(named.id), told: this.#toldOf(named.id), seq, at, state };
  }

  // A process that ends soon asks once.
  #toldOf(id: string): Map<number, ToldVersion> {
    const known = this.#told.get(id) ?? new Map<number, ToldVersion>();
    if (this.tools.beside !== undefined) this.#told.set(id, known);
    return known;
  }

  /** Drops what is known of a model that was deleted. */
  forget(id: string): void {
    this.#logs.delete(id);
    this.#told.delete(id);
    this.#memory?.drop(id);
  }

  /** Remembers what was read since the last time; at most now and then unless `always`. */
  async remember(always = false): Promise<void> {
    const { beside } = this.tools;
    const startedAt = performance.now();
    if (this.#memory === undefined || (!always && startedAt < this.#nextSaveAt)) return;
    this.#put(NAMES, namesFold, (await this.#store)?.names.known);
    for (const [id, log] of this.#logs) this.#put(id, modelFold, log.known, ({ state, at }) => briefOf(state, at));
    const saving = this.#memory.save();
    if (beside === undefined || always) await saving;
    else beside(saving);
    const endedAt = performance.now();
    this.#nextSaveAt = endedAt + Math.max(beside === undefined ? 200 : RESIDENT_SAVES_MS, 20 * (endedAt - startedAt));
  }

  #put<State>(
    key: string,
    fold: Fold<State>,
    known: LogSnapshot<State> | undefined,
    brief?: (known: LogSnapshot<State>) => ModelBrief,
  ): void {
    if (known === undefined || known.digest === null || known.at === null) return;
    if (known.seq <= (this.#saved.get(key) ?? 0)) return;
    const { seq, digest, at } = known;
    const state = fold.toJson(known.state);
    this.#memory?.put(key, { fold: fold.version, seq, digest, at, state, ...(brief ? { brief: brief(known) } : {}) });
    this.#saved.set(key, seq);
  }

  // A failure is not kept: the next call may find the store.
  async #opened(open: () => Promise<StoreFormat>): Promise<OpenStore> {
    this.#store ??= this.#open(open);
    try {
      return await this.#store;
    } catch (error) {
      this.#store = undefined;
      throw error;
    }
  }

  async #open(open: () => Promise<StoreFormat>): Promise<OpenStore> {
    const format = await open();
    if (format.follows !== undefined) this.tools.follows = format.follows;
    await this.#memory?.load(format.id);
    const start = this.#format.isNew ? 'new' : this.#recall(NAMES, namesFold);
    return { format, names: new EventLog(this.tools, NAMES, namesFold, start) };
  }

  #recall<State>(key: string, fold: Fold<State>): RememberedPosition<State> | undefined {
    const seen = this.#memory?.get(key);
    if (seen === undefined) return undefined;
    const { seq, digest, at } = seen;
    const json = seen.fold === fold.version ? seen.state() : undefined;
    if (json !== undefined) this.#saved.set(key, seq);
    return { seq, digest, at, state: () => json && readState(fold, json, this.#memory?.location ?? '') };
  }
}

// A state that something else wrote is not used; where the log was is still worth checking.
function readState<State>(fold: Fold<State>, json: JsonObject, where: string): State | undefined {
  try {
    return fold.parse(json, where);
  } catch (error) {
    if (!isIngotError(error, 'integrity')) throw error;
    return undefined;
  }
}

function notFound(name: ModelName, { models }: NamesState): IngotError {
  // A model that is being deleted may still have its name.
  const others = [...models.keys()].filter((other) => other !== name);
  const close = nearest(name, others);
  const alike = alikeNames(name, others);
  return new IngotError('model-not-found', `there is no model "${name}"`, {
    hint: 'ingot ls',
    ...(close === undefined ? {} : { nearest: close }),
    details: { model: name, ...(alike.length > 0 && { alike }) },
  });
}
