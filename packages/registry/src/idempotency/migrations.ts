import type { MigrationSteps } from '../database/migration-steps.ts';

/** What makes the tables of this room. */
export const IDEMPOTENCY_STEPS: MigrationSteps = {
  '2026-11-21-idempotency-1': {
    async up(db) {
      await db.schema
        .createTable('idempotency_keys')
        .addColumn('identity', 'text', (column) => column.notNull())
        .addColumn('key', 'text', (column) => column.notNull())
        .addColumn('fingerprint', 'text', (column) => column.notNull())
        .addColumn('status', 'integer')
        .addColumn('headers', 'text')
        .addColumn('body', 'text')
        .addColumn('begun_ms', 'bigint', (column) => column.notNull())
        .addPrimaryKeyConstraint('idempotency_keys_pk', ['identity', 'key'])
        .execute();
      await db.schema.createIndex('idempotency_keys_begun').on('idempotency_keys').column('begun_ms').execute();
    },
  },
};
