import type { RecipeRef } from '@ingot/core/content/content-store';
import { isIngotError } from '@ingot/core/errors';
import { isJsonObject } from '@ingot/core/json';
import { Fields } from '@ingot/core/registry/fields';
import { parseRecipeRef } from '@ingot/core/registry/model-fold';
import type { ModelName } from '@ingot/core/ref';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import { prepared } from '../database/prepared.ts';
import type { ModelIndex } from '../index/indexed-registry.ts';
import type { Log } from '../services.ts';
import type { ModelNames } from './model-names.ts';
import type { PackLedger } from './pack-ledger.ts';

const PAUSE_MS = 30_000;
const SOON_MS = 50;
/** How many of a model's newest versions are noted without anybody asking for them. */
const NEWEST = 20;

/** What keeping notes needs. */
export interface VersionNotesOptions {
  readonly index: Kysely<IndexTables>;
  readonly events: Pick<ModelIndex, 'subscribe'>;
  readonly names: ModelNames;
  readonly ledger: Pick<PackLedger, 'note' | 'notedOf' | 'noteAlike'>;
  readonly log: Log;
}

/** Reads the recipes of versions into the ledger: of those published here at once, of others now and then. */
export class VersionNotes implements AsyncDisposable {
  readonly #options: VersionNotesOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #unsubscribe: () => void;
  /** How far the log of a model was when its newest versions were noted, and when all of them were. */
  readonly #seen = { newest: new Map<string, number>(), all: new Map<string, number>() };
  readonly #grown = new Set<string>();
  #soonTimer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(options: VersionNotesOptions) {
    this.#options = options;
    const look = async (): Promise<void> => {
      await this.#lookThrough(NEWEST, () => true);
      await options.ledger.noteAlike();
    };
    this.#timer = setInterval(() => this.#later(look), PAUSE_MS);
    this.#timer.unref();
    this.#unsubscribe = options.events.subscribe((log, events) => {
      if (events.some(({ head }) => head.kind === 'version-published')) this.#soon(log);
    });
  }

  /** Notes all that was published and not noted yet, of the models that `wanted` says; one run at a time. */
  catchUp(wanted: (model: ModelName) => boolean): Promise<void> {
    const run = () => this.#lookThrough(undefined, wanted);
    this.#running = this.#running.then(run, run);
    return this.#running;
  }

  /** Waits until what was published here is noted, but no longer than some time. */
  async settled(timeoutMs: number): Promise<void> {
    this.#noteGrown();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([this.#running.catch(() => {}), late]);
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    clearInterval(this.#timer);
    clearTimeout(this.#soonTimer);
    this.#unsubscribe();
    await this.#running.catch(() => {});
    await this.#options.ledger.noteAlike().catch(() => {}); // They are looked at again.
  }

  /** Versions that follow each other are looked at together. */
  #soon(log: string): void {
    this.#grown.add(log);
    this.#soonTimer ??= setTimeout(() => this.#noteGrown(), SOON_MS).unref();
  }

  #noteGrown(): void {
    clearTimeout(this.#soonTimer);
    this.#soonTimer = undefined;
    for (const log of this.#grown) this.#later(() => this.#noteModel(log, NEWEST));
    this.#grown.clear();
  }

  #later(run: () => Promise<void>): void {
    this.#running = this.#running.then(run, run).catch((error: unknown) => {
      this.#options.log('warn', `what is stored could not be looked through: ${String(error)}`);
    });
  }

  /** Looks at the models whose logs have gone on since they were looked at. */
  async #lookThrough(newest: number | undefined, wanted: (model: ModelName) => boolean): Promise<void> {
    const { index, names } = this.#options;
    const seen = newest === undefined ? this.#seen.all : this.#seen.newest;
    const logs = await index.selectFrom('logs').select(['log', 'seq']).execute();
    const moved = new Map(
      logs.filter(({ log, seq }) => seen.get(log) !== Number(seq)).map(({ log, seq }) => [log, seq]),
    );
    if (moved.size === 0) return;
    for (const { id, name } of await names.all()) {
      const seq = moved.get(id);
      if (seq === undefined || this.#ended || !wanted(name)) continue;
      await this.#noteModel(id, newest);
      seen.set(id, Number(seq));
    }
  }

  async #noteModel(id: string, newest?: number): Promise<void> {
    const numbers = await this.#numbersOf(id, newest);
    const noted = await this.#options.ledger.notedOf(id, numbers.at(-1));
    for (const number of numbers) {
      if (this.#ended) return;
      if (!noted.has(number)) await this.#note(id, number);
    }
  }

  // A version whose contents are lost or slow to come is tried again when its model changes.
  async #note(modelId: string, number: number): Promise<void> {
    try {
      const recipe = await this.#recipeOf(modelId, number);
      if (recipe !== undefined) await this.#options.ledger.note({ modelId, number, recipe });
    } catch (error) {
      if (!isIngotError(error)) throw error;
      this.#options.log('warn', `the recipe of ${modelId}:${number} could not be read: ${error.message}`);
    }
  }

  async #numbersOf(modelId: string, newest: number | undefined): Promise<readonly number[]> {
    const query = this.#options.index
      .selectFrom('versions')
      .select('number')
      .where('model_id', '=', modelId)
      .where('status', '!=', 'deleted')
      .orderBy('number', 'desc');
    const rows = await (newest === undefined ? query : query.limit(newest)).execute();
    return rows.map(({ number }) => number);
  }

  async #recipeOf(modelId: string, number: number): Promise<RecipeRef | undefined> {
    const [row] = (await recordOf(this.#options.index, [modelId, number])).rows;
    const json: unknown = row && JSON.parse(row.record);
    if (!isJsonObject(json) || !isJsonObject(json.recipe)) return undefined;
    return parseRecipeRef(new Fields(json.recipe, `${modelId}:${number}`));
  }
}

const recordOf = prepared<{ readonly record: string }>('select record from versions where model_id = ? and number = ?');
