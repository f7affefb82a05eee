/**
 * A *condition* is an expression of the search grammar that must hold of one version: `auc >= 0.95 AND stage = Staging`. A
 * bare name that is no fact of every version is a metric. *Facts* come from sources: what the log says of the version,
 * of its parents, and what other rooms know (scans, signatures), each under names of its own.
 */

import { IngotError } from '@ingot/core/errors';
import type { Expression, Join, Test, Word } from '../search/expression.ts';
import { parseExpression } from '../search/parse.ts';

/** One fact of a version. */
export type Fact = string | number | boolean;

/** What is known of a version: gives every value that a name has, none where there is none. */
export type Facts = (entity: string | undefined, key: string) => readonly Fact[];

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
  readonly expression: Expression;
}

/** Reads a condition. Throws `usage` saying where it is wrong. */
export function parseCondition(source: string): Condition {
  const expression = parseExpression(source, { complaint: 'the condition is not understood' });
  if (expression === undefined) throw new IngotError('usage', 'the condition is empty');
  refuseWords(expression);
  return { source, expression };
}

function refuseWords(expression: Expression): void {
  if (expression.kind === 'word')
    throw new IngotError('usage', `the condition has the word "${expression.text.slice(0, 40)}", and no comparison`, {
      hint: 'metrics.auc >= 0.95 AND tags.reviewed = yes',
    });
  if (expression.kind === 'not') refuseWords(expression.of);
  else if (expression.kind !== 'test') expression.of.forEach(refuseWords);
}

/** Says whether a condition holds, and if not, which of its comparisons do not. */
export function judge({ source, expression }: Condition, facts: Facts): Verdict {
  const holds = isSo(expression, facts);
  return { condition: source, holds, failing: holds ? [] : failingOf(expression, facts, true) };
}

function isSo(expression: Join<Test | Word>, facts: Facts): boolean {
  switch (expression.kind) {
    case 'all':
      return expression.of.every((part) => isSo(part, facts));
    case 'any':
      return expression.of.some((part) => isSo(part, facts));
    case 'not':
      return !isSo(expression.of, facts);
    case 'word':
      return false;
    case 'test':
      return testHolds(expression, facts(expression.entity, expression.key));
  }
}

/** The comparisons that are not as wanted, in order. */
function failingOf(expression: Join<Test | Word>, facts: Facts, wanted: boolean): Failing[] {
  if (isSo(expression, facts) === wanted) return [];
  switch (expression.kind) {
    case 'not':
      return failingOf(expression.of, facts, !wanted);
    case 'all':
    case 'any':
      return expression.of.flatMap((part) => failingOf(part, facts, wanted));
    case 'word':
      return [];
    case 'test': {
      const values = facts(expression.entity, expression.key).map((value) => String(value).slice(0, 200));
      return [{ test: `${wanted ? '' : 'not '}${testText(expression)}`, values }];
    }
  }
}

function testHolds({ operator, values }: Test, facts: readonly Fact[]): boolean {
  if (operator === 'is null') return facts.length === 0;
  if (operator === 'is not null') return facts.length > 0;
  // What is not known passes no comparison, not even one with "not".
  if (facts.length === 0) return false;
  if (operator === 'in') return values.some((value) => facts.some((fact) => compare(fact, value.text) === 0));
  if (operator === 'not in') return values.every((value) => facts.every((fact) => compare(fact, value.text) !== 0));
  const [value] = values;
  if (value === undefined) return false;
  if (operator === '!=') return facts.every((fact) => compare(fact, value.text) !== 0);
  return facts.some((fact) => holdsFor(fact, operator, value.text));
}

function holdsFor(fact: Fact, operator: Test['operator'], wanted: string): boolean {
  if (operator === 'like' || operator === 'ilike') return isLike(String(fact), wanted, operator === 'ilike');
  const order = compare(fact, wanted);
  if (order === undefined) return false;
  switch (operator) {
    case '=':
      return order === 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    default:
      return false;
  }
}

/** Numbers compare as numbers where both are; undefined where a number is compared with something else. */
function compare(fact: Fact, wanted: string): number | undefined {
  if (typeof fact === 'boolean') return String(fact) === wanted.toLowerCase() ? 0 : 1;
  const number = wanted.trim() === '' ? Number.NaN : Number(wanted);
  const given = typeof fact === 'number' ? fact : fact.trim() === '' ? Number.NaN : Number(fact);
  if (!Number.isNaN(number) && !Number.isNaN(given)) return given - number;
  if (typeof fact === 'number') return undefined;
  return fact === wanted ? 0 : fact < wanted ? -1 : 1;
}

/** `%` stands for any text, `_` for one character; walks the text once for each piece, so that no pattern is slow. */
function isLike(text: string, pattern: string, anyCase: boolean): boolean {
  const [given, wanted] = anyCase ? [text.toLowerCase(), pattern.toLowerCase()] : [text, pattern];
  let at = 0;
  let from = 0;
  let star = -1;
  let mark = 0;
  while (at < given.length) {
    if (from < wanted.length && (wanted[from] === '_' || (wanted[from] === given[at] && wanted[from] !== '%'))) {
      at += 1;
      from += 1;
    } else if (wanted[from] === '%') {
      star = from;
      mark = at;
      from += 1;
    } else if (star >= 0) {
      from = star + 1;
      mark += 1;
      at = mark;
    } else return false;
  }
  while (wanted[from] === '%') from += 1;
  return from === wanted.length;
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
