import { type Kysely, PostgresAdapter, sql } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import { INDEX_COLUMNS } from './migrations.ts';

const ROWS_AT_ONCE = 500;
const ONE_BY_ONE = 3;

const statements = new Map<string, string>();

/**
 * Inserts any number of rows with two prepared statements a table: a few rows one by one; many as one JSON text, which
 * the database takes apart.
 */
export async function insertRows<Table extends keyof IndexTables & string>(
  database: Kysely<IndexTables>,
  table: Table,
  rows: readonly IndexTables[Table][],
): Promise<void> {
  if (rows.length === 0) return;
  if (rows.length <= ONE_BY_ONE) {
    for (const row of rows) await insertOne(database, table, row);
    return;
  }
  const [before = '', after = ''] = statementOf(table, isPostgres(database)).split('?');
  for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
    const json = JSON.stringify(rows.slice(from, from + ROWS_AT_ONCE));
    await sql`${sql.raw(before)}${json}${sql.raw(after)}`.execute(database);
  }
}

async function insertOne(database: Kysely<IndexTables>, table: string, row: object): Promise<void> {
  const columns = INDEX_COLUMNS.get(table) ?? [];
  const values = new Map<string, unknown>(Object.entries(row));
  const names = sql.raw(columns.map((column) => `"${column}"`).join(', '));
  const parameters = sql.join(columns.map((column) => values.get(column)));
  await sql`insert into ${sql.raw(`"${table}"`)} (${names}) values (${parameters})`.execute(database);
}

/** Whether a database is Postgres. */
export function isPostgres(database: Kysely<IndexTables>): boolean {
  return database.getExecutor().adapter instanceof PostgresAdapter;
}

function statementOf(table: string, forPostgres: boolean): string {
  const key = `${table} ${forPostgres}`;
  const known = statements.get(key);
  if (known !== undefined) return known;
  const columns = INDEX_COLUMNS.get(table) ?? [];
  const names = columns.map((column) => `"${column}"`).join(', ');
  const made = forPostgres
    ? `insert into "${table}" (${names}) select ${names} from json_populate_recordset(null::"${table}", ?::json)`
    : `insert into "${table}" (${names}) select ${columns.map((column) => `value ->> '${column}'`).join(', ')} from json_each(?)`;
  statements.set(key, made);
  return made;
}

/** A text as both databases hold it: what is no character, and the one that Postgres refuses, are replaced. */
export function storable(text: string): string {
  return text.replace(/[\0\p{Surrogate}]/gu, '\uFFFD');
}

/** The same for a text that may be missing. */
export function storableOrNull(text: string | undefined): string | null {
  return text === undefined ? null : storable(text);
}
