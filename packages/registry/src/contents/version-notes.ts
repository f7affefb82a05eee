import type { RecipeRef } from '@ingot/core/content/content-store';
import { isIngotError } from '@ingot/core/errors';
import { isJsonObject } from '@ingot/core/json';
import { Fields } from '@ingot/core/registry/fields';
import { parseRecipeRef } from '@ingot/core/registry/model-fold';
import type { ModelName } from '@ingot/core/ref';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import type { Log } from '../services.ts';
import type { ModelNames } from './model-names.ts';
import type { PackLedger } from './pack-ledger.ts';

const PAUSE_MS = 30_000;
/** How many of a model's newest versions are noted without anybody asking for them. */
const NEWEST = 20;

/** What keeping notes needs. */
export interface VersionNotesOptions {
  readonly index: Kysely<IndexTables>;
  readonly names: ModelNames;
  readonly ledger: PackLedger;
  readonly log: Log;
}

/** Reads the recipes of versions into the ledger: of those published here at once, of others now and then. */
export class VersionNotes implements Disposable {
  readonly #options: VersionNotesOptions;
  readonly #timer: NodeJS.Timeout;
  /** How far the log of a model was when its newest versions were noted. */
  readonly #seen = new Map<string, number>();
  #running: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(options: VersionNotesOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#newest(), PAUSE_MS);
    this.#timer.unref();
  }

  /** Notes all that was published and not noted yet, of the models that `wanted` says; one run at a time. */
  catchUp(wanted: (model: ModelName) => boolean): Promise<void> {
    const run = async (): Promise<void> => {
      for (const { id, name } of await this.#options.names.all()) if (wanted(name)) await this.#noteModel(id);
    };
    this.#running = this.#running.then(run, run);
    return this.#running;
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    clearInterval(this.#timer);
  }

  async #newest(): Promise<void> {
    const run = async (): Promise<void> => {
      const logs = await this.#options.index.selectFrom('logs').select(['log', 'seq']).execute();
      for (const { log, seq } of logs) {
        if (log === 'names' || this.#seen.get(log) === seq) continue;
        await this.#noteModel(log, NEWEST);
        this.#seen.set(log, seq);
      }
    };
    this.#running = this.#running.then(run, run).catch((error: unknown) => {
      this.#options.log('warn', `what is stored could not be looked through: ${String(error)}`);
    });
    await this.#running;
  }

  async #noteModel(id: string, newest?: number): Promise<void> {
    const noted = await this.#options.ledger.notedOf(id);
    const numbers = await this.#numbersOf(id, newest);
    for (const number of numbers) {
      if (this.#ended) return;
      if (!noted.has(number)) await this.#note(id, number);
    }
  }

  // A version whose contents are lost or slow to come is tried again later.
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
    const row = await this.#options.index
      .selectFrom('versions')
      .select('record')
      .where('model_id', '=', modelId)
      .where('number', '=', number)
      .executeTakeFirst();
    const json: unknown = row && JSON.parse(row.record);
    if (!isJsonObject(json) || !isJsonObject(json.recipe)) return undefined;
    return parseRecipeRef(new Fields(json.recipe, `${modelId}:${number}`));
  }
}
