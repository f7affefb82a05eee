import { type Kysely, sql } from 'kysely';
import type { MigrationSteps } from '../database/migration-steps.ts';

// `bytea` is what Postgres calls it; SQLite keeps bytes in a column of any type.
const BYTES = sql`bytea`;

/** What makes the tables of manifests and tags. */
export const OCI_MANIFEST_STEPS: MigrationSteps = {
  '2026-11-22-oci-manifests-1': { up: createTables },
};

async function createTables({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('oci_manifests')
    .addColumn('repository', 'text', (column) => column.notNull())
    .addColumn('sha256', 'text', (column) => column.notNull())
    .addColumn('sha512', 'text', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('media_type', 'text', (column) => column.notNull())
    .addColumn('bytes', BYTES, (column) => column.notNull())
    .addColumn('size_bytes', 'bigint', (column) => column.notNull())
    .addColumn('subject', 'text')
    .addColumn('artifact_type', 'text')
    .addColumn('annotations', 'text', (column) => column.notNull())
    .addColumn('model_id', 'text')
    .addColumn('number', 'bigint')
    .addColumn('at', 'text', (column) => column.notNull())
    .addColumn('by', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('oci_manifests_pk', ['repository', 'sha256'])
    .execute();
  await schema.createIndex('oci_manifests_sha512').on('oci_manifests').columns(['repository', 'sha512']).execute();
  await schema.createIndex('oci_manifests_subject').on('oci_manifests').columns(['repository', 'subject']).execute();
  await schema.createIndex('oci_manifests_version').on('oci_manifests').columns(['model_id', 'number']).execute();
  await schema
    .createTable('oci_manifest_contents')
    .addColumn('repository', 'text', (column) => column.notNull())
    .addColumn('manifest', 'text', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('oci_manifest_contents_pk', ['repository', 'manifest', 'digest'])
    .execute();
  await schema
    .createIndex('oci_manifest_contents_digest')
    .on('oci_manifest_contents')
    .columns(['repository', 'digest'])
    .execute();
  await schema
    .createTable('oci_tags')
    .addColumn('repository', 'text', (column) => column.notNull())
    .addColumn('tag', 'text', (column) => column.notNull())
    .addColumn('manifest', 'text', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('at', 'text', (column) => column.notNull())
    .addColumn('by', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('oci_tags_pk', ['repository', 'tag'])
    .execute();
  await schema.createIndex('oci_tags_manifest').on('oci_tags').columns(['repository', 'manifest']).execute();
  await schema
    .createTable('oci_version_contents')
    .addColumn('model_id', 'text', (column) => column.notNull())
    .addColumn('number', 'bigint', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('oci_version_contents_pk', ['model_id', 'digest', 'number'])
    .execute();
  await schema
    .createTable('oci_settings')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('value', 'text', (column) => column.notNull())
    .execute();
}
