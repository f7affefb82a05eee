import { IngotError } from '@ingot/core/errors';
import { type RawBuilder, sql } from 'kysely';
import type { TrackingContext } from './context.ts';
import { after, cursorOf, orderBy, orderColumns, type OrderTerm, parseCursor } from './keyset.ts';
import { type MetricPoint, pointOf } from './run-data.ts';
import { runRow } from './runs.ts';
import type { MetricRow } from './tables.ts';

/** Most points of one answer, and most runs of one question. */
export const HISTORY_LIMITS = { points: 25_000, runs: 100, pointsOfInterval: 2500 } as const;

/** A page of a metric's history. */
export interface HistoryPage {
  readonly points: readonly MetricPoint[];
  readonly next?: string;
}

const ORDER: readonly OrderTerm[] = [
  { by: sql.ref('timestamp_ms') },
  { by: sql.ref('step') },
  { by: sql.ref('value') },
  { by: sql.ref('is_nan') },
];

/** Gives the values of a metric by time, then step. Without a limit, all of them. Throws `not-found`. */
export async function metricHistory(
  context: TrackingContext,
  runId: string,
  key: string,
  page: { readonly limit?: number | undefined; readonly cursor?: string | undefined } = {},
): Promise<HistoryPage> {
  await runRow(context, runId);
  const { limit } = page;
  const take = limit === undefined ? sql`` : sql`limit ${Math.min(limit, HISTORY_LIMITS.points) + 1}`;
  const { rows } = await sql<MetricRow & Record<string, unknown>>`
    select *, ${orderColumns(ORDER)} from tracking_metrics
    where run_id = ${runId} and key = ${key} and ${after(ORDER, parseCursor(page.cursor))}
    order by ${orderBy(ORDER)} ${take}`.execute(context.database.own);
  const size = limit === undefined ? rows.length : Math.min(limit, HISTORY_LIMITS.points);
  const shown = rows.slice(0, size);
  const last = shown.at(-1);
  const points = shown.map(pointOf);
  return rows.length > size && last !== undefined ? { points, next: cursorOf(ORDER, last) } : { points };
}

/** A value of a metric in one of several runs. */
export interface RunPoint extends MetricPoint {
  readonly runId: string;
}

/** Gives the values of a metric in several runs, by run, time and step: at most `limit` in all. */
export async function metricHistoryOfRuns(
  { database }: TrackingContext,
  runIds: readonly string[],
  key: string,
  limit: number,
): Promise<readonly RunPoint[]> {
  if (runIds.length > HISTORY_LIMITS.runs)
    throw new IngotError(
      'usage',
      `GetMetricHistoryBulk request cannot specify more than ${HISTORY_LIMITS.runs} run_ids. Received ${runIds.length} run_ids.`,
    );
  const rows = await database.own
    .selectFrom('tracking_metrics')
    .selectAll()
    .where('run_id', 'in', runIds)
    .where('key', '=', key)
    .orderBy('run_id')
    .orderBy('timestamp_ms')
    .orderBy('step')
    .orderBy('value')
    .limit(Math.min(limit, HISTORY_LIMITS.points))
    .execute();
  return rows.map((row) => ({ ...pointOf(row), runId: row.run_id }));
}

/** Which steps are wanted, and how many of each run at most. */
export interface Interval {
  readonly startStep?: number | undefined;
  readonly endStep?: number | undefined;
  readonly pointsOfRun: number;
}

/**
 * Gives the values of a metric in several runs, thinned out evenly: the same steps of all runs, the lowest and highest
 * step of each always among them, at most so many of a run.
 */
export async function sampledHistory(
  { database }: TrackingContext,
  runIds: readonly string[],
  key: string,
  interval: Interval,
): Promise<readonly RunPoint[]> {
  const { startStep, endStep, pointsOfRun } = interval;
  let query = database.own
    .selectFrom('tracking_metrics')
    .select(['run_id', 'step'])
    .distinct()
    .where('run_id', 'in', runIds)
    .where('key', '=', key)
    .orderBy('step');
  if (startStep !== undefined) query = query.where('step', '>=', startStep);
  if (endStep !== undefined) query = query.where('step', '<=', endStep);
  const found = await query.execute();
  const wanted = sampledSteps(found, pointsOfRun);
  if (wanted.length === 0) return [];
  const list: RawBuilder<unknown> = sql.join(wanted.map((step) => sql.lit(step)));
  const { rows } = await sql<MetricRow>`
    select * from tracking_metrics where run_id in (${sql.join(runIds)}) and key = ${key} and step in (${list})
    order by run_id, step, timestamp_ms, value`.execute(database.own);
  const counts = new Map<string, number>();
  const isWithin = ({ run_id }: MetricRow): boolean => {
    const count = (counts.get(run_id) ?? 0) + 1;
    counts.set(run_id, count);
    return count <= pointsOfRun;
  };
  return rows.filter(isWithin).map((row) => ({ ...pointOf(row), runId: row.run_id }));
}

function sampledSteps(rows: readonly Pick<MetricRow, 'run_id' | 'step'>[], most: number): readonly number[] {
  const steps = [...new Set(rows.map(({ step }) => step))].sort((a, b) => a - b);
  if (steps.length <= most) return steps;
  const every = Math.ceil(steps.length / most);
  const ends = new Map<string, readonly [number, number]>();
  for (const { run_id, step } of rows) {
    const [low, high] = ends.get(run_id) ?? [step, step];
    ends.set(run_id, [Math.min(low, step), Math.max(high, step)]);
  }
  const kept = steps.filter((_, at) => at % every === 0);
  return [...new Set([...kept, ...[...ends.values()].flat()])];
}
