/**
 * Pages of a search: rows lie in an order that has no ties, a *cursor* holds where the last page ended, and the next one
 * begins after it. So a page costs the same however far it lies, and nothing is shown twice while others write.
 */

import { IngotError } from '@ingot/core/errors';
import { parseJson } from '@ingot/core/json';
import { type RawBuilder, type SqlBool, sql } from 'kysely';

/** What rows are ordered by; never null, and the last term of an order has no equal values. */
export interface OrderTerm {
  readonly by: RawBuilder<unknown>;
  readonly descending?: boolean;
}

/** Value of an order term in a row. */
export type OrderValue = string | number;

/** The columns `o0`, `o1`, … that a cursor is made from. */
export function orderColumns(terms: readonly OrderTerm[]): RawBuilder<unknown> {
  return sql.join(terms.map(({ by }, index) => sql`${by} as ${sql.ref(`o${index}`)}`));
}

/** What follows `order by`. */
export function orderBy(terms: readonly OrderTerm[]): RawBuilder<unknown> {
  return sql.join(terms.map(({ by, descending }) => (descending ? sql`${by} desc` : sql`${by} asc`)));
}

/**
 * Whether a row lies after the one a cursor was made from; true without a cursor. The first term bounds what an index is
 * asked for.
 * @param values those of the cursor, or what stands for each of them.
 */
export function after(terms: readonly OrderTerm[], values: readonly unknown[] | undefined): RawBuilder<SqlBool> {
  const [first] = terms;
  if (values === undefined || first === undefined) return sql<SqlBool>`1 = 1`;
  if (values.length !== terms.length) throw badCursor();
  const places = terms.map(({ by, descending }, index) => {
    const equal = terms.slice(0, index).map((term, before) => sql`${term.by} = ${values[before]}`);
    const beyond = descending ? sql`${by} < ${values[index]}` : sql`${by} > ${values[index]}`;
    return sql`(${sql.join([...equal, beyond], sql` and `)})`;
  });
  const reach = first.descending ? sql`${first.by} <= ${values[0]}` : sql`${first.by} >= ${values[0]}`;
  return sql<SqlBool>`(${reach} and (${sql.join(places, sql` or `)}))`;
}

/** Writes a cursor from the columns of {@link orderColumns} in a row. */
export function cursorOf(terms: readonly OrderTerm[], row: Readonly<Record<string, unknown>>): string {
  const values = terms.map((_, index) => written(row[`o${index}`]));
  return Buffer.from(JSON.stringify(values)).toString('base64url');
}

/**
 * Reads a cursor.
 * @throws IngotError `usage` for what no answer has held.
 */
export function parseCursor(text: string | undefined): readonly OrderValue[] | undefined {
  if (text === undefined || text === '') return undefined;
  const values: unknown = parseJson(Buffer.from(text, 'base64url').toString('utf8'));
  if (Array.isArray(values) && values.every(isOrderValue)) return values.map(readBack);
  throw badCursor();
}

/** As {@link parseCursor}, of a cursor that has a value for each term. */
export function cursorFor(terms: readonly OrderTerm[], text: string): readonly OrderValue[] {
  const values = parseCursor(text);
  if (values?.length !== terms.length) throw badCursor();
  return values;
}

const INFINITE = '\u0000inf';
const MINUS_INFINITE = '\u0000-inf';

// JSON has no infinity, metrics have.
function written(value: unknown): unknown {
  if (value === Number.POSITIVE_INFINITY) return INFINITE;
  return value === Number.NEGATIVE_INFINITY ? MINUS_INFINITE : value;
}

function readBack(value: OrderValue): OrderValue {
  if (value === INFINITE) return Number.POSITIVE_INFINITY;
  return value === MINUS_INFINITE ? Number.NEGATIVE_INFINITY : value;
}

function isOrderValue(value: unknown): value is OrderValue {
  return typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value));
}

function badCursor(): IngotError {
  return new IngotError('usage', 'Invalid page token: it is not one that this search has answered with');
}
