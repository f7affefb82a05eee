import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Check, Condition, Predicate, WordCheck } from './checks.ts';
import type { RowsName, RowsSource, ScalarColumn, Source } from './fields.ts';

/** Which database the words are for: they differ in how they tell upper from lower case. */
export type DatabaseKind = 'sqlite' | 'postgres';

/** A condition in SQL; never null. */
export type Where = RawBuilder<SqlBool>;

/** Tables of what a version has any number of, and the column of the key. */
export const ROW_TABLES: Readonly<Record<RowsName, { readonly table: string; readonly key: string }>> = {
  tags: { table: 'version_tags', key: 'key' },
  metrics: { table: 'version_metrics', key: 'key' },
  params: { table: 'version_params', key: 'key' },
  packages: { table: 'version_packages', key: 'package' },
  data: { table: 'version_data', key: 'name' },
  parents: { table: 'version_parents', key: 'parent' },
  files: { table: 'version_files', key: 'path' },
  aliases: { table: 'aliases', key: 'alias' },
};

/** The column that a scalar lies in, of a version `v` of a model `m`. */
export function columnOf(column: ScalarColumn): RawBuilder<unknown> {
  return column === 'name' ? sql.ref('m.name') : sql.ref(`v.${column}`);
}

/** Gives a condition on a version `v` of a model `m` in SQL; every value is a bound parameter. */
export function conditionSql(condition: Condition, kind: DatabaseKind): Where {
  switch (condition.kind) {
    case 'all':
    case 'any': {
      const parts = condition.of.map((part) => conditionSql(part, kind));
      return sql<SqlBool>`(${sql.join(parts, condition.kind === 'all' ? sql` and ` : sql` or `)})`;
    }
    case 'not':
      return sql<SqlBool>`not (${conditionSql(condition.of, kind)})`;
    case 'word':
      return wordSql(condition, kind);
    case 'check':
      return checkSql(condition, kind);
  }
}

function checkSql({ sources, predicate, isNegated }: Check, kind: DatabaseKind): Where {
  const hits = sources.map((source) => sourceSql(source, predicate, kind));
  const hit = sql<SqlBool>`(${sql.join(hits, sql` or `)})`;
  return isNegated ? sql<SqlBool>`not ${hit}` : hit;
}

function sourceSql(source: Source, predicate: Predicate, kind: DatabaseKind): Where {
  if (source.kind === 'rows')
    return sql<SqlBool>`exists (select 1 ${rowsSql(source, predicate, kind, 'of one')}
      and t.model_id = v.model_id and t.number = v.number)`;
  const column = columnOf(source.column);
  return sql<SqlBool>`(${column} is not null and ${predicateSql(column, predicate, kind)})`;
}

/**
 * `from … where …` of the rows `t` that a predicate is true of.
 * @param rowsOf whether rows of all versions are looked for, by an index of their values; or those of one version, by its
 * key: SQLite, which has no statistics, is kept from beginning with the values then.
 */
export function rowsSql(
  { rows, column, key }: RowsSource,
  predicate: Predicate,
  kind: DatabaseKind,
  rowsOf: 'of all' | 'of one' = 'of all',
): RawBuilder<unknown> {
  const { table, key: keyColumn } = ROW_TABLES[rows];
  const value = sql.ref(`t.${column}`);
  const keyed = key === undefined ? sql`` : sql`${sql.ref(`t.${keyColumn}`)} = ${key} and `;
  const from = sql`from ${sql.table(table)} as t where ${keyed}`;
  if (rowsOf === 'of one')
    return sql`${from}${predicateSql(kind === 'sqlite' ? sql`+${value}` : value, predicate, kind)}`;
  const indexed =
    rows === 'tags' && isEquality(predicate)
      ? sql`${beginning(value)} = ${beginning(sql.val(predicate.value))} and `
      : sql``;
  return sql`${from}${indexed}${predicateSql(value, predicate, kind)}`;
}

/** Whether a predicate asks for one text. */
export function isEquality(
  predicate: Predicate,
): predicate is Predicate & { readonly is: 'compared'; readonly value: string } {
  return predicate.is === 'compared' && predicate.operator === '=' && typeof predicate.value === 'string';
}

/** What the index of tags holds of a value; written as it is there. */
function beginning(value: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`substr(${value}, 1, 100)`;
}

function predicateSql(value: RawBuilder<unknown>, predicate: Predicate, kind: DatabaseKind): Where {
  switch (predicate.is) {
    case 'there':
      return sql<SqlBool>`${value} is not null`;
    case 'compared': {
      const operator = sql.raw(predicate.operator === '!=' ? '<>' : predicate.operator);
      return sql<SqlBool>`${value} ${operator} ${boundSql(predicate.value)}`;
    }
    case 'between':
      return sql<SqlBool>`(${value} >= ${predicate.from} and ${value} < ${predicate.before})`;
    case 'like':
      return likeSql(value, predicate.pattern, { ignoresCase: predicate.ignoresCase, kind });
    case 'any of':
    case 'none of': {
      const parts = predicate.of.map((each) => predicateSql(value, each, kind));
      const any = sql<SqlBool>`(${sql.join(parts, sql` or `)})`;
      return predicate.is === 'any of' ? any : sql<SqlBool>`not ${any}`;
    }
  }
}

/** Whole numbers are compared as such: columns of them are found by an index, and no database guesses a type. */
function boundSql(value: string | number): RawBuilder<unknown> {
  if (typeof value === 'string') return sql`${value}`;
  return Number.isSafeInteger(value) ? sql`cast(${value} as bigint)` : sql`cast(${value} as double precision)`;
}

/** SQLite's own LIKE knows no upper and lower case, its GLOB does. */
function likeSql(
  value: RawBuilder<unknown>,
  pattern: string,
  { ignoresCase, kind }: { readonly ignoresCase: boolean; readonly kind: DatabaseKind },
): Where {
  if (kind === 'postgres')
    return sql<SqlBool>`${value} ${sql.raw(ignoresCase ? 'ilike' : 'like')} ${pattern} escape ''`;
  return ignoresCase ? sql<SqlBool>`${value} like ${pattern}` : sql<SqlBool>`${value} glob ${globOf(pattern)}`;
}

function globOf(pattern: string): string {
  return pattern.replace(/[[*?]/g, '[$&]').replaceAll('%', '*').replaceAll('_', '?');
}

function wordSql({ text }: WordCheck, kind: DatabaseKind): Where {
  const pattern = `%${text.replace(/[\\%_]/g, '\\$&')}%`;
  const like = sql.raw(kind === 'postgres' ? 'ilike' : 'like');
  return sql<SqlBool>`(m.name ${like} ${pattern} escape '\\' or v.search_text ${like} ${pattern} escape '\\')`;
}
