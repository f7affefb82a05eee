import { IngotError } from '@ingot/core/errors';
import { type Insertable, type Kysely, sql } from 'kysely';
import type { OwnTables } from '../database/own-tables.ts';
import { type Entry, inPieces, lastOfEach, type TrackingContext } from './context.ts';
import { BATCH_LIMITS, checkKey, cutTo, invalid, LENGTHS } from './limits.ts';
import type { MetricPoint } from './run-data.ts';
import { activeRun, checkRunTag, RUN_NAME_TAG } from './runs.ts';
import type { LoggedModelMetricRow, MetricRow } from './tables.ts';

/** A metric to be logged; with a model, also as that model's own, on the data set it was measured with. */
export interface LoggedMetric extends MetricPoint {
  readonly modelId?: string | undefined;
  readonly datasetName?: string | undefined;
  readonly datasetDigest?: string | undefined;
}

/** What is logged in one call: all of it or nothing. */
export interface Batch {
  readonly metrics: readonly LoggedMetric[];
  readonly params: readonly Entry[];
  readonly tags: readonly Entry[];
}

type Own = Kysely<OwnTables>;

/**
 * Logs metrics, params and tags of a run in one transaction.
 * @throws IngotError `not-found`; `usage` for a deleted run, too much at once, a bad key, or a param that has another value already.
 */
export async function logBatch(context: TrackingContext, runId: string, batch: Batch): Promise<void> {
  checkBatch(batch);
  await activeRun(context, runId);
  const { metrics } = batch;
  const params = batch.params.map(({ key, value }) => ({ key, value: cutTo(LENGTHS.paramValue, value) }));
  const tags = lastOfEach(batch.tags).map(({ key, value }) => ({ key, value: cutTo(LENGTHS.tagValue, value) }));
  if (metrics.length + params.length + tags.length === 0) return;
  await context.database.own.transaction().execute(async (own) => {
    await writeParams(own, runId, params);
    await writeMetrics(own, runId, metrics);
    await writeTags(own, runId, tags);
  });
}

function checkBatch({ metrics, params, tags }: Batch): void {
  checkCount('metrics', metrics.length, BATCH_LIMITS.metrics);
  checkCount('params', params.length, BATCH_LIMITS.params);
  checkCount('tags', tags.length, BATCH_LIMITS.tags);
  checkCount('metrics, params, and tags', metrics.length + params.length + tags.length, BATCH_LIMITS.all);
  for (const [at, metric] of metrics.entries()) checkMetric(metric, `metrics[${at}]`);
  for (const [at, { key }] of params.entries()) checkKey('parameter', key, `params[${at}].key`);
  for (const [at, tag] of tags.entries()) checkRunTag(tag, `tags[${at}].key`);
  const keys = params.map(({ key }) => key);
  const twice = keys.filter((key, at) => keys.indexOf(key) !== at);
  if (twice.length > 0)
    throw new IngotError(
      'usage',
      `Duplicate parameter keys have been submitted: ${JSON.stringify([...new Set(twice)])}. Please ensure the request contains only one param value per param key.`,
    );
}

function checkMetric({ key, timestampMs, step }: LoggedMetric, path: string): void {
  checkKey('metric', key, `${path}.name`);
  if (timestampMs < 0)
    throw invalid(`${path}.timestamp`, timestampMs, 'Timestamp must be a nonnegative long (64-bit integer)');
  if (!Number.isSafeInteger(step)) throw invalid(`${path}.step`, step, 'Step must be a valid long (64-bit integer)');
}

function checkCount(what: string, count: number, limit: number): void {
  if (count <= limit) return;
  throw new IngotError(
    'usage',
    `A batch logging request can contain at most ${limit} ${what}. Got ${count} ${what}. Please split up ${what} across multiple requests and try again.`,
  );
}

async function writeParams(own: Own, runId: string, params: readonly Entry[]): Promise<void> {
  if (params.length === 0) return;
  const keys = params.map(({ key }) => key);
  const known = await own
    .selectFrom('tracking_run_params')
    .select(['key', 'value'])
    .where('run_id', '=', runId)
    .where('key', 'in', keys)
    .execute();
  const values = new Map(known.map(({ key, value }) => [key, value]));
  for (const { key, value } of params) {
    const before = values.get(key);
    if (before === undefined || before === value) continue;
    throw new IngotError(
      'usage',
      `Changing param values is not allowed. Param with key='${key}' was already logged with value='${before}' for run ID='${runId}'. Attempted logging new value '${value}'.`,
    );
  }
  const fresh = params.filter(({ key }) => !values.has(key));
  if (fresh.length === 0) return;
  // Whoever logged one of them meanwhile was first: the next call with another value is refused.
  await own
    .insertInto('tracking_run_params')
    .values(fresh.map(({ key, value }) => ({ run_id: runId, key, value })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

async function writeTags(own: Own, runId: string, tags: readonly Entry[]): Promise<void> {
  if (tags.length === 0) return;
  await own
    .insertInto('tracking_run_tags')
    .values(tags.map(({ key, value }) => ({ run_id: runId, key, value })))
    .onConflict((conflict) =>
      conflict.columns(['run_id', 'key']).doUpdateSet((eb) => ({ value: eb.ref('excluded.value') })),
    )
    .execute();
  const name = tags.find(({ key }) => key === RUN_NAME_TAG)?.value;
  if (name) await own.updateTable('tracking_runs').set({ name }).where('id', '=', runId).execute();
}

async function writeMetrics(own: Own, runId: string, metrics: readonly LoggedMetric[]): Promise<void> {
  if (metrics.length === 0) return;
  const rows = metrics.map((metric) => rowOf(runId, metric));
  for (const piece of inPieces(rows))
    await own
      .insertInto('tracking_metrics')
      .values([...piece])
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  const newest = new Map<string, Insertable<MetricRow>>();
  for (const row of rows) if (isNewer(row, newest.get(row.key))) newest.set(row.key, row);
  for (const piece of inPieces([...newest.values()])) await writeLatest(own, piece);
  await writeModelMetrics(own, runId, metrics);
}

async function writeLatest(own: Own, rows: readonly Insertable<MetricRow>[]): Promise<void> {
  const isLater = sql<boolean>`
    excluded.step > tracking_latest_metrics.step or (excluded.step = tracking_latest_metrics.step and (
      excluded.timestamp_ms > tracking_latest_metrics.timestamp_ms or (
        excluded.timestamp_ms = tracking_latest_metrics.timestamp_ms and excluded.value > tracking_latest_metrics.value)))`;
  await own
    .insertInto('tracking_latest_metrics')
    .values([...rows])
    .onConflict((conflict) =>
      conflict
        .columns(['run_id', 'key'])
        .doUpdateSet((eb) => ({
          value: eb.ref('excluded.value'),
          is_nan: eb.ref('excluded.is_nan'),
          timestamp_ms: eb.ref('excluded.timestamp_ms'),
          step: eb.ref('excluded.step'),
        }))
        .where(isLater),
    )
    .execute();
}

async function writeModelMetrics(own: Own, runId: string, metrics: readonly LoggedMetric[]): Promise<void> {
  const rows = metrics.flatMap((metric): Insertable<LoggedModelMetricRow>[] => {
    const { modelId, datasetName, datasetDigest } = metric;
    if (modelId === undefined || modelId === '') return [];
    const row = rowOf(runId, metric);
    return [{ ...row, model_id: modelId, dataset_name: datasetName ?? null, dataset_digest: datasetDigest ?? null }];
  });
  for (const piece of inPieces(rows))
    await own
      .insertInto('tracking_model_metrics')
      .values([...piece])
      .onConflict((conflict) => conflict.doNothing())
      .execute();
}

function rowOf(runId: string, { key, value, timestampMs, step }: MetricPoint): Insertable<MetricRow> & MetricRow {
  const isNan = Number.isNaN(value);
  return { run_id: runId, key, value: isNan ? 0 : value, is_nan: isNan ? 1 : 0, timestamp_ms: timestampMs, step };
}

function isNewer(row: MetricRow, than: Insertable<MetricRow> | undefined): boolean {
  if (than === undefined) return true;
  if (row.step !== than.step) return row.step > than.step;
  if (row.timestamp_ms !== than.timestamp_ms) return row.timestamp_ms > than.timestamp_ms;
  return row.value > than.value;
}
