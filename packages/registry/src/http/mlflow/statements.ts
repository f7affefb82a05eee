import { CompiledQuery, type Kysely } from 'kysely';
import type { Database } from '../../database/database.ts';
import type { IndexTables } from '../../database/index-tables.ts';

/**
 * Makes a statement that is asked often: its text is made once for each kind of database, not for each question.
 * @param text SQL with `?` for each parameter, none of them inside of quotes.
 */
export function statement<Row>(
  text: string,
): (database: Pick<Database, 'kind' | 'index'>, parameters: readonly unknown[]) => Promise<readonly Row[]> {
  const sqlite = text.trim();
  let place = 0;
  const postgres = sqlite.replace(/\?/g, () => `$${++place}`);
  return async ({ kind, index }, parameters) => {
    const query = CompiledQuery.raw(kind === 'sqlite' ? sqlite : postgres, [...parameters]);
    const { rows } = await executed<Row>(index, query);
    return rows;
  };
}

function executed<Row>(index: Kysely<IndexTables>, query: CompiledQuery) {
  return index.executeQuery<Row>(query);
}
