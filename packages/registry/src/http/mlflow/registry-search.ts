import { IngotError } from '@ingot/core/errors';
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Database } from '../../database/database.ts';
import type { Check } from '../../search/checks.ts';
import { driversIn, isFew } from '../../search/driver.ts';
import { type Condition, parseFilter, type Test } from '../../tracking/filter.ts';
import {
  compareKeyed,
  compareNumber,
  compareText,
  type Dialect,
  type OrderClause,
  parseOrder,
  type Where,
  whereOf,
} from '../../tracking/filter-sql.ts';
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
import { RESERVED_TAGS } from './registry-names.ts';
import type { ModelCells } from './registry-rows.ts';
import { compiled, Slot, type Statement } from './statements.ts';
import type { VersionPlace } from './version-texts.ts';

type Index = Pick<Database, 'kind' | 'index'>;
type Page = Omit<SearchPage, 'lifecycle'>;

const NAME = sql`coalesce((
  select d.value from model_tags as d where d.model_id = m.id and d.key = ${RESERVED_TAGS.displayName}), m.name)`;

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

function modelTest(dialect: Dialect, test: Test): Where {
  const entity = entityOf(test);
  if (entity === 'tag') {
    const rows = (of: Where): Where =>
      sql<SqlBool>`exists (select 1 from model_tags as t where t.model_id = m.id and t.key = ${test.key} and ${of})`;
    return isNoPrompt(test)
      ? notEqual(rows, test)
      : compareKeyed(test, rows, (one) => compareText(dialect, sql.ref('t.value'), one));
  }
  if (entity === 'alias' || test.key === 'alias') {
    const rows = (of: Where): Where =>
      sql<SqlBool>`exists (select 1 from aliases as a where a.model_id = m.id and ${of})`;
    return compareKeyed(test, rows, (one) => compareText(dialect, sql.ref('a.alias'), one));
  }
  if (test.key === 'name') return nameTest(dialect, test);
  const column = TIMES.get(test.key);
  if (column !== undefined) return timeTest(sql.ref(`m.${column}`), test);
  throw unknownField(test, ['name', 'creation_timestamp', 'last_updated_timestamp', 'alias']);
}

/** Newer clients ask for this with every search of models: also of what has no such tag. */
const PROMPT_TAG = 'mlflow.prompt.is_prompt';

/** Prompts are found only by who names their tag: to others, models are models. */
function withoutPrompts(filter: Condition | undefined): Where {
  return filter !== undefined && names(filter, PROMPT_TAG)
    ? sql<SqlBool>`1 = 1`
    : sql<SqlBool>`m.id not in (select p.model_id from model_tags as p where p.key = ${PROMPT_TAG} and p.value = 'true')`;
}

function names(condition: Condition, key: string): boolean {
  switch (condition.kind) {
    case 'test':
      return condition.key === key;
    case 'not':
      return names(condition.of, key);
    default:
      return condition.of.some((one) => names(one, key));
  }
}

function isNoPrompt({ key, operator }: Test): boolean {
  return key === PROMPT_TAG && operator === '!=';
}

function notEqual(rows: (of: Where) => Where, { values }: Test): Where {
  return sql<SqlBool>`not ${rows(sql<SqlBool>`t.value = ${values[0]}`)}`;
}

const VERSION_TEXTS = new Map([
  ['run_id', sql`coalesce(v.run, '')`],
  ['current_stage', sql`coalesce(v.stage, 'None')`],
  ['stage', sql`coalesce(v.stage, 'None')`],
  ['description', sql`coalesce(v.description, '')`],
  ['flavor', sql.ref('v.flavor')],
  ['author', sql.ref('v.author')],
]);

const TIMES = new Map([
  ['creation_timestamp', 'created_at'],
  ['last_updated_timestamp', 'updated_at'],
  ['timestamp', 'updated_at'],
]);

function versionTest(dialect: Dialect, test: Test): Where {
  const entity = entityOf(test);
  if (entity === 'tag')
    return versionRows('version_tags', test, (one) => compareText(dialect, sql.ref('t.value'), one));
  if (entity === 'param') return versionRows('version_params', test, (one) => paramTest(dialect, one));
  if (entity === 'metric') return versionRows('version_metrics', test, (one) => compareNumber(sql.ref('t.value'), one));
  switch (test.key) {
    case 'name':
      return nameTest(dialect, test);
    case 'version_number':
    case 'version':
      return compareNumber(sql.ref('v.number'), wholeNumbers(test));
    case 'source_path':
    case 'source':
      return versionRows('version_tags', { ...test, key: RESERVED_TAGS.source }, (one) =>
        compareText(dialect, sql.ref('t.value'), one),
      );
    case 'alias':
    case 'aliases':
      return compareKeyed(
        test,
        (of) => sql<SqlBool>`exists (
          select 1 from aliases as a where a.model_id = v.model_id and a.number = v.number and ${of})`,
        (one) => compareText(dialect, sql.ref('a.alias'), one),
      );
    case 'creation_timestamp':
      return timeTest(sql.ref('v.published_at'), test);
    case 'last_updated_timestamp':
      return timeTest(sql.ref('v.updated_at'), test);
    default: {
      const text = VERSION_TEXTS.get(test.key);
      // An index serves the run that is asked for by its name.
      if (test.key === 'run_id' && (test.operator === '=' || test.operator === 'in') && !test.values.includes(''))
        return compareText(dialect, sql.ref('v.run'), test);
      if (text !== undefined) return compareText(dialect, text, test);
      throw unknownField(test, [
        'version_number',
        'run_id',
        'name',
        'source_path',
        ...VERSION_TEXTS.keys(),
        ...TIMES.keys(),
      ]);
    }
  }
}

function versionRows(table: string, test: Test, value: (test: Test) => Where): Where {
  const rows = (of: Where): Where => sql<SqlBool>`exists (select 1 from ${sql.table(table)} as t
    where t.model_id = v.model_id and t.number = v.number and t.key = ${test.key} and ${of})`;
  return isNoPrompt(test) ? notEqual(rows, test) : compareKeyed(test, rows, value);
}

function paramTest(dialect: Dialect, test: Test): Where {
  const isNumber = test.values.some((value) => typeof value === 'number');
  return isNumber ? compareNumber(sql.ref('t.number_value'), test) : compareText(dialect, sql.ref('t.value'), test);
}

/** A name is asked for as it was given; one that was given in Ingot's words is found by an index. */
function nameTest(dialect: Dialect, test: Test): Where {
  return isPlainName(test) ? sql<SqlBool>`m.name = ${test.values[0]}` : compareText(dialect, NAME, test);
}

function isPlainName({ operator, values: [value] }: Test): boolean {
  return operator === '=' && typeof value === 'string' && /^[A-Za-z0-9._/-]+$/.test(value);
}

/** Times lie as ISO 8601 in UTC, which sorts as they do; MLflow writes milliseconds. */
function timeTest(column: RawBuilder<unknown>, test: Test): Where {
  const values = test.values.map((value) => (typeof value === 'number' ? isoOf(value) : value));
  if (values.some((value, at) => value === test.values[at])) return compareNumber(column, test);
  const [first = ''] = values;
  switch (test.operator) {
    case 'is null':
      return sql<SqlBool>`${column} is null`;
    case 'is not null':
      return sql<SqlBool>`${column} is not null`;
    case 'in':
      return sql<SqlBool>`${column} in (${sql.join(values)})`;
    case 'not in':
      return sql<SqlBool>`${column} not in (${sql.join(values)})`;
    case 'like':
    case 'ilike':
      return compareNumber(column, test);
    default:
      return sql<SqlBool>`${column} ${sql.raw(test.operator === '!=' ? '<>' : test.operator)} ${first}`;
  }
}

const LATEST_MS = 8.64e15;

function isoOf(ms: number): string {
  const inRange = Math.max(0, Math.min(LATEST_MS, Math.trunc(ms)));
  const iso = new Date(inRange).toISOString();
  // Years beyond 9999 are written with a sign; everything that there is comes before them.
  return iso.startsWith('+') ? '9999-12-31T23:59:59.999Z' : iso;
}

function wholeNumbers(test: Test): Test {
  const values = test.values.map((value) =>
    typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value,
  );
  const wrong = values.find((value) => !Number.isInteger(value));
  if (wrong === undefined) return { ...test, values };
  throw new IngotError(
    'usage',
    `Expected numeric value type for numeric attribute: ${test.key}. Found ${String(wrong).slice(0, 100)}`,
  );
}

function entityOf({ entity, key }: Test): 'tag' | 'param' | 'metric' | 'alias' | 'attribute' {
  switch (entity?.toLowerCase()) {
    case undefined:
    case 'attribute':
    case 'attributes':
      return 'attribute';
    case 'tag':
    case 'tags':
      return 'tag';
    case 'param':
    case 'params':
      return 'param';
    case 'metric':
    case 'metrics':
      return 'metric';
    default:
      throw new IngotError(
        'usage',
        `Invalid entity type '${String(entity).slice(0, 100)}' of '${key.slice(0, 100)}'. Valid values are ['attribute', 'tag', 'param', 'metric']`,
      );
  }
}

function modelOrder(clauses: readonly string[]): readonly OrderTerm[] {
  const terms = ordered(clauses, (key) => {
    if (key === 'name') return NAME;
    const column = TIMES.get(key);
    return column === undefined ? undefined : sql.ref(`m.${column}`);
  });
  return [...terms, { by: NAME }, { by: sql.ref('m.id') }];
}

function versionOrder(clauses: readonly string[]): readonly OrderTerm[] {
  const terms = ordered(clauses, (key) => {
    if (key === 'name') return NAME;
    if (key === 'version_number' || key === 'version') return sql.ref('v.number');
    if (key === 'creation_timestamp') return sql.ref('v.published_at');
    return key === 'last_updated_timestamp' ? sql.ref('v.updated_at') : undefined;
  });
  const first = terms.length === 0 ? [{ by: sql.ref('v.updated_at'), descending: true }] : terms;
  return [
    ...first,
    { by: sql.ref('m.name') },
    { by: sql.ref('v.number'), descending: true },
    { by: sql.ref('v.model_id') },
  ];
}

function ordered(
  clauses: readonly string[],
  columnOf: (key: string) => RawBuilder<unknown> | undefined,
): readonly OrderTerm[] {
  const given = clauses.map(parseOrder);
  const twice = given.findIndex(({ key }, at) => given.findIndex((other) => other.key === key) !== at);
  if (twice >= 0)
    throw new IngotError('usage', `\`order_by\` contains duplicate fields: ${(clauses[twice] ?? '').slice(0, 200)}`);
  return given.map(({ key, entity, descending }: OrderClause) => {
    const by = columnOf(key);
    if (by === undefined)
      throw new IngotError(
        'usage',
        `Invalid order by key '${(entity === undefined ? key : `${entity}.${key}`).slice(0, 200)}' specified. Valid keys are 'name', 'version_number', 'creation_timestamp', 'last_updated_timestamp' (of models: 'name', 'timestamp', 'last_updated_timestamp')`,
      );
    return { by, descending };
  });
}

function unknownField({ entity, key }: Test, valid: readonly string[]): IngotError {
  const name = entity === undefined ? key : `${entity}.${key}`;
  return new IngotError(
    'usage',
    `Invalid attribute key '${name.slice(0, 200)}' specified. Valid keys are ${valid.map((one) => `'${one}'`).join(', ')}, and tags as tags.KEY`,
  );
}
