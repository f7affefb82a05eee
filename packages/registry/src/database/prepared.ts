import { CompiledQuery, type Kysely, PostgresAdapter, type QueryResult } from 'kysely';

/** Runs a statement with the values of its places, in a database or a transaction of it. */
export type Prepared<Row> = <Tables>(database: Kysely<Tables>, values: readonly unknown[]) => Promise<QueryResult<Row>>;

/**
 * Makes a statement that is asked often: its text is made once, not put together each time; its places are `?` in either
 * database. One that only reads begins with `select`, so that nobody waits for the disk after it.
 */
export function prepared<Row = never>(sql: string): Prepared<Row> {
  let place = 0;
  const forPostgres = sql.replaceAll('?', () => {
    place += 1;
    return `$${place}`;
  });
  return (database, values) =>
    database.executeQuery<Row>(CompiledQuery.raw(isPostgres(database) ? forPostgres : sql, [...values]));
}

/** Whether a database is Postgres. */
export function isPostgres<Tables>(database: Kysely<Tables>): boolean {
  return database.getExecutor().adapter instanceof PostgresAdapter;
}
