import { type Kysely, sql } from 'kysely';
import type { MigrationSteps } from '../database/migration-steps.ts';

// `bytea` is what Postgres calls it; SQLite keeps bytes in a column of any type.
const BYTES = sql`bytea`;

/** What makes the tables of this room. */
export const ARTIFACT_STEPS: MigrationSteps = {
  '2026-11-21-artifacts-1': { up: createTables },
};

async function createTables(database: Kysely<unknown>): Promise<void> {
  const { schema } = database;
  await schema
    .createTable('artifact_nodes')
    .addColumn('path', 'text', (column) => column.primaryKey())
    .addColumn('parent', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('is_directory', 'integer', (column) => column.notNull())
    .addColumn('digest', 'text')
    .addColumn('size_bytes', 'bigint')
    .addColumn('holding', 'text')
    .addColumn('at', 'text', (column) => column.notNull())
    .execute();
  await schema.createIndex('artifact_nodes_parent').on('artifact_nodes').columns(['parent', 'name']).execute();
  await schema.createIndex('artifact_nodes_name').on('artifact_nodes').columns(['name', 'at']).execute();
  await schema.createIndex('artifact_nodes_holding').on('artifact_nodes').column('holding').execute();
  await schema
    .createTable('artifact_staged')
    .addColumn('path', 'text', (column) => column.primaryKey())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('size_bytes', 'bigint', (column) => column.notNull())
    .addColumn('bytes', BYTES, (column) => column.notNull())
    .addColumn('at', 'text', (column) => column.notNull())
    .execute();
  await schema.createIndex('artifact_staged_at').on('artifact_staged').column('at').execute();
  await schema
    .createTable('artifact_holdings')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('recipe', 'text', (column) => column.notNull())
    .addColumn('root', 'text', (column) => column.notNull())
    .addColumn('at', 'text', (column) => column.notNull())
    .execute();
  await schema
    .createTable('artifact_packages')
    .addColumn('source', 'text', (column) => column.primaryKey())
    .addColumn('tree', 'text', (column) => column.notNull())
    .addColumn('holding', 'text', (column) => column.notNull())
    .addColumn('stored', 'text', (column) => column.notNull())
    .addColumn('at', 'text', (column) => column.notNull())
    .execute();
  await schema.createIndex('artifact_packages_holding').on('artifact_packages').column('holding').execute();
  await schema
    .createTable('artifact_uploads')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('path', 'text', (column) => column.notNull())
    .addColumn('parts', 'integer', (column) => column.notNull())
    .addColumn('at', 'text', (column) => column.notNull())
    .execute();
  await schema
    .createTable('artifact_parts')
    .addColumn('upload', 'text', (column) => column.notNull())
    .addColumn('number', 'integer', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('size_bytes', 'bigint', (column) => column.notNull())
    .addColumn('holding', 'text')
    .addColumn('bytes', BYTES)
    .addPrimaryKeyConstraint('artifact_parts_pk', ['upload', 'number'])
    .execute();
  await schema.createIndex('artifact_parts_holding').on('artifact_parts').column('holding').execute();
  await schema
    .createTable('artifact_settings')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('value', 'text', (column) => column.notNull())
    .execute();
}
