import type { Kysely } from 'kysely';
import type { MigrationSteps } from '../database/migration-steps.ts';

/** What makes the tables of this room. */
export const TRACKING_STEPS: MigrationSteps = {
  '2026-11-21-tracking-1': {
    up: async (database: Kysely<unknown>) => {
      await experiments(database);
      await runs(database);
      await metrics(database);
      await datasets(database);
      await loggedModels(database);
    },
  },
};

async function experiments({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('tracking_experiments')
    .addColumn('id', 'bigint', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull().unique())
    .addColumn('artifact_location', 'text', (column) => column.notNull())
    .addColumn('lifecycle', 'text', (column) => column.notNull())
    .addColumn('created_ms', 'bigint', (column) => column.notNull())
    .addColumn('updated_ms', 'bigint', (column) => column.notNull())
    .execute();
  await schema
    .createTable('tracking_experiment_tags')
    .addColumn('experiment_id', 'bigint', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('value', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('tracking_experiment_tags_pk', ['experiment_id', 'key'])
    .execute();
}

async function runs({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('tracking_runs')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('experiment_id', 'bigint', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('user_name', 'text', (column) => column.notNull())
    .addColumn('status', 'text', (column) => column.notNull())
    .addColumn('started_ms', 'bigint', (column) => column.notNull())
    .addColumn('ended_ms', 'bigint')
    .addColumn('lifecycle', 'text', (column) => column.notNull())
    .addColumn('deleted_ms', 'bigint')
    .addColumn('artifact_uri', 'text', (column) => column.notNull())
    .execute();
  await schema
    .createIndex('tracking_runs_by_start')
    .on('tracking_runs')
    .columns(['experiment_id', 'started_ms desc', 'id'])
    .execute();
  for (const table of ['tracking_run_params', 'tracking_run_tags'])
    await schema
      .createTable(table)
      .addColumn('run_id', 'text', (column) => column.notNull())
      .addColumn('key', 'text', (column) => column.notNull())
      .addColumn('value', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint(`${table}_pk`, ['run_id', 'key'])
      .execute();
}

async function metrics({ schema }: Kysely<unknown>): Promise<void> {
  const table = (name: string) =>
    schema
      .createTable(name)
      .addColumn('run_id', 'text', (column) => column.notNull())
      .addColumn('key', 'text', (column) => column.notNull())
      .addColumn('value', 'double precision', (column) => column.notNull())
      .addColumn('is_nan', 'integer', (column) => column.notNull())
      .addColumn('timestamp_ms', 'bigint', (column) => column.notNull())
      .addColumn('step', 'bigint', (column) => column.notNull());
  await table('tracking_latest_metrics')
    .addPrimaryKeyConstraint('tracking_latest_metrics_pk', ['run_id', 'key'])
    .execute();
  await table('tracking_metrics')
    .addPrimaryKeyConstraint('tracking_metrics_pk', ['run_id', 'key', 'timestamp_ms', 'step', 'value', 'is_nan'])
    .execute();
}

async function datasets({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('tracking_datasets')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('experiment_id', 'bigint', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('source_type', 'text', (column) => column.notNull())
    .addColumn('source', 'text', (column) => column.notNull())
    .addColumn('schema_text', 'text')
    .addColumn('profile', 'text')
    .addUniqueConstraint('tracking_datasets_once', ['experiment_id', 'name', 'digest'])
    .execute();
  await schema
    .createTable('tracking_run_datasets')
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('dataset_id', 'text', (column) => column.notNull())
    .addColumn('place', 'integer', (column) => column.notNull())
    .addColumn('tags', 'text', (column) => column.notNull())
    .addColumn('context', 'text')
    .addPrimaryKeyConstraint('tracking_run_datasets_pk', ['run_id', 'dataset_id'])
    .execute();
  await schema
    .createIndex('tracking_run_datasets_by_dataset')
    .on('tracking_run_datasets')
    .column('dataset_id')
    .execute();
  await schema
    .createTable('tracking_run_models')
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('model_id', 'text', (column) => column.notNull())
    .addColumn('direction', 'text', (column) => column.notNull())
    .addColumn('step', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('tracking_run_models_pk', ['run_id', 'direction', 'model_id', 'step'])
    .execute();
}

async function loggedModels({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('tracking_models')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('experiment_id', 'bigint', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('artifact_location', 'text', (column) => column.notNull())
    .addColumn('created_ms', 'bigint', (column) => column.notNull())
    .addColumn('updated_ms', 'bigint', (column) => column.notNull())
    .addColumn('status', 'text', (column) => column.notNull())
    .addColumn('status_message', 'text')
    .addColumn('model_type', 'text')
    .addColumn('run_id', 'text')
    .addColumn('lifecycle', 'text', (column) => column.notNull())
    .execute();
  const by = (name: string, columns: string[]) =>
    schema.createIndex(name).on('tracking_models').columns(columns).execute();
  await by('tracking_models_by_time', ['experiment_id', 'created_ms desc', 'id']);
  await by('tracking_models_by_name', ['experiment_id', 'name']);
  await by('tracking_models_by_run', ['run_id']);
  for (const table of ['tracking_model_tags', 'tracking_model_params'])
    await schema
      .createTable(table)
      .addColumn('model_id', 'text', (column) => column.notNull())
      .addColumn('key', 'text', (column) => column.notNull())
      .addColumn('value', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint(`${table}_pk`, ['model_id', 'key'])
      .execute();
  await schema
    .createTable('tracking_model_metrics')
    .addColumn('model_id', 'text', (column) => column.notNull())
    .addColumn('run_id', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('value', 'double precision', (column) => column.notNull())
    .addColumn('is_nan', 'integer', (column) => column.notNull())
    .addColumn('timestamp_ms', 'bigint', (column) => column.notNull())
    .addColumn('step', 'bigint', (column) => column.notNull())
    .addColumn('dataset_name', 'text')
    .addColumn('dataset_digest', 'text')
    .addPrimaryKeyConstraint('tracking_model_metrics_pk', ['model_id', 'key', 'timestamp_ms', 'step', 'run_id'])
    .execute();
}
