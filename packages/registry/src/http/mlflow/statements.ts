import { CompiledQuery, type Kysely, type RawBuilder } from 'kysely';
import type { Database } from '../../database/database.ts';
import type { IndexTables } from '../../database/index-tables.ts';

type Index = Pick<Database, 'kind' | 'index'>;

/** A statement that is asked often: its text is made once for each kind of database, not for each question. */
export type Statement<Row> = (database: Index, parameters: readonly unknown[]) => Promise<readonly Row[]>;

/**
 * Makes a statement of its text.
 * @param text SQL with `?` for each parameter, none of them inside of quotes.
 */
export function statement<Row>(text: string): Statement<Row> {
  const sqlite = text.trim();
  let place = 0;
  const postgres = sqlite.replace(/\?/g, () => `$${++place}`);
  return async ({ kind, index }, parameters) => {
    const query = CompiledQuery.raw(kind === 'sqlite' ? sqlite : postgres, [...parameters]);
    const { rows } = await executed<Row>(index, query);
    return rows;
  };
}

/** Stands in a query for the parameter with this number, from 0. */
export class Slot {
  readonly at: number;

  constructor(at: number) {
    this.at = at;
  }
}

/** Makes a statement of a query that was put together for this kind of database; its parameters are its {@link Slot}s. */
export function compiled<Row>({ index }: Index, query: RawBuilder<Row>): Statement<Row> {
  const { sql, parameters: values } = query.compile(index);
  return async (database, parameters) => {
    const given = values.map((value) => (value instanceof Slot ? parameters[value.at] : value));
    const { rows } = await executed<Row>(database.index, CompiledQuery.raw(sql, given));
    return rows;
  };
}

function executed<Row>(index: Kysely<IndexTables>, query: CompiledQuery) {
  return index.executeQuery<Row>(query);
}
