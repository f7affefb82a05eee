import { CompiledQuery, type Kysely } from 'kysely';
import type { IndexTables } from '../database/index-tables.ts';
import { isPostgres } from '../database/prepared.ts';
import { INDEX_COLUMNS } from './migrations.ts';

const ROWS_AT_ONCE = 32;

const statements = new Map<string, string>();

/**
 * Inserts any number of rows with two prepared statements a table: 32 rows at once, and what is left one by one.
 * The statements' texts never change, and nothing is compiled.
 */
export async function insertRows<Table extends keyof IndexTables & string>(
  database: Kysely<IndexTables>,
  table: Table,
  rows: readonly IndexTables[Table][],
): Promise<void> {
  const columns = INDEX_COLUMNS.get(table) ?? [];
  const forPostgres = isPostgres(database);
  for (let from = 0; from < rows.length; ) {
    const count = rows.length - from >= ROWS_AT_ONCE ? ROWS_AT_ONCE : 1;
    const parameters = rows.slice(from, from + count).flatMap((row) => valuesOf(row, columns));
    await database.executeQuery(CompiledQuery.raw(statementOf(table, columns, count, forPostgres), parameters));
    from += count;
  }
}

function valuesOf(row: object, columns: readonly string[]): unknown[] {
  const values: Readonly<Record<string, unknown>> = { ...row };
  return columns.map((column) => values[column]);
}

function statementOf(table: string, columns: readonly string[], count: number, forPostgres: boolean): string {
  const key = `${table} ${count} ${forPostgres}`;
  const known = statements.get(key);
  if (known !== undefined) return known;
  const names = columns.map((column) => `"${column}"`).join(', ');
  const places = Array.from({ length: count }, (_, row) => {
    const ones = columns.map((_column, index) => (forPostgres ? `$${row * columns.length + index + 1}` : '?'));
    return `(${ones.join(', ')})`;
  });
  const made = `insert into "${table}" (${names}) values ${places.join(', ')}`;
  statements.set(key, made);
  return made;
}
