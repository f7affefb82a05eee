import type { Kysely } from 'kysely';
import type { MigrationSteps } from '../database/migration-steps.ts';

/** What makes the tables of this room. */
export const DEPLOYMENT_STEPS: MigrationSteps = { '2026-11-21-deployments-1': { up: makeTables } };

async function makeTables({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('deployment_servers')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('host', 'text', (column) => column.notNull())
    .addColumn('address', 'text', (column) => column.notNull())
    .addColumn('release', 'text', (column) => column.notNull())
    .addColumn('started_at', 'bigint', (column) => column.notNull())
    .addColumn('last_seen', 'bigint', (column) => column.notNull())
    .addColumn('reported_by', 'text', (column) => column.notNull())
    .execute();
  await schema.createIndex('deployment_servers_by_sight').on('deployment_servers').column('last_seen').execute();
  await schema
    .createTable('deployments')
    .addColumn('server_id', 'text', (column) => column.notNull())
    .addColumn('model_id', 'text', (column) => column.notNull())
    .addColumn('number', 'bigint', (column) => column.notNull())
    .addColumn('from_at', 'bigint', (column) => column.notNull())
    .addColumn('until_at', 'bigint')
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('manifest', 'text', (column) => column.notNull())
    .addColumn('sources', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('deployments_key', ['server_id', 'model_id', 'number', 'from_at'])
    .execute();
  await schema
    .createIndex('deployments_by_model')
    .on('deployments')
    .columns(['model_id', 'from_at', 'server_id', 'number'])
    .execute();
  await schema
    .createIndex('deployments_by_time')
    .on('deployments')
    .columns(['from_at', 'server_id', 'model_id', 'number'])
    .execute();
}
