/**
 * A *condition* is an expression of the search grammar that must hold of one version: `auc >= 0.95 AND stage = Staging`.
 * Its fields are those of search. A bare name that is none of them is a metric, or the package of that name; some facts
 * come from sources besides (scans, signatures), and `parents.` asks of the versions that one was made from.
 */

import { IngotError } from '@ingot/core/errors';
import type { Expression, Join, Test, Word } from '../search/expression.ts';
import { parseExpression } from '../search/parse.ts';
import { type ConditionTest, readTest } from './condition-test.ts';
import type { ConditionFacts } from './facts.ts';

/** A comparison of a condition that does not hold. */
export interface Failing {
  /** `metrics.auc >= 0.95`. */
  readonly test: string;
  /** The values that it has, as text; empty: it has none. */
  readonly values: readonly string[];
}

/** What became of a condition. */
export interface Verdict {
  readonly condition: string;
  readonly holds: boolean;
  /** The comparisons that keep it from holding; none when it holds. */
  readonly failing: readonly Failing[];
}

/** A condition that was read. */
export interface Condition {
  readonly source: string;
  readonly tests: Join<ConditionTest>;
}

/** What reading a condition needs. */
export interface ConditionOptions {
  /** What `-30d` counts from. */
  readonly now: Date;
  /** Names of facts besides those of search. Default: `scan`, `signature`. */
  readonly sources?: readonly string[];
}

/** Reads a condition. Throws `usage` saying where it is wrong. */
export function parseCondition(source: string, options: ConditionOptions): Condition {
  const expression = parseExpression(source, { complaint: 'the condition is not understood' });
  if (expression === undefined) throw new IngotError('usage', 'the condition is empty');
  return { source, tests: testsOf(expression, options) };
}

function testsOf(expression: Expression, options: ConditionOptions): Join<ConditionTest> {
  switch (expression.kind) {
    case 'all':
    case 'any':
      return { kind: expression.kind, of: expression.of.map((part) => testsOf(part, options)) };
    case 'not':
      return { kind: 'not', of: testsOf(expression.of, options) };
    case 'word':
      throw wordRefused(expression);
    case 'test':
      return readTest(expression, options);
  }
}

function wordRefused({ text }: Word): IngotError {
  return new IngotError('usage', `the condition has the word "${text.slice(0, 40)}", and no comparison`, {
    hint: 'metrics.auc >= 0.95 AND tags.reviewed = yes',
  });
}

/** Says whether a condition holds, and if not, which of its comparisons do not. What is not known does not hold. */
export function judge({ source, tests }: Condition, facts: ConditionFacts): Verdict {
  const holds = isSo(tests, facts) === true;
  return { condition: source, holds, failing: holds ? [] : failingOf(tests, facts, true) };
}

/** Undefined: what is known does not tell. */
function isSo(tests: Join<ConditionTest>, facts: ConditionFacts): boolean | undefined {
  switch (tests.kind) {
    case 'all':
    case 'any': {
      const deciding = tests.kind === 'any';
      const outcomes = tests.of.map((part) => isSo(part, facts));
      if (outcomes.includes(deciding)) return deciding;
      return outcomes.includes(undefined) ? undefined : !deciding;
    }
    case 'not': {
      const inner = isSo(tests.of, facts);
      return inner === undefined ? undefined : !inner;
    }
    case 'condition-test':
      return tests.holds(facts);
  }
}

/** The comparisons that are not as wanted, in order. */
function failingOf(tests: Join<ConditionTest>, facts: ConditionFacts, wanted: boolean): Failing[] {
  if (isSo(tests, facts) === wanted) return [];
  switch (tests.kind) {
    case 'not':
      return failingOf(tests.of, facts, !wanted);
    case 'all':
    case 'any':
      return tests.of.flatMap((part) => failingOf(part, facts, wanted));
    case 'condition-test': {
      const values = tests.values(facts).map((value) => value.slice(0, 200));
      return [{ test: `${wanted ? '' : 'not '}${testText(tests.test)}`, values }];
    }
  }
}

function testText({ entity, key, operator, values }: Test): string {
  const field = entity === undefined ? key : `${entity}.${key}`;
  const texts = values.map(({ text, isQuoted }) => (isQuoted ? `'${text}'` : text));
  const list = operator === 'in' || operator === 'not in';
  return [field, operator, list ? `(${texts.join(', ')})` : texts.join('')].filter((part) => part !== '').join(' ');
}

/** Tells a failure to people: `metrics.auc >= 0.95, and it is 0.91`. */
export function failureText({ test, values }: Failing): string {
  return `${test}, and it ${values.length === 0 ? 'has none' : `is ${values.slice(0, 5).join(', ')}`}`;
}
