import type { Migration } from 'kysely';
import type { MigrationSteps } from '../database/migration-steps.ts';

const first: Migration = {
  async up(db) {
    await db.schema
      .createTable('uploads')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('owner', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('unchecked_packs')
      .addColumn('pack', 'text', (column) => column.primaryKey())
      .addColumn('upload', 'text', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('pack_models')
      .addColumn('pack', 'text', (column) => column.notNull())
      .addColumn('model_id', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('pack_models_key', ['pack', 'model_id'])
      .execute();
    await db.schema
      .createTable('noted_versions')
      .addColumn('model_id', 'text', (column) => column.notNull())
      .addColumn('number', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('noted_versions_key', ['model_id', 'number'])
      .execute();
    await db.schema
      .createTable('pieces')
      .addColumn('digest', 'text', (column) => column.primaryKey())
      .addColumn('pack', 'text', (column) => column.notNull())
      .addColumn('offset', 'bigint', (column) => column.notNull())
      .addColumn('length', 'bigint', (column) => column.notNull())
      .addColumn('coding', 'text')
      .addColumn('size_bytes', 'bigint')
      .execute();
    await db.schema.createIndex('pieces_pack').on('pieces').column('pack').execute();
  },
};

const second: Migration = {
  async up(db) {
    await db.schema
      .createTable('upload_homes')
      .addColumn('upload', 'text', (column) => column.notNull())
      .addColumn('model_id', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('upload_homes_key', ['upload', 'model_id'])
      .execute();
    await db.schema
      .createTable('shared_spans')
      .addColumn('pack', 'text', (column) => column.notNull())
      .addColumn('model_id', 'text', (column) => column.notNull())
      .addColumn('start_at', 'bigint', (column) => column.notNull())
      .addColumn('end_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('shared_spans_key', ['pack', 'model_id', 'start_at', 'end_at'])
      .execute();
    await db.schema
      .createTable('noted_pages')
      .addColumn('model_id', 'text', (column) => column.notNull())
      .addColumn('page', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('noted_pages_key', ['model_id', 'page'])
      .execute();
    await db.schema.createIndex('uploads_owner').on('uploads').column('owner').execute();
    // What was noted without that is noted anew.
    await db.deleteFrom('noted_versions').execute();
  },
};

/** What makes the tables of this room. */
export const CONTENT_STEPS: MigrationSteps = { '2026-11-21-contents-1': first, '2026-11-21-contents-2': second };
