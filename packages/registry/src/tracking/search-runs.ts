import { IngotError } from '@ingot/core/errors';
import { type SqlBool, sql } from 'kysely';
import type { TrackingContext } from './context.ts';
import { parseFilter, type Test } from './filter.ts';
import {
  compareKeyed,
  compareNumber,
  compareText,
  type Dialect,
  parseOrder,
  type Where,
  whereOf,
} from './filter-sql.ts';
import { after, cursorOf, orderBy, orderColumns, type OrderTerm, parseCursor } from './keyset.ts';
import { fullRuns, type Run } from './run-data.ts';
import type { Found, SearchPage } from './search-experiments.ts';
import type { RunRow } from './tables.ts';

const TEXTS = new Map([
  ['run_id', 'r.id'],
  ['run_uuid', 'r.id'],
  ['run_name', 'r.name'],
  ['name', 'r.name'],
  ['status', 'r.status'],
  ['artifact_uri', 'r.artifact_uri'],
  ['user_id', 'r.user_name'],
  ['lifecycle_stage', 'r.lifecycle'],
]);

const NUMBERS = new Map([
  ['start_time', 'r.started_ms'],
  ['created', 'r.started_ms'],
  ['end_time', 'r.ended_ms'],
]);

const KINDS = new Map([
  ['metric', 'metric'],
  ['metrics', 'metric'],
  ['param', 'param'],
  ['params', 'param'],
  ['parameter', 'param'],
  ['parameters', 'param'],
  ['tag', 'tag'],
  ['tags', 'tag'],
  ['attribute', 'attribute'],
  ['attributes', 'attribute'],
  ['attr', 'attribute'],
  ['run', 'attribute'],
  ['dataset', 'dataset'],
  ['datasets', 'dataset'],
]);

/**
 * Searches the runs of some experiments by attributes, metrics, params, tags and data sets; the one that started last
 * comes first. Six queries a page, however many runs it has (up to 500; five more for each further 500).
 * @throws IngotError `usage` for a filter or order that is not understood.
 */
export async function searchRuns(
  context: TrackingContext,
  experimentIds: readonly number[],
  page: SearchPage,
): Promise<Found<Run>> {
  const { own, kind } = context.database;
  const where = whereOf(parseFilter(page.filter), (test) => testOf(kind, test));
  const terms = orderOf(page.orderBy ?? []);
  const cursor = after(terms, parseCursor(page.cursor));
  if (experimentIds.length === 0) return { items: [] };
  const state = page.lifecycle === undefined ? sql<SqlBool>`1 = 1` : sql<SqlBool>`r.lifecycle = ${page.lifecycle}`;
  const { rows } = await sql<RunRow & Record<string, unknown>>`
    select r.*, ${orderColumns(terms)} from tracking_runs as r
    where r.experiment_id in (${sql.join(experimentIds)}) and ${state} and ${where} and ${cursor}
    order by ${orderBy(terms)} limit ${page.limit + 1}`.execute(own);
  const shown = rows.slice(0, page.limit);
  const items = await fullRuns(context, shown);
  const last = shown.at(-1);
  return rows.length > page.limit && last !== undefined ? { items, next: cursorOf(terms, last) } : { items };
}

function testOf(dialect: Dialect, test: Test): Where {
  switch (kindOf(test.entity)) {
    case 'metric':
      return keyed('tracking_latest_metrics', test, (one) => {
        return sql<SqlBool>`(d.is_nan = 0 and ${compareNumber(sql.ref('d.value'), one)})`;
      });
    case 'param':
      return keyed('tracking_run_params', test, (one) => compareText(dialect, sql.ref('d.value'), one));
    case 'tag':
      return keyed('tracking_run_tags', test, (one) => compareText(dialect, sql.ref('d.value'), one));
    case 'dataset':
      return datasetTest(dialect, test);
    default:
      return attributeTest(dialect, test);
  }
}

function keyed(table: string, test: Test, value: (test: Test) => Where): Where {
  const rows = (of: Where): Where =>
    sql<SqlBool>`exists (select 1 from ${sql.table(table)} as d where d.run_id = r.id and d.key = ${test.key} and ${of})`;
  return compareKeyed(test, rows, value);
}

function datasetTest(dialect: Dialect, test: Test): Where {
  const column = new Map([
    ['name', 's.name'],
    ['digest', 's.digest'],
    ['context', 'd.context'],
  ]).get(test.key);
  if (column === undefined) throw unknownField(test.entity, test.key, "'name', 'digest', 'context'");
  const rows = (of: Where): Where => sql<SqlBool>`exists (
    select 1 from tracking_run_datasets as d join tracking_datasets as s on s.id = d.dataset_id
    where d.run_id = r.id and ${of})`;
  return compareKeyed(test, rows, (one) => compareText(dialect, sql.ref(column), one));
}

function attributeTest(dialect: Dialect, test: Test): Where {
  const key = attributeKey(test.key);
  const number = NUMBERS.get(key);
  if (number !== undefined) return compareNumber(sql.ref(number), test);
  const text = TEXTS.get(key);
  if (text === undefined) throw unknownField(test.entity, test.key);
  return compareText(dialect, sql.ref(text), test);
}

/** `Run ID` is `run_id`, as the pages of MLflow write it. */
function attributeKey(key: string): string {
  return key.trim().toLowerCase().replaceAll(' ', '_');
}

function kindOf(entity: string | undefined): string {
  if (entity === undefined) return 'attribute';
  const kind = KINDS.get(entity.toLowerCase());
  if (kind !== undefined) return kind;
  throw new IngotError(
    'usage',
    `Invalid entity type '${entity.slice(0, 100)}'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']`,
  );
}

function orderOf(clauses: readonly string[]): readonly OrderTerm[] {
  const given = clauses.map(parseOrder);
  const named = given.map(({ entity, key }) => JSON.stringify([kindOf(entity), key]));
  const twice = named.findIndex((name, at) => named.indexOf(name) !== at);
  if (twice >= 0)
    throw new IngotError('usage', `\`order_by\` contains duplicate fields: ${(clauses[twice] ?? '').slice(0, 200)}`);
  const terms = given.flatMap(({ entity, key, descending }) => termsOf(entity, key, descending));
  const started = [{ by: sql.ref('r.started_ms'), descending: true }, { by: sql.ref('r.id') }];
  return [...terms, ...started];
}

/** What is missing comes last either way, and NaN before it. */
function termsOf(entity: string | undefined, key: string, descending: boolean): readonly OrderTerm[] {
  const kind = kindOf(entity);
  if (kind === 'metric') {
    const of = (column: string) =>
      sql`(select ${sql.ref(column)} from tracking_latest_metrics as d where d.run_id = r.id and d.key = ${key})`;
    const lastOnes = sql`case when ${of('d.is_nan')} is null then 2 else ${of('d.is_nan')} end`;
    return [{ by: lastOnes }, { by: sql`coalesce(${of('d.value')}, 0)`, descending }];
  }
  if (kind === 'param' || kind === 'tag') {
    const table = sql.table(kind === 'param' ? 'tracking_run_params' : 'tracking_run_tags');
    const value = sql`(select d.value from ${table} as d where d.run_id = r.id and d.key = ${key})`;
    return [{ by: sql`case when ${value} is null then 1 else 0 end` }, { by: sql`coalesce(${value}, '')`, descending }];
  }
  const column = kind === 'attribute' ? attributeColumn(key) : undefined;
  if (column === undefined) throw unknownField(entity, key);
  if (column !== 'r.ended_ms') return [{ by: sql.ref(column), descending }];
  return [
    { by: sql`case when r.ended_ms is null then 1 else 0 end` },
    { by: sql`coalesce(r.ended_ms, 0)`, descending },
  ];
}

function attributeColumn(key: string): string | undefined {
  const plain = attributeKey(key);
  return NUMBERS.get(plain) ?? TEXTS.get(plain);
}

function unknownField(entity: string | undefined, key: string, valid?: string): IngotError {
  const name = entity === undefined ? key : `${entity}.${key}`;
  const keys = valid ?? [...TEXTS.keys(), ...NUMBERS.keys()].map((one) => `'${one}'`).join(', ');
  return new IngotError('usage', `Invalid attribute key '${name.slice(0, 200)}' specified. Valid keys are ${keys}`);
}
