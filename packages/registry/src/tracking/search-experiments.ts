import { IngotError } from '@ingot/core/errors';
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { TrackingContext } from './context.ts';
import { type Experiment, withTags } from './experiments.ts';
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
import type { ExperimentRow, Lifecycle } from './tables.ts';

/** What is searched for, and which page of it. */
export interface SearchPage {
  readonly filter?: string | undefined;
  /** `field [ASC|DESC]`, the weightiest first. */
  readonly orderBy?: readonly string[];
  readonly limit: number;
  readonly cursor?: string | undefined;
  /** Undefined: whatever became of it. */
  readonly lifecycle?: Lifecycle | undefined;
}

/** What was found, and where the next page begins if there is one. */
export interface Found<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

const NUMBERS = new Map([
  ['creation_time', 'created_ms'],
  ['last_update_time', 'updated_ms'],
]);

/** Searches experiments by name, id, times and tags; the one that changed last comes first. Throws `usage`. */
export async function searchExperiments(context: TrackingContext, page: SearchPage): Promise<Found<Experiment>> {
  const { own, kind } = context.database;
  const where = whereOf(parseFilter(page.filter), (test) => testOf(kind, test));
  const terms = orderOf(page.orderBy ?? []);
  const state = page.lifecycle === undefined ? sql<SqlBool>`1 = 1` : sql<SqlBool>`e.lifecycle = ${page.lifecycle}`;
  const { rows } = await sql<ExperimentRow & Record<string, unknown>>`
    select e.*, ${orderColumns(terms)} from tracking_experiments as e
    where ${state} and ${where} and ${after(terms, parseCursor(page.cursor))}
    order by ${orderBy(terms)} limit ${page.limit + 1}`.execute(own);
  const shown = rows.slice(0, page.limit);
  const items = await withTags(context, shown.map(plainRow));
  const last = shown.at(-1);
  return rows.length > page.limit && last !== undefined ? { items, next: cursorOf(terms, last) } : { items };
}

function plainRow(row: ExperimentRow): ExperimentRow {
  const { id, name, artifact_location, lifecycle, created_ms, updated_ms } = row;
  return { id, name, artifact_location, lifecycle, created_ms, updated_ms };
}

function testOf(dialect: Dialect, test: Test): Where {
  const entity = test.entity?.toLowerCase();
  if (entity === 'tag' || entity === 'tags') return tagTest(dialect, test);
  if (entity !== undefined && !['attribute', 'attributes', 'attr'].includes(entity))
    throw unknownField(test.entity, test.key);
  if (test.key === 'name') return compareText(dialect, sql.ref('e.name'), test);
  const column = NUMBERS.get(test.key);
  if (column !== undefined) return compareNumber(sql.ref(`e.${column}`), test);
  if (test.key === 'experiment_id') return compareText(dialect, sql`cast(e.id as text)`, test);
  throw unknownField(test.entity, test.key);
}

function tagTest(dialect: Dialect, test: Test): Where {
  const rows = (of: Where): Where =>
    sql<SqlBool>`exists (select 1 from tracking_experiment_tags as t where t.experiment_id = e.id and t.key = ${test.key} and ${of})`;
  return compareKeyed(test, rows, (one) => compareText(dialect, sql.ref('t.value'), one));
}

function orderOf(clauses: readonly string[]): readonly OrderTerm[] {
  const terms = clauses.map(parseOrder).map(({ key, entity, descending }): OrderTerm => {
    const by = columnOf(key);
    if (by === undefined) throw unknownField(entity, key);
    return { by, descending };
  });
  const byTime = { by: sql.ref('e.updated_ms'), descending: true };
  return [...(terms.length === 0 ? [byTime] : terms), { by: sql.ref('e.id'), descending: true }];
}

function columnOf(key: string): RawBuilder<unknown> | undefined {
  if (key === 'name') return sql.ref('e.name');
  if (key === 'experiment_id') return sql.ref('e.id');
  const column = NUMBERS.get(key);
  return column === undefined ? undefined : sql.ref(`e.${column}`);
}

function unknownField(entity: string | undefined, key: string): IngotError {
  const name = entity === undefined ? key : `${entity}.${key}`;
  return new IngotError(
    'usage',
    `Invalid attribute key '${name.slice(0, 200)}' specified. Valid keys are 'name', 'experiment_id', 'creation_time', 'last_update_time', and tags as tags.KEY`,
  );
}
