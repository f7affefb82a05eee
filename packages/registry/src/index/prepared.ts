import { CompiledQuery, type Kysely, type QueryResult } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import { isPostgres } from './insert-rows.ts';

/** Runs a statement with the values of its places. */
export type Prepared<Row> = (index: Kysely<IndexTables>, values: readonly unknown[]) => Promise<QueryResult<Row>>;

/** Makes a statement that is part of every write, so that it is compiled once; its places are `?` in either database. */
export function prepared<Row = never>(sql: string): Prepared<Row> {
  let place = 0;
  const forPostgres = sql.replaceAll('?', () => {
    place += 1;
    return `$${place}`;
  });
  return (index, values) =>
    index.executeQuery<Row>(CompiledQuery.raw(isPostgres(index) ? forPostgres : sql, [...values]));
}
