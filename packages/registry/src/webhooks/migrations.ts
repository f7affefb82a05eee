import type { Kysely } from 'kysely';
import type { MigrationSteps } from '../database/migration-steps.ts';

/** What makes the tables of this room. */
export const WEBHOOK_STEPS: MigrationSteps = {
  '2026-11-21-webhooks-1': { up: makeTables },
  '2026-11-22-webhooks-1': { up: addPreviousSecrets },
  '2026-11-22-webhooks-2': { up: addKeys },
};

async function addPreviousSecrets({ schema }: Kysely<unknown>): Promise<void> {
  await schema.alterTable('webhooks').addColumn('previous_secret', 'text').execute();
  await schema.alterTable('webhooks').addColumn('previous_until', 'bigint').execute();
}

async function addKeys({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('secret_keys')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('fingerprint', 'text', (column) => column.notNull())
    .addColumn('place', 'text', (column) => column.notNull())
    .addColumn('at', 'text', (column) => column.notNull())
    .execute();
}

async function makeTables(database: Kysely<unknown>): Promise<void> {
  const { schema } = database;
  await schema
    .createTable('webhooks')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('url', 'text', (column) => column.notNull())
    .addColumn('format', 'text', (column) => column.notNull())
    .addColumn('events', 'text', (column) => column.notNull())
    .addColumn('models', 'text')
    .addColumn('description', 'text')
    .addColumn('secret', 'text')
    .addColumn('status', 'text', (column) => column.notNull())
    .addColumn('disabled_because', 'text')
    .addColumn('failures', 'integer', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('created_by', 'text', (column) => column.notNull())
    .addColumn('updated_at', 'bigint', (column) => column.notNull())
    .execute();
  await schema
    .createTable('webhook_deliveries')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('webhook_id', 'text', (column) => column.notNull())
    .addColumn('event_id', 'text', (column) => column.notNull())
    .addColumn('event_type', 'text', (column) => column.notNull())
    .addColumn('payload', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('next_at', 'bigint', (column) => column.notNull())
    .addColumn('leased_until', 'bigint', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('finished_at', 'bigint')
    .addColumn('status_code', 'integer')
    .addColumn('error', 'text')
    .addUniqueConstraint('webhook_deliveries_once', ['webhook_id', 'event_id'])
    .execute();
  await schema.createIndex('webhook_deliveries_due').on('webhook_deliveries').columns(['state', 'next_at']).execute();
  await schema
    .createIndex('webhook_deliveries_log')
    .on('webhook_deliveries')
    .columns(['webhook_id', 'created_at', 'id'])
    .execute();
  await schema
    .createTable('webhook_cursors')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('position', 'text', (column) => column.notNull())
    .execute();
}
