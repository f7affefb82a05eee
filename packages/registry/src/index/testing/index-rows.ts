import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { IndexTables } from '../../database/index-tables.ts';
import { INDEX_COLUMNS } from '../migrations.ts';

/** All rows of the index, each table's in the order of their texts. */
export async function indexRows(index: Kysely<IndexTables>): Promise<Record<string, readonly string[]>> {
  const tables: Record<string, readonly string[]> = {};
  for (const [table, columns] of INDEX_COLUMNS) {
    const { rows } = await sql<Record<string, unknown>>`select * from ${sql.table(table)}`.execute(index);
    tables[table] = rows.map((row) => JSON.stringify(columns.map((column) => row[column]))).sort();
  }
  return tables;
}
