import { IngotError } from '@ingot/core/errors';
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Condition, FilterValue, Operator, Test } from './filter.ts';

/** Which database the words are for: they differ in how they tell upper from lower case. */
export type Dialect = 'sqlite' | 'postgres';

/** A condition in SQL. */
export type Where = RawBuilder<SqlBool>;

/** Gives a whole condition in SQL, each of its tests by `one`. No condition lets everything through. */
export function whereOf(condition: Condition | undefined, one: (test: Test) => Where): Where {
  if (condition === undefined) return sql<SqlBool>`1 = 1`;
  if (condition.kind === 'test') return one(condition);
  if (condition.kind === 'not') return sql<SqlBool>`not (${whereOf(condition.of, one)})`;
  const parts = condition.of.map((part) => whereOf(part, one));
  return sql<SqlBool>`(${sql.join(parts, condition.kind === 'all' ? sql` and ` : sql` or `)})`;
}

const TEXT_OPERATORS: readonly Operator[] = ['=', '!=', 'like', 'ilike', 'in', 'not in', 'is null', 'is not null'];
const NUMBER_OPERATORS: readonly Operator[] = [
  '=',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  'in',
  'not in',
  'is null',
  'is not null',
];

/** Compares a text with what a test says. Throws `usage` for numbers and operators of numbers. */
export function compareText(dialect: Dialect, left: RawBuilder<unknown>, test: Test): Where {
  refuseOperator(test, TEXT_OPERATORS);
  const values = test.values.map((value) => textOf(test, value));
  const [value = ''] = values;
  if (test.operator === 'like' || test.operator === 'ilike')
    return like(dialect, left, value, test.operator === 'ilike');
  return compare(left, test.operator, values);
}

/** Compares a number with what a test says. Throws `usage` for texts and operators of texts. */
export function compareNumber(left: RawBuilder<unknown>, test: Test): Where {
  refuseOperator(test, NUMBER_OPERATORS);
  return compare(
    left,
    test.operator,
    test.values.map((value) => numberOf(test, value)),
  );
}

/**
 * Compares a value that lies in another table, under a key. A missing one is not unequal: `!=` and the like are true only
 * of one that is there; `IS NULL` asks whether it is.
 * @param rows gives the condition that there is such a row of which the given condition is true.
 */
export function compareKeyed(test: Test, rows: (of: Where) => Where, value: (test: Test) => Where): Where {
  const any = sql<SqlBool>`1 = 1`;
  if (test.operator === 'is null') return sql<SqlBool>`not ${rows(any)}`;
  if (test.operator === 'is not null') return rows(any);
  return rows(value(test));
}

function compare(left: RawBuilder<unknown>, operator: Operator, values: readonly FilterValue[]): Where {
  if (operator === 'is null') return sql<SqlBool>`${left} is null`;
  if (operator === 'is not null') return sql<SqlBool>`${left} is not null`;
  if (operator === 'in') return sql<SqlBool>`${left} in (${sql.join(values)})`;
  if (operator === 'not in') return sql<SqlBool>`${left} not in (${sql.join(values)})`;
  return sql<SqlBool>`${left} ${sql.raw(operator === '!=' ? '<>' : operator)} ${values[0]}`;
}

const MOST_WILDCARDS = 50;

/** Compares with a pattern: `%` is any text, `_` any character. SQLite's own LIKE knows no upper and lower case, its GLOB does. */
function like(dialect: Dialect, left: RawBuilder<unknown>, pattern: string, isInsensitive: boolean): Where {
  const short = pattern.replace(/%{2,}/g, '%');
  if (short.split('%').length > MOST_WILDCARDS)
    throw new IngotError('usage', `a pattern with more than ${MOST_WILDCARDS} "%" is not searched for`);
  if (dialect === 'postgres')
    return sql<SqlBool>`${left} ${sql.raw(isInsensitive ? 'ilike' : 'like')} ${short} escape ''`;
  if (isInsensitive) return sql<SqlBool>`${left} like ${short}`;
  return sql<SqlBool>`${left} glob ${globOf(short)}`;
}

function globOf(pattern: string): string {
  return pattern
    .replace(/[[\]*?]/g, '[$&]')
    .replaceAll('%', '*')
    .replaceAll('_', '?');
}

function refuseOperator({ entity, key, operator }: Test, allowed: readonly Operator[]): void {
  if (allowed.includes(operator)) return;
  const name = entity === undefined ? key : `${entity}.${key}`;
  throw new IngotError(
    'usage',
    `Invalid comparator '${operator.toUpperCase()}' for "${name}": it is not one of ${allowed.map((one) => one.toUpperCase()).join(', ')}`,
  );
}

function textOf({ entity, key }: Test, value: FilterValue): string {
  if (typeof value === 'string') return value;
  const name = entity === undefined ? key : `${entity}.${key}`;
  throw new IngotError('usage', `Expected a quoted string value for "${name}" (e.g. 'my-value'). Got value ${value}`);
}

function numberOf({ entity, key }: Test, value: FilterValue): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  const name = entity === undefined ? key : `${entity}.${key}`;
  throw new IngotError('usage', `Expected numeric value type for "${name}". Found ${String(value).slice(0, 100)}`);
}

/** One `field [ASC|DESC]` of an order. */
export interface OrderClause {
  readonly entity: string | undefined;
  readonly key: string;
  readonly descending: boolean;
}

/** Names joined by dots; what holds spaces, commas or quotes stands in quotes or backticks. */
const ORDER_FIELD = /^(?:`[^`]*`|"[^"]*"|[^.`"\s,]+)(?:\.(?:`[^`]*`|"[^"]*"|[^.`"\s,]+))*$/;

/** Reads `field [ASC|DESC]`. Throws `usage`. */
export function parseOrder(text: string): OrderClause {
  const [, field = '', direction] = /^\s*(.*?)(?:\s+(asc|desc))?\s*$/is.exec(text) ?? [];
  const parts = [...field.matchAll(/`([^`]*)`|"([^"]*)"|([^.`"]+)/g)].map(([, ticks, quotes, plain]) => {
    return ticks ?? quotes ?? plain ?? '';
  });
  const [first, ...rest] = parts;
  if (first === undefined || text.length > 1000 || !ORDER_FIELD.test(field))
    throw new IngotError('usage', `Invalid order_by clause '${text.slice(0, 200)}'. Could not be parsed.`);
  const descending = direction?.toLowerCase() === 'desc';
  if (rest.length === 0 || /^["`]/.test(field)) return { entity: undefined, key: parts.join('.'), descending };
  return { entity: first, key: rest.join('.'), descending };
}
