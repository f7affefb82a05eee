import type { Kysely } from 'kysely';
import type { MigrationSteps } from '../database/migration-steps.ts';
import type { WrittenEventRow } from './tables.ts';

/** What makes the tables of this room. */
export const AUDIT_STEPS: MigrationSteps = {
  '2026-11-21-audit-1': { up: makeTables },
  '2026-11-22-audit-1': { up: noteBefore },
};

/** Events are noted before they stand: several servers may note one of the same number, of which one will stand. */
async function noteBefore(database: Kysely<unknown>): Promise<void> {
  const own = database.withTables<{ audit_written: WrittenEventRow; audit_noted: WrittenEventRow }>();
  await own.schema
    .createTable('audit_noted')
    .addColumn('log', 'text', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('authenticated', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('audit_noted_key', ['log', 'seq', 'digest'])
    .execute();
  const columns = ['log', 'seq', 'digest', 'authenticated'] as const;
  await own
    .insertInto('audit_noted')
    .columns([...columns])
    .expression(own.selectFrom('audit_written').select([...columns]))
    .execute();
  await own.schema.dropTable('audit_written').execute();
  await own.schema.alterTable('audit_noted').renameTo('audit_written').execute();
}

async function makeTables(database: Kysely<unknown>): Promise<void> {
  const { schema } = database;
  await schema
    .createTable('access_events')
    .addColumn('chain', 'text', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('at', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('model', 'text')
    .addColumn('event', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('access_events_key', ['chain', 'seq'])
    .execute();
  await schema.createIndex('access_events_at').on('access_events').columns(['at', 'chain', 'seq']).execute();
  await schema
    .createTable('audit_written')
    .addColumn('log', 'text', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('authenticated', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('audit_written_key', ['log', 'seq'])
    .execute();
  await schema
    .createTable('audit_keys')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('public_key', 'text', (column) => column.notNull())
    .addColumn('private_key', 'text', (column) => column.notNull())
    .addColumn('created_at', 'text', (column) => column.notNull())
    .execute();
  await schema
    .createTable('audit_checkpoints')
    .addColumn('number', 'integer', (column) => column.primaryKey())
    .addColumn('at', 'text', (column) => column.notNull())
    .addColumn('key_id', 'text', (column) => column.notNull())
    .addColumn('payload', 'text', (column) => column.notNull())
    .addColumn('signature', 'text', (column) => column.notNull())
    .execute();
  await schema
    .createTable('audit_signed_heads')
    .addColumn('log', 'text', (column) => column.primaryKey())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .execute();
  await schema
    .createTable('audit_foreign_moves')
    .addColumn('model_id', 'text', (column) => column.notNull())
    .addColumn('alias', 'text', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('at', 'text', (column) => column.notNull())
    .addColumn('from_number', 'integer')
    .addColumn('to_number', 'integer')
    .addColumn('state', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('audit_foreign_moves_key', ['model_id', 'seq'])
    .execute();
  await schema
    .createTable('audit_intended_moves')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('model_id', 'text', (column) => column.notNull())
    .addColumn('alias', 'text', (column) => column.notNull())
    .addColumn('to_number', 'integer')
    .addColumn('at', 'text', (column) => column.notNull())
    .execute();
}
