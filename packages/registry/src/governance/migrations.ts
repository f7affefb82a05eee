import type { Kysely } from 'kysely';
import type { MigrationSteps } from '../database/migration-steps.ts';

/** What makes the tables of this room. */
export const GOVERNANCE_STEPS: MigrationSteps = { '2026-11-21-governance-1': { up: makeTables } };

async function makeTables(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('governance_policies')
    .addColumn('scope', 'text', (column) => column.primaryKey())
    .addColumn('policy', 'text', (column) => column.notNull())
    .addColumn('updated_at', 'text', (column) => column.notNull())
    .addColumn('updated_by', 'text', (column) => column.notNull())
    .execute();
}
