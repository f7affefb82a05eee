import { IngotError } from '@ingot/core/errors';
import { type Kysely, Migrator, PostgresAdapter, sql } from 'kysely';
import { FEED_STEPS } from '../events/migrations.ts';
import { INDEX_STEPS } from '../index/migrations.ts';
import { ACCESS_STEPS } from '../access/migrations.ts';
import { TRACKING_STEPS } from '../tracking/migrations.ts';
import { WEBHOOK_STEPS } from '../webhooks/migrations.ts';
import { CONTENT_STEPS } from '../contents/migrations.ts';
import { DEPLOYMENT_STEPS } from '../deployments/migrations.ts';
import { IDEMPOTENCY_STEPS } from '../idempotency/migrations.ts';
import { GOVERNANCE_STEPS } from '../governance/migrations.ts';
import { AUDIT_STEPS } from '../audit/migrations.ts';
import { ARTIFACT_STEPS } from '../artifacts/migrations.ts';
import { OCI_BLOB_STEPS } from '../oci/blob-migrations.ts';
import { OCI_MANIFEST_STEPS } from '../oci/manifest-migrations.ts';
import type { MigrationSteps } from './migration-steps.ts';

/** Steps of the index. */
export const INDEX_MIGRATIONS: MigrationSteps = { ...INDEX_STEPS, ...FEED_STEPS };

/** Steps of what is only the server's. */
export const OWN_MIGRATIONS: MigrationSteps = {
  ...ACCESS_STEPS,
  ...ARTIFACT_STEPS,
  ...AUDIT_STEPS,
  ...CONTENT_STEPS,
  ...DEPLOYMENT_STEPS,
  ...GOVERNANCE_STEPS,
  ...IDEMPOTENCY_STEPS,
  ...OCI_BLOB_STEPS,
  ...OCI_MANIFEST_STEPS,
  ...TRACKING_STEPS,
  ...WEBHOOK_STEPS,
};

/**
 * Runs the steps that a database has not seen yet. Servers that start together wait for each other.
 * @throws IngotError `refused` when a newer release has written the tables.
 */
export async function migrate<Tables>(database: Kysely<Tables>, steps: MigrationSteps): Promise<void> {
  if (!(database.getExecutor().adapter instanceof PostgresAdapter)) return runSteps(database, steps);
  // What marks the steps is itself made by whoever comes first: the others wait for the connection that holds the lock.
  await database.connection().execute(async (connection) => {
    await sql`select pg_advisory_lock(${MIGRATION_LOCK})`.execute(connection);
    try {
      const { rows } = await sql<{ schema: string }>`select current_schema() as schema`.execute(connection);
      await runSteps(connection, steps, rows[0]?.schema);
    } finally {
      await sql`select pg_advisory_unlock(${MIGRATION_LOCK})`.execute(connection);
    }
  });
}

/** A number that no other use of the same database has. */
const MIGRATION_LOCK = 4_735_220_111;

async function runSteps<Tables>(database: Kysely<Tables>, steps: MigrationSteps, schema?: string): Promise<void> {
  const migrator = new Migrator({
    db: database,
    ...(schema === undefined ? {} : { migrationTableSchema: schema }),
    provider: { getMigrations: async () => ({ ...steps }) },
    allowUnorderedMigrations: true,
  });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  const text = error instanceof Error ? error.message : String(error);
  if (/previously executed migration .* is missing/.test(text))
    throw new IngotError('refused', 'a newer release of Ingot has written this database', {
      hint: 'install the newest Ingot, or give the server another database',
      cause: error,
    });
  throw error;
}
