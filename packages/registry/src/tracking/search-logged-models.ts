import { IngotError } from '@ingot/core/errors';
import { type SqlBool, sql } from 'kysely';
import type { TrackingContext } from './context.ts';
import { parseFilter, type Test } from './filter.ts';
import { compareKeyed, compareNumber, compareText, type Dialect, type Where, whereOf } from './filter-sql.ts';
import { after, cursorOf, orderBy, orderColumns, type OrderTerm, parseCursor } from './keyset.ts';
import { fullLoggedModels, type LoggedModel } from './logged-models.ts';
import type { Found, SearchPage } from './search-experiments.ts';
import type { LoggedModelRow } from './tables.ts';

const TEXTS = new Map([
  ['name', 'm.name'],
  ['model_id', 'm.id'],
  ['model_type', 'm.model_type'],
  ['status', 'm.status'],
  ['source_run_id', 'm.run_id'],
]);

const NUMBERS = new Map([
  ['creation_timestamp', 'm.created_ms'],
  ['creation_timestamp_ms', 'm.created_ms'],
  ['creation_time', 'm.created_ms'],
  ['last_updated_timestamp', 'm.updated_ms'],
  ['last_updated_timestamp_ms', 'm.updated_ms'],
  ['last_updated_time', 'm.updated_ms'],
]);

/** A data set that metrics were measured on. */
export interface MetricDataset {
  readonly name: string;
  readonly digest?: string | undefined;
}

/** What models are ordered by: an attribute, or `metrics.KEY`, also as measured on a data set. */
export interface ModelOrder {
  readonly field: string;
  /** Default: false, the highest first. */
  readonly ascending: boolean;
  readonly dataset?: MetricDataset | undefined;
}

/** What logged models are searched for. */
export interface LoggedModelSearch extends Omit<SearchPage, 'orderBy' | 'lifecycle'> {
  readonly order: readonly ModelOrder[];
  /** Metrics of the filter count only where they were measured on one of these. */
  readonly datasets: readonly MetricDataset[];
}

/** Searches the logged models of some experiments; the one that was made last comes first. Throws `usage`. */
export async function searchLoggedModels(
  context: TrackingContext,
  experimentIds: readonly number[],
  page: LoggedModelSearch,
): Promise<Found<LoggedModel>> {
  const { own, kind } = context.database;
  const where = whereOf(parseFilter(page.filter), (test) => testOf(kind, test, page.datasets));
  const terms = orderOf(page.order);
  const cursor = after(terms, parseCursor(page.cursor));
  if (experimentIds.length === 0) return { items: [] };
  const { rows } = await sql<LoggedModelRow & Record<string, unknown>>`
    select m.*, ${orderColumns(terms)} from tracking_models as m
    where m.experiment_id in (${sql.join(experimentIds)}) and m.lifecycle = 'active' and ${where} and ${cursor}
    order by ${orderBy(terms)} limit ${page.limit + 1}`.execute(own);
  const shown = rows.slice(0, page.limit);
  const items = await fullLoggedModels(context, shown);
  const last = shown.at(-1);
  return rows.length > page.limit && last !== undefined ? { items, next: cursorOf(terms, last) } : { items };
}

function testOf(dialect: Dialect, test: Test, datasets: readonly MetricDataset[]): Where {
  const entity = test.entity?.toLowerCase();
  if (entity === 'metrics' || entity === 'metric') return metricTest(test, datasets);
  if (entity === 'params' || entity === 'param') return textTest('tracking_model_params', dialect, test);
  if (entity === 'tags' || entity === 'tag') return textTest('tracking_model_tags', dialect, test);
  if (entity !== undefined && entity !== 'attributes' && entity !== 'attribute')
    throw unknownField(test.entity, test.key);
  const number = NUMBERS.get(test.key);
  if (number !== undefined) return compareNumber(sql.ref(number), test);
  const text = TEXTS.get(test.key);
  if (text === undefined) throw unknownField(test.entity, test.key);
  return compareText(dialect, sql.ref(text), test);
}

function textTest(table: string, dialect: Dialect, test: Test): Where {
  const rows = (of: Where): Where =>
    sql<SqlBool>`exists (select 1 from ${sql.table(table)} as d where d.model_id = m.id and d.key = ${test.key} and ${of})`;
  return compareKeyed(test, rows, (one) => compareText(dialect, sql.ref('d.value'), one));
}

function metricTest(test: Test, datasets: readonly MetricDataset[]): Where {
  const on = datasets.length === 0 ? sql<SqlBool>`1 = 1` : sql<SqlBool>`(${sql.join(datasets.map(isOn), sql` or `)})`;
  const rows = (of: Where): Where => sql<SqlBool>`exists (
    select 1 from tracking_model_metrics as d where d.model_id = m.id and d.key = ${test.key} and ${on} and ${of})`;
  return compareKeyed(test, rows, (one) => sql<SqlBool>`(d.is_nan = 0 and ${compareNumber(sql.ref('d.value'), one)})`);
}

function isOn({ name, digest }: MetricDataset): Where {
  if (digest === undefined) return sql<SqlBool>`d.dataset_name = ${name}`;
  return sql<SqlBool>`(d.dataset_name = ${name} and d.dataset_digest = ${digest})`;
}

function orderOf(given: readonly ModelOrder[]): readonly OrderTerm[] {
  const terms = given.flatMap(termsOf);
  const newest = [{ by: sql.ref('m.created_ms'), descending: true }, { by: sql.ref('m.id') }];
  return [...terms, ...newest];
}

function termsOf({ field, ascending, dataset }: ModelOrder): readonly OrderTerm[] {
  const descending = !ascending;
  const metric = /^metrics\.(.+)$/s.exec(field)?.[1];
  if (metric !== undefined) {
    const on = dataset === undefined ? sql<SqlBool>`1 = 1` : isOn(dataset);
    const key = metric.replace(/^[`"]|[`"]$/g, '');
    const of = (column: string) => sql`(
      select ${sql.ref(column)} from tracking_model_metrics as d where d.model_id = m.id and d.key = ${key} and ${on}
      order by d.timestamp_ms desc, d.step desc limit 1)`;
    const lastOnes = sql`case when ${of('d.is_nan')} is null then 2 else ${of('d.is_nan')} end`;
    return [{ by: lastOnes }, { by: sql`coalesce(${of('d.value')}, 0)`, descending }];
  }
  const number = NUMBERS.get(field);
  if (number !== undefined) return [{ by: sql.ref(number), descending }];
  const text = TEXTS.get(field);
  if (text === undefined) throw unknownField(undefined, field);
  const value = sql`coalesce(${sql.ref(text)}, '')`;
  return [{ by: sql`case when ${sql.ref(text)} is null then 1 else 0 end` }, { by: value, descending }];
}

function unknownField(entity: string | undefined, key: string): IngotError {
  const name = entity === undefined ? key : `${entity}.${key}`;
  const valid = [...TEXTS.keys(), ...NUMBERS.keys()].map((one) => `'${one}'`).join(', ');
  return new IngotError(
    'usage',
    `Invalid attribute key '${name.slice(0, 200)}' specified. Valid keys are ${valid}, and metrics.KEY, params.KEY, tags.KEY`,
  );
}
