import { isIngotError } from '@ingot/core/errors';
import { type Check, type Condition, conditionOf } from '../search/checks.ts';
import { evaluate } from '../search/evaluate.ts';
import type { Test } from '../search/expression.ts';
import type { Facts } from '../search/facts.ts';
import type { Source } from '../search/fields.ts';
import type { ConditionFacts } from './facts.ts';
import { comparedPlainly } from './plain-facts.ts';

/** One comparison of a condition, ready to be carried out. */
export interface ConditionTest {
  readonly kind: 'condition-test';
  readonly test: Test;
  /** Undefined: what is known does not tell. */
  holds(facts: ConditionFacts): boolean | undefined;
  /** The values that were compared, for people. */
  values(facts: ConditionFacts): readonly string[];
}

/** What reading a test needs. */
export interface TestOptions {
  readonly now: Date;
  readonly sources?: readonly string[];
}

/** Facts of a version that no search knows. */
const SOURCES: readonly string[] = ['scan', 'signature'];

/**
 * Reads one comparison of a condition.
 * @throws IngotError `usage` for a field that no version has, or a value that it cannot be compared with.
 */
export function readTest(test: Test, options: TestOptions): ConditionTest {
  const { entity, key } = test;
  const { sources = [] } = options;
  const name = entity ?? key;
  if ([...SOURCES, ...sources].includes(name)) return sourceTest(test, name, entity === undefined ? '' : key);
  if (entity !== undefined && /^parents?$/i.test(entity)) return parentTest(test, options);
  if (/^parents?$/i.test(name) || entity !== undefined) return searchTest(test, options);
  return isField(test, options) ? searchTest(test, options) : bareTest(test, options);
}

function isField(test: Test, options: TestOptions): boolean {
  try {
    checkOf({ ...test, operator: 'is null', values: [] }, options);
    return true;
  } catch (error) {
    if (!isIngotError(error, 'usage')) throw error;
    return false;
  }
}

/** A comparison of search, as search has it. */
function searchTest(test: Test, options: TestOptions): ConditionTest {
  const check = checkOf(test, options);
  return {
    kind: 'condition-test',
    test,
    holds: ({ version }) => evaluate(check, version),
    values: ({ version }) => shownOf(check, version),
  };
}

/** A metric, or where the version has none of the name, the package of its environment. */
function bareTest(test: Test, options: TestOptions): ConditionTest {
  const metric = checkOf({ ...test, entity: 'metrics' }, options);
  const packaged = packageCheck(test, options);
  const chosen = ({ version }: ConditionFacts): Condition => {
    if (packaged === undefined || hasAny(metric, version) || !hasAny(packaged, version)) return metric;
    return packaged;
  };
  return {
    kind: 'condition-test',
    test,
    holds: (facts) => evaluate(chosen(facts), facts.version),
    values: (facts) => shownOf(chosen(facts), facts.version),
  };
}

function packageCheck(test: Test, options: TestOptions): Condition | undefined {
  try {
    return checkOf({ ...test, entity: 'packages' }, options);
  } catch (error) {
    // A number that is no version, like -1, is compared with metrics alone.
    if (!isIngotError(error, 'usage')) throw error;
    return undefined;
  }
}

/** True of one of the parents; `!=` and `NOT IN` of all of them. Without parents none of it is true. */
function parentTest(test: Test, options: TestOptions): ConditionTest {
  const [first = '', ...rest] = test.key.split('.');
  const inner: Test = { ...test, entity: rest.length === 0 ? undefined : first, key: rest.join('.') || first };
  const read = readTest(inner, options);
  const isOfAll = test.operator === '!=' || test.operator === 'not in';
  const each = ({ parents }: ConditionFacts): readonly ConditionFacts[] =>
    parents.map((version) => ({ version, parents: [], further: () => [] }));
  return {
    kind: 'condition-test',
    test,
    holds: (facts) => {
      const outcomes = each(facts).map((parent) => read.holds(parent) === true);
      if (test.operator === 'is null') return outcomes.every(Boolean);
      return isOfAll ? outcomes.length > 0 && outcomes.every(Boolean) : outcomes.some(Boolean);
    },
    values: (facts) => each(facts).flatMap((parent) => [...read.values(parent)]),
  };
}

/** A fact that another room tells. */
function sourceTest(test: Test, name: string, key: string): ConditionTest {
  return {
    kind: 'condition-test',
    test,
    holds: ({ further }) => comparedPlainly(test, further(name, key)),
    values: ({ further }) => further(name, key).map(String),
  };
}

function checkOf(test: Test, { now }: TestOptions): Condition {
  return conditionOf(test, { now });
}

function checksOf(condition: Condition): readonly Check[] {
  return condition.kind === 'check' ? [condition] : [];
}

function hasAny(condition: Condition, facts: Facts): boolean {
  return checksOf(condition).some(({ sources }) =>
    sources.some((source) => (facts.values(shown(source)) ?? []).length > 0),
  );
}

/** The values that a check compares, as people wrote them. */
function shownOf(condition: Condition, facts: Facts): readonly string[] {
  return checksOf(condition).flatMap(({ sources }) =>
    sources.flatMap((source) => {
      const values = facts.values(shown(source));
      if (values === undefined) return ['not known yet'];
      if (values.length > 0 && isPinAsked(source) && (facts.values(source) ?? []).length === 0) return ['not pinned'];
      return values.map((value) => textOf(source, value));
    }),
  );
}

function isPinAsked(source: Source): boolean {
  return source.kind === 'rows' && source.rows === 'packages' && source.column === 'sort_key';
}

/** What people see instead of the column that sorts. */
function shown(source: Source): Source {
  if (source.kind === 'scalar') return source;
  if (source.column === 'number_value') return { ...source, column: 'value' };
  return source.column === 'sort_key' ? { ...source, column: 'pin' } : source;
}

const TRUTHS: ReadonlySet<string> = new Set(['git_dirty', 'executes_code']);

function textOf(source: Source, value: string | number): string {
  return TRUTHS.has(source.column) ? String(value === 1) : String(value);
}
