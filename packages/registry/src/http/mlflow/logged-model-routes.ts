import { experimentNumber } from '../../tracking/experiments.ts';
import {
  createLoggedModel,
  deleteLoggedModel,
  deleteLoggedModelTag,
  finalizeLoggedModel,
  getLoggedModel,
  LOGGED_MODEL_STATUSES,
  logLoggedModelParams,
  setLoggedModelTags,
} from '../../tracking/logged-models.ts';
import { searchLoggedModels } from '../../tracking/search-logged-models.ts';
import type { Fields } from './fields.ts';
import type { MlflowRoute } from './mlflow-route.ts';
import { list, loggedModelJson } from './render-tracking.ts';
import { maxResults } from './search-page.ts';
import { READS_TRACKING, WRITES_TRACKING } from './tracking-access.ts';

const MOST = 50_000;
const USUAL = 50;

/** Logged models: made before their files come, finished when they are there. `ready` is told of each that is. */
export function loggedModelRoutes(ready: (id: string) => Promise<void>): readonly MlflowRoute[] {
  return [...FINDING, finalizing(ready), ...CHANGING];
}

const FINDING: readonly MlflowRoute[] = [
  {
    method: 'POST',
    path: '/logged-models',
    access: WRITES_TRACKING,
    run: async ({ fields }, services) => ({
      model: loggedModelJson(
        await createLoggedModel(services, {
          experimentId: fields.text('experiment_id'),
          name: fields.optional('name'),
          modelType: fields.optional('model_type'),
          runId: fields.optional('source_run_id'),
          params: fields.entries('params'),
          tags: fields.entries('tags'),
        }),
      ),
    }),
  },
  {
    method: 'POST',
    path: '/logged-models/search',
    access: READS_TRACKING,
    run: async ({ fields }, services) => {
      const { items, next } = await searchLoggedModels(services, fields.texts('experiment_ids').map(experimentNumber), {
        filter: fields.optional('filter'),
        order: fields.messages('order_by').map(orderOf),
        datasets: fields.messages('datasets').map(datasetOf),
        limit: maxResults(fields, MOST, USUAL),
        cursor: fields.optional('page_token'),
      });
      return { models: list(items.map(loggedModelJson)), next_page_token: next };
    },
  },
  {
    method: 'GET',
    path: '/logged-models/:id',
    access: READS_TRACKING,
    run: async ({ path }, services) => ({ model: loggedModelJson(await getLoggedModel(services, path.text('id'))) }),
  },
];

function finalizing(ready: (id: string) => Promise<void>): MlflowRoute {
  return {
    method: 'PATCH',
    path: '/logged-models/:id',
    access: WRITES_TRACKING,
    run: async ({ fields, path }, services) => {
      const id = path.text('id');
      const status = fields.choice('status', LOGGED_MODEL_STATUSES, 'LOGGED_MODEL_') ?? fields.text('status');
      const model = await finalizeLoggedModel(services, id, status);
      if (status === 'READY') await ready(id);
      return { model: loggedModelJson(model) };
    },
  };
}

const CHANGING: readonly MlflowRoute[] = [
  {
    method: 'DELETE',
    path: '/logged-models/:id',
    access: WRITES_TRACKING,
    run: async ({ path }, services) => {
      await deleteLoggedModel(services, path.text('id'));
      return {};
    },
  },
  {
    method: 'PATCH',
    path: '/logged-models/:id/tags',
    access: WRITES_TRACKING,
    run: async ({ fields, path }, services) => {
      await setLoggedModelTags(services, path.text('id'), fields.entries('tags'));
      return {};
    },
  },
  {
    method: 'DELETE',
    path: '/logged-models/:id/tags/:key',
    access: WRITES_TRACKING,
    run: async ({ path }, services) => {
      await deleteLoggedModelTag(services, path.text('id'), path.text('key'));
      return {};
    },
  },
  {
    method: 'POST',
    path: '/logged-models/:id/params',
    access: WRITES_TRACKING,
    run: async ({ fields, path }, services) => {
      await logLoggedModelParams(services, path.text('id'), fields.entries('params'));
      return {};
    },
  },
];

function orderOf(fields: Fields) {
  const name = fields.optional('dataset_name');
  return {
    field: fields.text('field_name'),
    // As in MLflow's own message, where it is true unless it is said.
    ascending: fields.has('ascending') ? fields.flag('ascending') : true,
    dataset:
      name === undefined || name === '' ? undefined : { name, digest: fields.optional('dataset_digest') || undefined },
  };
}

function datasetOf(fields: Fields) {
  return { name: fields.text('dataset_name'), digest: fields.optional('dataset_digest') || undefined };
}
