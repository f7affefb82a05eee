import { IngotError } from '@ingot/core/errors';
import { type DatasetDraft, logInputs, logOutputs } from '../../tracking/datasets.ts';
import { DEFAULT_EXPERIMENT, experimentNumber } from '../../tracking/experiments.ts';
import { logBatch, type LoggedMetric } from '../../tracking/log-batch.ts';
import { noteModelOfRun } from '../../tracking/model-history.ts';
import { createRun, deleteRunTag, getRun, RUN_STATUSES, setRunLifecycle, updateRun } from '../../tracking/runs.ts';
import { searchRuns } from '../../tracking/search-runs.ts';
import type { Fields } from './fields.ts';
import type { MlflowRoute } from './mlflow-route.ts';
import { list, runInfoJson, runJson } from './render-tracking.ts';
import { lifecycleOf, maxResults } from './search-page.ts';
import { READS_TRACKING, WRITES_TRACKING } from './tracking-access.ts';

const MOST = 50_000;
const USUAL = 1000;
const MIB = 1024 * 1024;
const BATCH_BYTES = 1_000_000;

/** Runs: made, found, ended, deleted and brought back. */
export const RUN_ROUTES: readonly MlflowRoute[] = [
  {
    method: 'POST',
    path: '/runs/create',
    access: WRITES_TRACKING,
    run: async ({ fields, identity }, services) => {
      const run = await createRun(services, {
        experimentId: fields.optional('experiment_id') || DEFAULT_EXPERIMENT,
        userName: fields.optional('user_id') ?? (identity.authenticated ? identity.name : undefined),
        name: fields.optional('run_name'),
        startedMs: fields.optionalInteger('start_time'),
        tags: fields.entries('tags'),
      });
      return { run: runJson(run) };
    },
  },
  {
    method: 'GET',
    path: '/runs/get',
    access: READS_TRACKING,
    run: async ({ fields }, services) => ({ run: runJson(await getRun(services, runIdOf(fields))) }),
  },
  {
    method: 'POST',
    path: '/runs/update',
    access: WRITES_TRACKING,
    run: async ({ fields }, services) => {
      const row = await updateRun(services, runIdOf(fields), {
        status: fields.choice('status', RUN_STATUSES),
        endedMs: fields.optionalInteger('end_time'),
        name: fields.optional('run_name'),
      });
      return { run_info: runInfoJson(row) };
    },
  },
  {
    method: 'POST',
    path: '/runs/delete',
    access: WRITES_TRACKING,
    run: async ({ fields }, services) => {
      await setRunLifecycle(services, fields.text('run_id'), 'deleted');
      return {};
    },
  },
  {
    method: 'POST',
    path: '/runs/restore',
    access: WRITES_TRACKING,
    run: async ({ fields }, services) => {
      await setRunLifecycle(services, fields.text('run_id'), 'active');
      return {};
    },
  },
  {
    method: 'POST',
    path: '/runs/search',
    access: READS_TRACKING,
    run: async ({ fields }, services) => {
      const { items, next } = await searchRuns(services, fields.texts('experiment_ids').map(experimentNumber), {
        filter: fields.optional('filter'),
        orderBy: fields.texts('order_by'),
        limit: maxResults(fields, MOST, USUAL),
        cursor: fields.optional('page_token'),
        lifecycle: lifecycleOf(fields, 'run_view_type'),
      });
      return { runs: list(items.map(runJson)), next_page_token: next };
    },
  },
];

/** What is logged in a run. */
export const LOGGING_ROUTES: readonly MlflowRoute[] = [
  {
    method: 'POST',
    path: '/runs/log-metric',
    access: WRITES_TRACKING,
    run: async ({ fields }, services) => {
      await logBatch(services, runIdOf(fields), { metrics: [metricOf(fields)], params: [], tags: [] });
      return {};
    },
  },
  {
    method: 'POST',
    path: '/runs/log-parameter',
    access: WRITES_TRACKING,
    run: async ({ fields }, services) => {
      const param = { key: fields.text('key'), value: fields.optional('value') ?? '' };
      await logBatch(services, runIdOf(fields), { metrics: [], params: [param], tags: [] });
      return {};
    },
  },
  {
    method: 'POST',
    path: '/runs/set-tag',
    access: WRITES_TRACKING,
    run: async ({ fields }, services) => {
      const tag = { key: fields.text('key'), value: fields.optional('value') ?? '' };
      await logBatch(services, runIdOf(fields), { metrics: [], params: [], tags: [tag] });
      return {};
    },
  },
  {
    method: 'POST',
    path: '/runs/delete-tag',
    access: WRITES_TRACKING,
    run: async ({ fields }, services) => {
      await deleteRunTag(services, fields.text('run_id'), fields.text('key'));
      return {};
    },
  },
  {
    method: 'POST',
    path: '/runs/log-batch',
    access: WRITES_TRACKING,
    bodyLimit: 2 * MIB,
    run: async ({ fields, bodyBytes }, services) => {
      checkSize(bodyBytes);
      const metrics = fields.messages('metrics').map(metricOf);
      const params = fields.entries('params');
      const tags = fields.entries('tags');
      await logBatch(services, fields.text('run_id'), { metrics, params, tags });
      return {};
    },
  },
  {
    method: 'POST',
    path: '/runs/log-inputs',
    access: WRITES_TRACKING,
    bodyLimit: 20 * MIB,
    run: async ({ fields }, services) => {
      const datasets = fields.messages('datasets').map(datasetOf);
      const models = fields.messages('models').map((model) => model.text('model_id'));
      await logInputs(services, fields.text('run_id'), { datasets, models });
      return {};
    },
  },
  {
    method: 'POST',
    path: '/runs/outputs',
    access: WRITES_TRACKING,
    run: async ({ fields }, services) => {
      const models = fields
        .messages('models')
        .map((model) => ({ modelId: model.text('model_id'), step: model.optionalInteger('step') ?? 0 }));
      await logOutputs(services, fields.text('run_id'), models);
      return {};
    },
  },
  {
    method: 'POST',
    path: '/runs/log-model',
    access: WRITES_TRACKING,
    run: async ({ fields }, services) => {
      await noteModelOfRun(services, fields.text('run_id'), fields.text('model_json'));
      return {};
    },
  },
];

/** Old clients say `run_uuid`. */
export function runIdOf(fields: Fields): string {
  const id = fields.optional('run_id') || fields.optional('run_uuid');
  return id === undefined || id === '' ? fields.text('run_id') : id;
}

function metricOf(fields: Fields): LoggedMetric {
  const timestampMs = fields.integer('timestamp');
  return {
    key: fields.text('key'),
    value: fields.number('value'),
    timestampMs,
    step: fields.optionalInteger('step') ?? 0,
    modelId: fields.optional('model_id'),
    datasetName: fields.optional('dataset_name'),
    datasetDigest: fields.optional('dataset_digest'),
  };
}

function datasetOf(fields: Fields): DatasetDraft {
  const dataset = fields.message('dataset');
  return {
    name: dataset.text('name'),
    digest: dataset.text('digest'),
    sourceType: dataset.text('source_type'),
    source: dataset.text('source'),
    schema: dataset.optional('schema'),
    profile: dataset.optional('profile'),
    tags: fields.entries('tags'),
  };
}

function checkSize(bytes: number): void {
  if (bytes <= BATCH_BYTES) return;
  throw new IngotError(
    'usage',
    `Batched logging API requests must be at most ${BATCH_BYTES} bytes, got a request of size ${bytes}.`,
  );
}
