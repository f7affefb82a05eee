import { isIngotError } from '@ingot/core/errors';
import { type ModelName, parseModelName } from '@ingot/core/ref';
import type { Database } from '../../database/database.ts';
import type { ModelIndex } from '../../index/indexed-registry.ts';
import { aliasesOf, namesOf } from './registry-rows.ts';

/** What a page of versions tells of a version that lies with its model. */
export interface NotedModel {
  readonly model: ModelName;
  /** The name as it was given, as JSON. */
  readonly name: string;
  /** The aliases of each version that has some, in order. */
  readonly aliases: ReadonlyMap<number, readonly string[]>;
}

/** What is asked for it. */
export interface NotedModelsOptions {
  readonly database: Pick<Database, 'kind' | 'index'>;
  readonly index: Pick<ModelIndex, 'markOf' | 'markWithId'>;
}

/** Pages of so few models are asked for again and again: what is said of these is kept until something of them changes. */
const FEW = 3;

/** Names and aliases of models. */
export class NotedModels {
  readonly #options: NotedModelsOptions;
  readonly #noted = new WeakMap<object, NotedModel>();

  constructor(options: NotedModelsOptions) {
    this.#options = options;
  }

  /** Gives what is known of some models, by id: no query where it is kept, else two for any number of them. Ids that no model has are left out. */
  async of(ids: readonly string[]): Promise<ReadonlyMap<string, NotedModel>> {
    const { index } = this.#options;
    const marks = new Map(ids.map((id) => [id, index.markWithId(id)]));
    const known = new Map<string, NotedModel>();
    for (const [id, mark] of marks) {
      const noted = mark && this.#noted.get(mark);
      if (noted !== undefined) known.set(id, noted);
    }
    const missing = ids.filter((id) => !known.has(id));
    if (missing.length === 0) return known;
    for (const [id, noted] of await this.#read(missing)) {
      known.set(id, noted);
      const mark = marks.get(id);
      if (mark !== undefined) this.#noted.set(mark, noted);
      else if (ids.length <= FEW) await this.#open(noted.model);
    }
    return known;
  }

  async #read(ids: readonly string[]): Promise<ReadonlyMap<string, NotedModel>> {
    const { database } = this.#options;
    const models = new Map<string, Omit<NotedModel, 'aliases'> & { readonly aliases: Map<number, string[]> }>();
    for (const { id, model, name } of await namesOf(database, ids))
      models.set(id, { model: parseModelName(model), name: JSON.stringify(name), aliases: new Map() });
    for (const { model_id, number, alias } of await aliasesOf(database, ids)) {
      const aliases = models.get(model_id)?.aliases;
      const named = aliases?.get(number);
      if (named === undefined) aliases?.set(number, [alias]);
      else named.push(alias);
    }
    return models;
  }

  /** Lets the index keep the model, so that the next page has something to be kept by. */
  async #open(model: ModelName): Promise<void> {
    try {
      await this.#options.index.markOf(model);
    } catch (error) {
      // What is wrong with a log is no matter of a search: it tells what is indexed.
      if (!isIngotError(error)) throw error;
    }
  }
}
