import { IngotError } from '@ingot/core/errors';
import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Condition, Test } from '../../tracking/filter.ts';
import { compareKeyed, compareNumber, compareText, type Dialect, type Where } from '../../tracking/filter-sql.ts';
import { RESERVED_TAGS } from './registry-names.ts';
import { NAME, TIMES } from './registry-order.ts';

/** What of a filter is about models, `m` in the statement. Throws `usage` for what models do not have. */
export function modelTest(dialect: Dialect, test: Test): Where {
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
export function withoutPrompts(filter: Condition | undefined): Where {
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

/** What of a filter is about versions, `v` in the statement. Throws `usage` for what versions do not have. */
export function versionTest(dialect: Dialect, test: Test): Where {
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

/** Whether one name is asked for in Ingot's own words, which an index finds. */
export function isPlainName({ operator, values: [value] }: Test): boolean {
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

/** What kind of field is meant. Throws `usage`. */
export function entityOf({ entity, key }: Test): 'tag' | 'param' | 'metric' | 'alias' | 'attribute' {
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

function unknownField({ entity, key }: Test, valid: readonly string[]): IngotError {
  const name = entity === undefined ? key : `${entity}.${key}`;
  return new IngotError(
    'usage',
    `Invalid attribute key '${name.slice(0, 200)}' specified. Valid keys are ${valid.map((one) => `'${one}'`).join(', ')}, and tags as tags.KEY`,
  );
}
