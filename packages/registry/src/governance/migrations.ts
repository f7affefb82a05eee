import type { Kysely } from 'kysely';
import type { MigrationSteps } from '../database/migration-steps.ts';

/** What makes the tables of this room. */
export const GOVERNANCE_STEPS: MigrationSteps = {
  '2026-11-21-governance-1': { up: makeTables },
  '2026-11-22-governance-1': { up: makeRetentionTables },
};

async function makeTables(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('governance_policies')
    .addColumn('scope', 'text', (column) => column.primaryKey())
    .addColumn('policy', 'text', (column) => column.notNull())
    .addColumn('updated_at', 'text', (column) => column.notNull())
    .addColumn('updated_by', 'text', (column) => column.notNull())
    .execute();
}

async function makeRetentionTables({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('governance_schedules')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('next_at', 'bigint', (column) => column.notNull())
    .addColumn('leased_until', 'bigint', (column) => column.notNull())
    .execute();
  await schema
    .createTable('governance_retention_runs')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('began_at', 'text', (column) => column.notNull())
    .addColumn('ended_at', 'text')
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('scheduled', 'integer', (column) => column.notNull())
    .addColumn('model', 'text')
    .addColumn('planned', 'integer', (column) => column.notNull())
    .addColumn('released', 'integer', (column) => column.notNull())
    .addColumn('kept', 'integer', (column) => column.notNull())
    .addColumn('released_bytes', 'bigint', (column) => column.notNull())
    .addColumn('versions', 'text', (column) => column.notNull())
    .addColumn('error', 'text')
    .execute();
}
