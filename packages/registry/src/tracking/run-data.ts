import { type Entry, grouped, inPieces, type TrackingContext } from './context.ts';
import type { DatasetRow, MetricRow, RunDatasetRow, RunModelRow, RunRow } from './tables.ts';

/** A metric's value at a time and step; NaN and the infinities are as they were logged. */
export interface MetricPoint {
  readonly key: string;
  readonly value: number;
  readonly timestampMs: number;
  readonly step: number;
}

/** A data set that a run used. */
export interface UsedDataset {
  readonly dataset: DatasetRow;
  readonly tags: readonly Entry[];
}

/** A run with all that was logged; of each metric the latest value. */
export interface Run {
  readonly row: RunRow;
  readonly metrics: readonly MetricPoint[];
  readonly params: readonly Entry[];
  readonly tags: readonly Entry[];
  readonly datasets: readonly UsedDataset[];
  readonly inputModels: readonly string[];
  readonly outputModels: readonly { readonly modelId: string; readonly step: number }[];
}

/** Reads a value as it was logged. */
export function pointOf(row: Pick<MetricRow, 'key' | 'value' | 'is_nan' | 'timestamp_ms' | 'step'>): MetricPoint {
  const { key, value, is_nan, timestamp_ms: timestampMs, step } = row;
  return { key, value: is_nan === 1 ? Number.NaN : value, timestampMs, step };
}

/** Adds to runs what was logged in them: five queries for up to 500 runs, in the order given. */
export async function fullRuns(context: TrackingContext, rows: readonly RunRow[]): Promise<readonly Run[]> {
  const runs: Run[] = [];
  for (const piece of inPieces(rows)) runs.push(...(await filled(context, piece)));
  return runs;
}

async function filled({ database: { own } }: TrackingContext, rows: readonly RunRow[]): Promise<readonly Run[]> {
  const ids = rows.map(({ id }) => id);
  if (ids.length === 0) return [];
  const [metrics, params, tags, datasets, models] = await Promise.all([
    own.selectFrom('tracking_latest_metrics').selectAll().where('run_id', 'in', ids).orderBy('key').execute(),
    own.selectFrom('tracking_run_params').selectAll().where('run_id', 'in', ids).orderBy('key').execute(),
    own.selectFrom('tracking_run_tags').selectAll().where('run_id', 'in', ids).orderBy('key').execute(),
    own
      .selectFrom('tracking_run_datasets as used')
      .innerJoin('tracking_datasets as dataset', 'dataset.id', 'used.dataset_id')
      .selectAll('dataset')
      .select(['used.run_id', 'used.dataset_id', 'used.tags', 'used.place', 'used.context'])
      .where('used.run_id', 'in', ids)
      .orderBy('used.place')
      .execute(),
    own
      .selectFrom('tracking_run_models')
      .selectAll()
      .where('run_id', 'in', ids)
      .orderBy('step')
      .orderBy('model_id')
      .execute(),
  ]);
  const byRun = {
    metrics: grouped(metrics, ({ run_id }) => run_id),
    params: grouped(params, ({ run_id }) => run_id),
    tags: grouped(tags, ({ run_id }) => run_id),
    datasets: grouped(datasets, ({ run_id }) => run_id),
    models: grouped(models, ({ run_id }) => run_id),
  };
  return rows.map((row) => ({
    row,
    metrics: (byRun.metrics.get(row.id) ?? []).map(pointOf),
    params: (byRun.params.get(row.id) ?? []).map(({ key, value }) => ({ key, value })),
    tags: (byRun.tags.get(row.id) ?? []).map(({ key, value }) => ({ key, value })),
    datasets: (byRun.datasets.get(row.id) ?? []).map(usedDataset),
    ...modelsOf(byRun.models.get(row.id) ?? []),
  }));
}

function usedDataset(row: DatasetRow & RunDatasetRow): UsedDataset {
  const { tags, run_id: _, dataset_id: __, place: ___, context: ____, ...dataset } = row;
  return { dataset, tags: parseTags(tags) };
}

/** Reads tags that lie as JSON. */
export function parseTags(text: string): readonly Entry[] {
  const tags: readonly Entry[] = JSON.parse(text);
  return tags;
}

function modelsOf(rows: readonly RunModelRow[]): Pick<Run, 'inputModels' | 'outputModels'> {
  const of = (direction: RunModelRow['direction']) => rows.filter((row) => row.direction === direction);
  return {
    inputModels: of('input').map(({ model_id }) => model_id),
    outputModels: of('output').map(({ model_id: modelId, step }) => ({ modelId, step })),
  };
}
