import {
  createExperiment,
  deleteExperimentTag,
  experimentNumber,
  getExperiment,
  getExperimentByName,
  renameExperiment,
  setExperimentLifecycle,
  setExperimentTag,
} from '../../tracking/experiments.ts';
import { searchDatasets } from '../../tracking/datasets.ts';
import { searchExperiments } from '../../tracking/search-experiments.ts';
import type { MlflowRoute } from './mlflow-route.ts';
import { experimentJson, list } from './render-tracking.ts';
import { lifecycleOf, maxResults } from './search-page.ts';
import { READS_TRACKING, WRITES_TRACKING } from './tracking-access.ts';

const MOST = 50_000;
const USUAL = 1000;

/** Experiments: made, found, renamed, tagged, deleted and brought back. */
export const EXPERIMENT_ROUTES: readonly MlflowRoute[] = [
  {
    method: 'POST',
    path: '/experiments/create',
    access: WRITES_TRACKING,
    run: async ({ fields }, services) => ({
      experiment_id: await createExperiment(services, {
        name: fields.text('name'),
        artifactLocation: fields.optional('artifact_location'),
        tags: fields.entries('tags'),
      }),
    }),
  },
  {
    method: 'GET',
    path: '/experiments/get',
    access: READS_TRACKING,
    run: async ({ fields }, services) => ({
      experiment: experimentJson(await getExperiment(services, fields.text('experiment_id'))),
    }),
  },
  {
    method: 'GET',
    path: '/experiments/get-by-name',
    access: READS_TRACKING,
    run: async ({ fields }, services) => ({
      experiment: experimentJson(await getExperimentByName(services, fields.text('experiment_name'))),
    }),
  },
  {
    method: ['GET', 'POST'],
    path: '/experiments/search',
    access: READS_TRACKING,
    run: async ({ fields }, services) => {
      const { items, next } = await searchExperiments(services, {
        filter: fields.optional('filter'),
        orderBy: fields.texts('order_by'),
        limit: maxResults(fields, MOST, USUAL),
        cursor: fields.optional('page_token'),
        lifecycle: lifecycleOf(fields, 'view_type'),
      });
      return { experiments: list(items.map(experimentJson)), next_page_token: next };
    },
  },
  {
    method: 'POST',
    path: '/experiments/update',
    access: WRITES_TRACKING,
    run: async ({ fields }, services) => {
      await renameExperiment(services, fields.text('experiment_id'), fields.text('new_name'));
      return {};
    },
  },
  {
    method: 'POST',
    path: '/experiments/delete',
    access: WRITES_TRACKING,
    run: async ({ fields }, services) => {
      await setExperimentLifecycle(services, fields.text('experiment_id'), 'deleted');
      return {};
    },
  },
  {
    method: 'POST',
    path: '/experiments/restore',
    access: WRITES_TRACKING,
    run: async ({ fields }, services) => {
      await setExperimentLifecycle(services, fields.text('experiment_id'), 'active');
      return {};
    },
  },
  {
    method: 'POST',
    path: '/experiments/set-experiment-tag',
    access: WRITES_TRACKING,
    run: async ({ fields }, services) => {
      const tag = { key: fields.text('key'), value: fields.optional('value') ?? '' };
      await setExperimentTag(services, fields.text('experiment_id'), tag);
      return {};
    },
  },
  {
    method: 'POST',
    path: '/experiments/delete-experiment-tag',
    access: WRITES_TRACKING,
    run: async ({ fields }, services) => {
      await deleteExperimentTag(services, fields.text('experiment_id'), fields.text('key'));
      return {};
    },
  },
  {
    method: 'POST',
    path: '/experiments/search-datasets',
    access: READS_TRACKING,
    run: async ({ fields }, services) => {
      const ids = fields.texts('experiment_ids').map(experimentNumber);
      const found = ids.length === 0 ? [] : await searchDatasets(services, ids);
      return {
        dataset_summaries: list(
          found.map(({ experimentId, name, digest, context }) => ({
            experiment_id: experimentId,
            name,
            digest,
            context,
          })),
        ),
      };
    },
  },
];
