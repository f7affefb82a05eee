import { IngotError } from '@ingot/core/errors';
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Database } from '../database/database.ts';
import type { Condition } from './checks.ts';
import { conditionSql } from './condition-sql.ts';
import { driverOf } from './driver.ts';
import { type FoundVersion, foundVersions, FOUND_CELLS, type FoundCells } from './found-version.ts';
import { after, cursorOf, orderBy, orderColumns, orderSql, parseCursor } from './order-sql.ts';
import { planOf } from './plan.ts';

/** What is searched for. */
export interface VersionSearch {
  /** Default: everything. */
  readonly filter?: string | undefined;
  /** Default: what was published last comes first. */
  readonly sort?: string | undefined;
  /** Where the page before has ended. */
  readonly cursor?: string | undefined;
  readonly limit: number;
  /** Ids of the models that may be read; undefined: of all. */
  readonly readable: readonly string[] | undefined;
  /** What `-7d` counts from. */
  readonly now: Date;
}

/** A page of what was found. */
export interface FoundPage {
  readonly items: readonly FoundVersion[];
  /** The cursor of the next page; none: this was the last. */
  readonly next?: string;
}

type Index = Pick<Database, 'kind' | 'index'>;

/**
 * Searches versions. Deleted ones are found only where the filter names `status`.
 * @throws IngotError `usage` for a filter, order or cursor that is not understood.
 */
export async function searchVersions(database: Index, search: VersionSearch): Promise<FoundPage> {
  const plan = planOf(search);
  const { terms, joins } = orderSql(plan.sort);
  const position = parseCursor(terms, search.cursor, search);
  const driver = plan.condition && (await driverOf(database, plan.condition));
  const wheres: RawBuilder<unknown>[] = [
    sql`m.closed = 0 and m.name is not null`,
    plan.showsDeleted ? sql`1 = 1` : sql`v.status <> 'deleted'`,
    plan.condition === undefined ? sql`1 = 1` : conditionSql(plan.condition, database.kind),
    readableSql(search.readable, database.kind),
    after(terms, position),
  ];
  const { rows } = await sql<FoundCells & Record<string, unknown>>`
    select ${FOUND_CELLS}, ${orderColumns(terms)}
    from ${beginningOf(database, plan.condition, driver)} ${joins}
    where ${sql.join(wheres, sql` and `)}
    order by ${orderBy(terms)} limit ${search.limit + 1}`.execute(database.index);
  const shown = rows.slice(0, search.limit);
  const last = shown.at(-1);
  const items = await foundVersions(database, shown);
  return rows.length > search.limit && last !== undefined ? { items, next: cursorOf(terms, last, search) } : { items };
}

/** Tables in the order in which they are gone through, which a cross join of SQLite keeps: it has no statistics. */
function beginningOf(
  { kind }: Index,
  condition: Condition | undefined,
  driver: RawBuilder<unknown> | undefined,
): RawBuilder<unknown> {
  if (kind === 'postgres') return sql`versions as v join models as m on m.id = v.model_id`;
  if (driver !== undefined) return sql`${driver} cross join models as m on m.id = v.model_id`;
  if (condition !== undefined && namesModel(condition))
    return sql`models as m cross join versions as v on v.model_id = m.id`;
  return sql`versions as v cross join models as m on m.id = v.model_id`;
}

function namesModel(condition: Condition): boolean {
  const parts = condition.kind === 'all' ? condition.of : [condition];
  return parts.some((part) => {
    const [source] = part.kind === 'check' && !part.isNegated ? part.sources : [];
    return source?.kind === 'scalar' && source.column === 'name';
  });
}

const MOST_READABLE = 100_000;

function readableSql(readable: VersionSearch['readable'], kind: Index['kind']): RawBuilder<SqlBool> {
  if (readable === undefined) return sql<SqlBool>`1 = 1`;
  if (readable.length > MOST_READABLE)
    throw new IngotError('overloaded', `search goes through ${MOST_READABLE} models of single grants at most`);
  const ids = JSON.stringify(readable);
  return kind === 'sqlite'
    ? sql<SqlBool>`v.model_id in (select value from json_each(${ids}))`
    : sql<SqlBool>`v.model_id in (select json_array_elements_text(${ids}::json))`;
}
