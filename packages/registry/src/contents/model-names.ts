import { isIngotError } from '@ingot/core/errors';
import { type ModelName, parseModelName } from '@ingot/core/ref';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';

/** Tells the name that a model has now. */
export class ModelNames {
  readonly #index: Kysely<IndexTables>;

  constructor(index: Kysely<IndexTables>) {
    this.#index = index;
  }

  /** The name of the model with this id; undefined when it has none any more. */
  async nameOf(modelId: string): Promise<ModelName | undefined> {
    const row = await this.#index.selectFrom('models').select('name').where('id', '=', modelId).executeTakeFirst();
    return row?.name == null ? undefined : asName(row.name);
  }

  /** All models that have a name, with their ids. */
  async all(): Promise<readonly { readonly id: string; readonly name: ModelName }[]> {
    const rows = await this.#index.selectFrom('models').select(['id', 'name']).where('closed', '=', 0).execute();
    return rows.flatMap(({ id, name }) => {
      const parsed = name === null ? undefined : asName(name);
      return parsed === undefined ? [] : [{ id, name: parsed }];
    });
  }
}

function asName(text: string): ModelName | undefined {
  try {
    return parseModelName(text);
  } catch (error) {
    if (isIngotError(error)) return undefined;
    throw error;
  }
}
