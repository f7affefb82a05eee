import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Database } from '../../database/database.ts';
import type { Check } from '../../search/checks.ts';
import { driversIn, isFew } from '../../search/driver.ts';
import { type Condition, parseFilter } from '../../tracking/filter.ts';
import { type Dialect, whereOf } from '../../tracking/filter-sql.ts';
import {
  after,
  cursorFor,
  cursorOf,
  orderBy,
  orderColumns,
  type OrderTerm,
  parseCursor,
} from '../../tracking/keyset.ts';
import type { Found, SearchPage } from '../../tracking/search-experiments.ts';
import { entityOf, isPlainName, modelTest, versionTest, withoutPrompts } from './registry-conditions.ts';
import { modelOrder, versionOrder } from './registry-order.ts';
import type { ModelCells } from './registry-rows.ts';
import { compiled, Slot, type Statement } from './statements.ts';
import type { VersionPlace } from './version-texts.ts';

type Index = Pick<Database, 'kind' | 'index'>;
type Page = Omit<SearchPage, 'lifecycle'>;

/** Searches models by name, tags and aliases; by name, unless it is said otherwise. Throws `usage`. */
export async function searchModels(database: Index, page: Page): Promise<Found<ModelCells>> {
  const filter = parseFilter(page.filter);
  const where = sql<SqlBool>`${whereOf(filter, (test) => modelTest(database.kind, test))} and ${withoutPrompts(filter)}`;
  const terms = modelOrder(page.orderBy ?? []);
  const { rows } = await sql<ModelCells & Record<string, unknown>>`
    select m.id, m.name, m.created_at, m.updated_at, m.description, ${orderColumns(terms)} from models as m
    where m.closed = 0 and m.name is not null and ${where} and ${after(terms, parseCursor(page.cursor))}
    order by ${orderBy(terms)} limit ${page.limit + 1}`.execute(database.index);
  return pageOf(rows, terms, page.limit);
}

/** Searches versions that are not deleted; what changed last comes first, unless it is said otherwise. Throws `usage`. */
export async function searchVersions(database: Index, page: Page): Promise<Found<VersionPlace>> {
  const { filter, orderBy: order = [], cursor, limit } = page;
  const isFirst = cursor === undefined || cursor === '';
  const search = compiledSearch(database, { filter, order, isFirst });
  const values = isFirst ? [] : cursorFor(search.terms, cursor);
  const rows = await search.page(database, [...values, limit + 1]);
  if (rows.length <= limit) return { items: rows };
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const [place] = last === undefined ? [] : await search.place(database, [last.model_id, last.number]);
  // Its row is gone when the index is just written anew: what is there now is the answer.
  return place === undefined ? searchVersions(database, page) : { items, next: cursorOf(search.terms, place) };
}

interface SearchText {
  readonly filter: string | undefined;
  readonly order: readonly string[];
  /** Whether there is no cursor. */
  readonly isFirst: boolean;
}

interface CompiledSearch {
  readonly terms: readonly OrderTerm[];
  /** The rows of a page, by the values of the cursor and the limit. */
  readonly page: (database: Index, values: readonly unknown[]) => Promise<readonly VersionPlace[]>;
  /** What a cursor is made from, by a version's model and number. */
  readonly place: Statement<Record<string, unknown>>;
}

const SEARCHES_KEPT = 200;
const LONGEST_KEPT = 2000;
const PAGES_A_COUNT = 32;
const searches = new Map<string, CompiledSearch>();

/** The statements of a search, which are made once for what is asked again. */
function compiledSearch(database: Index, text: SearchText): CompiledSearch {
  const key = `${database.kind} ${JSON.stringify([text.filter, text.order, text.isFirst])}`;
  const known = searches.get(key);
  if (known !== undefined) return known;
  const made = compileSearch(database, text);
  const [oldest] = searches.keys();
  if (searches.size >= SEARCHES_KEPT && oldest !== undefined) searches.delete(oldest);
  if (key.length <= LONGEST_KEPT) searches.set(key, made);
  return made;
}

function compileSearch(database: Index, { filter, order, isFirst }: SearchText): CompiledSearch {
  const { kind } = database;
  const condition = parseFilter(filter);
  const where = sql<SqlBool>`${whereOf(condition, (test) => versionTest(kind, test))} and ${withoutPrompts(condition)}`;
  const terms = versionOrder(order);
  const cursor = isFirst ? undefined : terms.map((_, at) => new Slot(at));
  const limit = new Slot(isFirst ? 0 : terms.length);
  const pageFrom = (from: RawBuilder<unknown>): Statement<VersionPlace> =>
    compiled(
      database,
      sql<VersionPlace>`select v.model_id, v.number, v.changed_seq from ${from}
        where v.status <> 'deleted' and m.closed = 0 and ${where} and ${after(terms, cursor)}
        order by ${orderBy(terms)} limit ${limit}`,
    );
  const inOrder = pageFrom(tablesFor(kind, condition));
  const beginnings = equalTags(condition)
    .flatMap((check) => driversIn(kind, check))
    .map(({ count, from }) => ({
      count: compiled(database, count),
      page: pageFrom(sql`${from} cross join models as m on m.id = v.model_id`),
    }));
  const beginning = async (at: Index): Promise<Statement<VersionPlace>> => {
    for (const { count, page } of beginnings) if (isFew(await count(at, []))) return page;
    return inOrder;
  };
  let pages = 0;
  let chosen = inOrder;
  return {
    terms,
    page: async (at, values) => {
      // Either finds the same: which is quicker is not asked for each page.
      if (beginnings.length > 0 && pages++ % PAGES_A_COUNT === 0) chosen = await beginning(at);
      return chosen(at, values);
    },
    place: compiled(
      database,
      sql<
        Record<string, unknown>
      >`select ${orderColumns(terms)} from versions as v join models as m on m.id = v.model_id
        where v.model_id = ${new Slot(0)} and v.number = ${new Slot(1)}`,
    ),
  };
}

/** The order of the joins is said, for a database that counts wrong. */
function tablesFor(kind: Dialect, condition: Condition | undefined): RawBuilder<unknown> {
  if (kind === 'postgres') return sql`versions as v join models as m on m.id = v.model_id`;
  const isOfModel = partsOf(condition).some((part) => part.kind === 'test' && part.key === 'name' && isPlainName(part));
  return isOfModel
    ? sql`models as m cross join versions as v on v.model_id = m.id`
    : sql`versions as v cross join models as m on m.id = v.model_id`;
}

function partsOf(condition: Condition | undefined): readonly Condition[] {
  if (condition === undefined) return [];
  return condition.kind === 'all' ? condition.of : [condition];
}

/** Tags that must have one value, as the native search has them: few versions may. */
function equalTags(condition: Condition | undefined): readonly Check[] {
  return partsOf(condition).flatMap((part): Check[] => {
    if (part.kind !== 'test' || part.operator !== '=' || entityOf(part) !== 'tag') return [];
    const [value] = part.values;
    if (typeof value !== 'string') return [];
    const source = { kind: 'rows', rows: 'tags', column: 'value', key: part.key } as const;
    return [
      { kind: 'check', sources: [source], predicate: { is: 'compared', operator: '=', value }, isNegated: false },
    ];
  });
}

function pageOf<Row extends Record<string, unknown>>(
  rows: readonly Row[],
  terms: readonly OrderTerm[],
  limit: number,
): Found<Row> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return rows.length > limit && last !== undefined ? { items, next: cursorOf(terms, last) } : { items };
}
