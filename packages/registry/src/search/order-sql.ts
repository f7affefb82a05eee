import { createHash } from 'node:crypto';
import { IngotError } from '@ingot/core/errors';
import { parseJson } from '@ingot/core/json';
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { storable } from '../index/storable.ts';
import { columnOf, ROW_TABLES } from './condition-sql.ts';
import type { RowsSource, ScalarColumn, Source } from './fields.ts';
import type { SortKey } from './sort.ts';

/** One term of an order: never null. */
export interface Term {
  readonly by: RawBuilder<unknown>;
  readonly descending: boolean;
  readonly type: 'text' | 'number';
}

/** An order in SQL. */
export interface Order {
  /** `left join …` of what is ordered by and lies in other tables. */
  readonly joins: RawBuilder<unknown>;
  /** The last ones have no equal values. */
  readonly terms: readonly Term[];
}

const NULLABLE: ReadonlySet<ScalarColumn> = new Set([
  'label',
  'stage',
  'author',
  'description',
  'message',
  'run',
  'made_at',
  'git_commit',
  'git_branch',
  'git_dirty',
  'executes_code',
]);
const NUMBERS: ReadonlySet<string> = new Set([
  'number',
  'size_bytes',
  'file_count',
  'git_dirty',
  'executes_code',
  'number_value',
]);

/** Gives an order of versions `v` of models `m` in SQL. */
export function orderSql(keys: readonly SortKey[]): Order {
  const joins: RawBuilder<unknown>[] = [];
  const terms: Term[] = [];
  for (const { sources, descending } of keys)
    for (const source of sources) terms.push(...termsOf(source, descending, joins));
  const descending = keys.at(-1)?.descending === true;
  terms.push({ by: sql.ref('v.model_id'), descending, type: 'text' });
  terms.push({ by: sql.ref('v.number'), descending, type: 'number' });
  return { joins: sql.join(joins, sql` `), terms };
}

function termsOf(source: Source, descending: boolean, joins: RawBuilder<unknown>[]): readonly Term[] {
  if (source.kind === 'scalar') {
    const column = columnOf(source.column);
    const type = NUMBERS.has(source.column) ? 'number' : 'text';
    return NULLABLE.has(source.column) ? missingLast(column, descending, type) : [{ by: column, descending, type }];
  }
  const column = sql.ref(`${joined(source, joins)}.${source.column}`);
  const isNumber = source.rows === 'metrics' || NUMBERS.has(source.column);
  return missingLast(column, descending, isNumber ? 'number' : 'text');
}

function joined({ rows, key }: RowsSource, joins: RawBuilder<unknown>[]): string {
  const name = `s${joins.length}`;
  const { table, key: keyColumn } = ROW_TABLES[rows];
  joins.push(sql`left join ${sql.table(table)} as ${sql.ref(name)}
    on ${sql.ref(`${name}.model_id`)} = v.model_id and ${sql.ref(`${name}.number`)} = v.number
    and ${sql.ref(`${name}.${keyColumn}`)} = ${key ?? ''}`);
  return name;
}

function missingLast(column: RawBuilder<unknown>, descending: boolean, type: Term['type']): readonly Term[] {
  const none = type === 'text' ? sql`''` : sql`0`;
  return [
    { by: sql`case when ${column} is null then 1 else 0 end`, descending: false, type: 'number' },
    { by: sql`coalesce(${column}, ${none})`, descending, type },
  ];
}

/** Value of a term in a row. */
export type OrderValue = string | number;

/** The columns `o0`, `o1`, … that a cursor is made from. */
export function orderColumns(terms: readonly Term[]): RawBuilder<unknown> {
  return sql.join(terms.map(({ by }, index) => sql`${by} as ${sql.ref(`o${index}`)}`));
}

/** What follows `order by`. */
export function orderBy(terms: readonly Term[]): RawBuilder<unknown> {
  return sql.join(terms.map(({ by, descending }) => (descending ? sql`${by} desc` : sql`${by} asc`)));
}

/** Whether a row lies after the one a cursor was made from. The first term bounds what an index is asked for. */
export function after(terms: readonly Term[], values: readonly OrderValue[] | undefined): RawBuilder<SqlBool> {
  const [first] = terms;
  if (values === undefined || first === undefined) return sql<SqlBool>`1 = 1`;
  const at = (index: number): RawBuilder<unknown> => bound(values[index], terms[index]);
  const places = terms.map(({ by, descending }, index) => {
    const equal = terms.slice(0, index).map((term, before) => sql`${term.by} = ${at(before)}`);
    const beyond = descending ? sql`${by} < ${at(index)}` : sql`${by} > ${at(index)}`;
    return sql`(${sql.join([...equal, beyond], sql` and `)})`;
  });
  const reach = first.descending ? sql`${first.by} <= ${at(0)}` : sql`${first.by} >= ${at(0)}`;
  return sql<SqlBool>`(${reach} and (${sql.join(places, sql` or `)}))`;
}

function bound(value: OrderValue | undefined, term: Term | undefined): RawBuilder<unknown> {
  if (value === undefined || term === undefined) throw badCursor();
  if (typeof value === 'string') return sql`${value}`;
  return Number.isSafeInteger(value) ? sql`cast(${value} as bigint)` : sql`cast(${value} as double precision)`;
}

/** What tells one search from another: a cursor holds for one filter and one order. */
export interface CursorSearch {
  readonly filter?: string | undefined;
  readonly sort?: string | undefined;
}

/** Writes a cursor from the columns of {@link orderColumns} in a row. It holds for one filter and order only. */
export function cursorOf(
  terms: readonly Term[],
  row: Readonly<Record<string, unknown>>,
  search: CursorSearch = {},
): string {
  const values = terms.map((_, index) => row[`o${index}`]);
  return Buffer.from(JSON.stringify([markOf(search), ...values])).toString('base64url');
}

function markOf({ filter = '', sort = '' }: CursorSearch): string {
  const text = JSON.stringify([filter.trim(), sort.trim()]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 8);
}

/**
 * Reads a cursor.
 * @throws IngotError `usage` for what no answer of this search has held.
 */
export function parseCursor(
  terms: readonly Term[],
  text: string | undefined,
  search: CursorSearch = {},
): readonly OrderValue[] | undefined {
  if (text === undefined || text === '') return undefined;
  const found = parseJson(Buffer.from(text, 'base64url').toString('utf8'));
  const [mark, ...values]: readonly unknown[] = Array.isArray(found) ? found : [];
  const fits = values.length === terms.length && values.every((value, at) => isOf(value, terms[at]));
  if (!fits || mark !== markOf(search)) throw badCursor();
  return values.filter((value): value is OrderValue => typeof value === 'string' || typeof value === 'number');
}

function isOf(value: unknown, term: Term | undefined): boolean {
  if (term?.type === 'number') return typeof value === 'number' && Number.isFinite(value);
  return typeof value === 'string' && storable(value) === value;
}

function badCursor(): IngotError {
  return new IngotError('usage', 'the cursor is not one of this search: it holds for one filter and one order', {
    hint: 'begin without a cursor, and follow `next`',
  });
}
