import { type Kysely, sql } from 'kysely';
import type { MigrationSteps } from '../database/migration-steps.ts';

// `bytea` is what Postgres calls it; SQLite keeps bytes in a column of any type.
const BYTES = sql`bytea`;

/** What makes the tables of blobs and uploads. */
export const OCI_BLOB_STEPS: MigrationSteps = {
  '2026-11-22-oci-blobs-1': { up: createTables },
};

async function createTables({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('oci_blobs')
    .addColumn('repository', 'text', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('content', 'text', (column) => column.notNull())
    .addColumn('size_bytes', 'bigint', (column) => column.notNull())
    .addColumn('holding', 'text')
    .addColumn('bytes', BYTES)
    .addColumn('at', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('oci_blobs_pk', ['repository', 'digest'])
    .execute();
  await schema.createIndex('oci_blobs_digest').on('oci_blobs').column('digest').execute();
  await schema.createIndex('oci_blobs_holding').on('oci_blobs').column('holding').execute();
  await schema.createIndex('oci_blobs_newest').on('oci_blobs').columns(['repository', 'at']).execute();
  await schema.createIndex('oci_blobs_at').on('oci_blobs').column('at').execute();
  await schema
    .createTable('oci_uploads')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('repository', 'text', (column) => column.notNull())
    .addColumn('size_bytes', 'bigint', (column) => column.notNull())
    .addColumn('parts', 'integer', (column) => column.notNull())
    .addColumn('bytes', BYTES)
    .addColumn('at', 'text', (column) => column.notNull())
    .execute();
  await schema.createIndex('oci_uploads_at').on('oci_uploads').column('at').execute();
  await schema.createIndex('oci_uploads_repository').on('oci_uploads').column('repository').execute();
  await schema
    .createTable('oci_upload_parts')
    .addColumn('upload', 'text', (column) => column.notNull())
    .addColumn('number', 'integer', (column) => column.notNull())
    .addColumn('content', 'text', (column) => column.notNull())
    .addColumn('size_bytes', 'bigint', (column) => column.notNull())
    .addColumn('holding', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('oci_upload_parts_pk', ['upload', 'number'])
    .execute();
  await schema.createIndex('oci_upload_parts_holding').on('oci_upload_parts').column('holding').execute();
}
