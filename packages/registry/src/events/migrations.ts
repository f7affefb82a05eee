import { randomBytes } from 'node:crypto';
import { SqliteAdapter, sql } from 'kysely';
import type { MigrationSteps } from '../database/migration-steps.ts';

/** What makes the tables of this room. */
export const FEED_STEPS: MigrationSteps = {
  '2026-11-21-feed-1': {
    async up(db) {
      // Numbers that count by themselves are declared differently in each kind of database.
      const isSqlite = db.getExecutor().adapter instanceof SqliteAdapter;
      await db.schema
        .createTable('feed')
        .addColumn('position', isSqlite ? 'integer' : 'bigserial', (column) =>
          isSqlite ? column.primaryKey().autoIncrement() : column.primaryKey(),
        )
        .addColumn('log', 'text', (column) => column.notNull())
        .addColumn('seq', 'integer', (column) => column.notNull())
        .addColumn('at_ms', 'bigint', (column) => column.notNull())
        .execute();
      await db.schema
        .createTable('feed_generation')
        .addColumn('generation', 'text', (column) => column.notNull().primaryKey())
        .execute();
      await sql`insert into feed_generation (generation) values (${randomBytes(6).toString('hex')})`.execute(db);
    },
  },
};
