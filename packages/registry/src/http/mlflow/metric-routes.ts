import { IngotError } from '@ingot/core/errors';
import {
  HISTORY_LIMITS,
  metricHistory,
  metricHistoryOfRuns,
  type RunPoint,
  sampledHistory,
} from '../../tracking/metric-history.ts';
import type { MlflowRoute } from './mlflow-route.ts';
import { list, metricJson } from './render-tracking.ts';
import { runIdOf } from './run-routes.ts';
import { READS_TRACKING } from './tracking-access.ts';

/** Histories of metrics, of one run and of many. */
export const METRIC_ROUTES: readonly MlflowRoute[] = [
  {
    method: 'GET',
    path: '/metrics/get-history',
    access: READS_TRACKING,
    run: async ({ fields }, services) => {
      const limit = fields.optionalInteger('max_results');
      if (limit !== undefined && limit <= 0)
        throw new IngotError(
          'usage',
          `Invalid value ${limit} for parameter 'max_results' supplied. It must be a positive integer.`,
        );
      const cursor = fields.optional('page_token');
      const { points, next } = await metricHistory(services, runIdOf(fields), fields.text('metric_key'), {
        limit,
        cursor,
      });
      return { metrics: list(points.map(metricJson)), next_page_token: next };
    },
  },
  {
    method: 'GET',
    path: '/metrics/get-history-bulk',
    access: READS_TRACKING,
    run: async ({ fields }, services) => {
      const runIds = fields.texts('run_id');
      if (runIds.length === 0)
        throw new IngotError('usage', 'GetMetricHistoryBulk request must specify at least one run_id.');
      if (!fields.has('metric_key'))
        throw new IngotError('usage', 'GetMetricHistoryBulk request must specify a metric_key.');
      const limit = fields.optionalInteger('max_results') ?? HISTORY_LIMITS.points;
      const points = await metricHistoryOfRuns(services, runIds, fields.text('metric_key'), Math.max(0, limit));
      return { metrics: points.map(pointJson) };
    },
  },
  {
    method: 'GET',
    path: '/metrics/get-history-bulk-interval',
    access: READS_TRACKING,
    run: async ({ fields }, services) => {
      const runIds = fields.texts('run_ids');
      if (runIds.length === 0) fields.text('run_ids');
      if (runIds.length > HISTORY_LIMITS.runs)
        throw new IngotError(
          'usage',
          `GetMetricHistoryBulkInterval request must specify at most ${HISTORY_LIMITS.runs} run_ids. Received ${runIds.length} run_ids.`,
        );
      const key = fields.text('metric_key');
      const pointsOfRun = fields.optionalInteger('max_results') ?? HISTORY_LIMITS.pointsOfInterval;
      if (pointsOfRun < 1 || pointsOfRun > HISTORY_LIMITS.pointsOfInterval)
        throw new IngotError('usage', `max_results must be between 1 and ${HISTORY_LIMITS.pointsOfInterval}.`);
      const startStep = fields.optionalInteger('start_step');
      const endStep = fields.optionalInteger('end_step');
      if (startStep !== undefined && endStep !== undefined && startStep > endStep)
        throw new IngotError(
          'usage',
          `end_step must be greater than start_step. Found start_step=${startStep} and end_step=${endStep}.`,
        );
      const points = await sampledHistory(services, runIds, key, { startStep, endStep, pointsOfRun });
      return { metrics: list(points.map(pointJson)) };
    },
  },
];

function pointJson(point: RunPoint): object {
  return { ...metricJson(point), run_id: point.runId };
}
