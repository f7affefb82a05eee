import { parseModelName } from '@ingot/core/ref';
import type { Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import type { FurtherFacts } from '../search/facts.ts';
import type { Judged } from './facts.ts';

const MOST_PARENTS = 100;
const MOST_FILES = 20_000;
const FILES_ARE_KNOWN = 1;

/** Reads what a version's own record does not tell: when it was changed, its files, and what it was made from. */
export class FurtherReader {
  readonly #index: Kysely<IndexTables>;

  constructor(index: Kysely<IndexTables>) {
    this.#index = index;
  }

  /** What conditions may ask for: files and parents are read only where a condition seems to name them. */
  async of(
    modelId: string,
    number: number,
    conditions: readonly string[],
  ): Promise<FurtherFacts & { readonly parents: readonly Judged[] }> {
    const row = await this.#index
      .selectFrom('versions')
      .select(['updated_at', 'files_known'])
      .where('model_id', '=', modelId)
      .where('number', '=', number)
      .executeTakeFirst();
    const isNamed = (pattern: RegExp): boolean => conditions.some((text) => pattern.test(text));
    const files =
      row?.files_known === FILES_ARE_KNOWN && isNamed(/\b(?:file|digest)\b/i)
        ? await this.#files(modelId, number)
        : undefined;
    const parents = isNamed(/\bparents?\b/i) ? await this.#parents(modelId, number) : [];
    return { parents, ...(row !== undefined && { updatedAt: row.updated_at }), ...(files !== undefined && { files }) };
  }

  #files(modelId: string, number: number): Promise<{ path: string; digest: string }[]> {
    return this.#index
      .selectFrom('version_files')
      .select(['path', 'digest'])
      .where('model_id', '=', modelId)
      .where('number', '=', number)
      .limit(MOST_FILES)
      .execute();
  }

  async #parents(modelId: string, number: number): Promise<Judged[]> {
    const rows = await this.#index
      .selectFrom('version_parents')
      .innerJoin('versions', (join) =>
        join
          .onRef('versions.model_id', '=', 'version_parents.parent_model_id')
          .onRef('versions.number', '=', 'version_parents.parent_number'),
      )
      .innerJoin('models', 'models.id', 'versions.model_id')
      .select(['versions.record', 'models.id', 'models.name', 'versions.number'])
      .where('version_parents.model_id', '=', modelId)
      .where('version_parents.number', '=', number)
      .orderBy('version_parents.place')
      .limit(MOST_PARENTS)
      .execute();
    return Promise.all(
      rows.map(async ({ record, id, name, number: parent }) => {
        const judged: Judged = JSON.parse(record);
        const aliases = await this.#aliases(id, parent);
        return { ...judged, aliases, ...(name !== null && { model: parseModelName(name) }) };
      }),
    );
  }

  async #aliases(modelId: string, number: number): Promise<string[]> {
    const rows = await this.#index
      .selectFrom('aliases')
      .select('alias')
      .where('model_id', '=', modelId)
      .where('number', '=', number)
      .orderBy('alias')
      .execute();
    return rows.map(({ alias }) => alias);
  }
}
