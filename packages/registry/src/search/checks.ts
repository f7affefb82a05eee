/**
 * A *check* is a test whose field is known and whose values were read: what the database is asked and what is evaluated
 * in memory are made from the same checks, so both mean the same. A check has two outcomes: where a version has no
 * value, no comparison with it is true, also not `!=`.
 */

import { IngotError } from '@ingot/core/errors';
import { storable } from '../index/storable.ts';
import { versionSortKey } from '../index/version-sort-key.ts';
import type { Expression, Join, Operator, Test, Value, Word } from './expression.ts';
import { type Field, fieldOf, type Source } from './fields.ts';
import { parseTruth } from './parse-truth.ts';
import { checkPattern } from './pattern.ts';
import { parseSize } from './sizes.ts';
import { parseSpan } from './times.ts';

/** How one value is judged. */
export type Predicate =
  /** There is a value. */
  | { readonly is: 'there' }
  | {
      readonly is: 'compared';
      readonly operator: '=' | '!=' | '<' | '<=' | '>' | '>=';
      readonly value: string | number;
    }
  /** Not below `from`, and below `before`. */
  | { readonly is: 'between'; readonly from: string; readonly before: string }
  | { readonly is: 'like'; readonly pattern: string; readonly ignoresCase: boolean }
  | { readonly is: 'any of' | 'none of'; readonly of: readonly Predicate[] };

/** True when the predicate is true of a value of one of the sources; negated: when it is true of none. */
export interface Check {
  readonly kind: 'check';
  readonly sources: readonly Source[];
  readonly predicate: Predicate;
  readonly isNegated: boolean;
}

/** A word, its letters in lower case as far as they are ASCII. */
export interface WordCheck {
  readonly kind: 'word';
  readonly text: string;
}

/** A search that is ready to be carried out. */
export type Condition = Join<Check | WordCheck>;

/** What reading a search needs. */
export interface CheckOptions {
  /** What `-7d` counts from. */
  readonly now: Date;
}

const WORD_LENGTH = 1000;

/**
 * Reads the values of a search.
 * @throws IngotError `usage` for a field that no version has, or a value or operator that it cannot be compared with.
 */
export function conditionOf(expression: Expression, options: CheckOptions): Condition {
  switch (expression.kind) {
    case 'all':
    case 'any':
      return { kind: expression.kind, of: expression.of.map((part) => conditionOf(part, options)) };
    case 'not':
      return { kind: 'not', of: conditionOf(expression.of, options) };
    case 'word':
      return wordCheck(expression);
    case 'test':
      return checkOf(expression, fieldOf(expression), options);
  }
}

/** ASCII letters in lower case, others as they are: as both databases compare them. */
export function folded(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function wordCheck({ text, at }: Word): WordCheck {
  if (text.length > WORD_LENGTH)
    throw new IngotError('usage', `a text of ${text.length} characters is not searched for (character ${at + 1})`);
  return { kind: 'word', text: folded(storable(text)) };
}

function checkOf(test: Test, field: Field, options: CheckOptions): Check {
  const { operator } = test;
  const check = (predicate: Predicate, isNegated = false): Check => {
    const sources = field.sources.map((source) => readAs(source, predicate, test));
    return { kind: 'check', sources, predicate, isNegated };
  };
  if (operator === 'is null') return check({ is: 'there' }, true);
  if (operator === 'is not null') return check({ is: 'there' });
  if (operator === 'like' || operator === 'ilike') return check(likeOf(test, field));
  const typed = { test, field, now: options.now };
  if (operator === 'in' || operator === 'not in') {
    const oneOf = { is: 'any of', of: test.values.map((value) => comparison(typed, '=', value)) } as const;
    if (operator === 'in') return check(oneOf);
    return field.isSet ? check(oneOf, true) : check(negated(oneOf));
  }
  const [value] = test.values;
  if (value === undefined) throw new TypeError('a comparison has a value');
  if (operator === '!=' && field.isSet) return check(comparison(typed, '=', value), true);
  return check(comparison(typed, operator, value));
}

/** Params lie as texts and, where they are any, as numbers; pins of packages as they were written and as they sort. */
function readAs(source: Source, { is }: Predicate, { values }: Test): Source {
  if (source.kind === 'scalar' || is === 'like') return source;
  if (source.rows === 'packages' && source.key !== undefined)
    return { ...source, column: is === 'there' ? 'package' : 'sort_key' };
  if (source.rows === 'params' && is !== 'there' && allNumbers(values)) return { ...source, column: 'number_value' };
  return source;
}

function allNumbers(values: Test['values']): boolean {
  return values.every(({ number }) => number !== undefined);
}

type Compared = Exclude<Operator, 'in' | 'not in' | 'like' | 'ilike' | 'is null' | 'is not null'>;

interface Typed {
  readonly test: Test;
  readonly field: Field;
  readonly now: Date;
}

function comparison(typed: Typed, operator: Compared, value: Value): Predicate {
  const { field } = typed;
  const compared = (given: string | number): Predicate => ({ is: 'compared', operator, value: given });
  switch (field.type) {
    case 'text':
      return compared(textOf(typed, value));
    case 'number':
      return compared(value.number ?? wrongValue(typed, value, 'a number'));
    case 'size':
      return compared(parseSize(value) ?? wrongValue(typed, value, 'a size: 4096, 10MB, 1.5GiB'));
    case 'truth':
      if (operator !== '=' && operator !== '!=') throw wrongOperator(typed, ['=', '!=', 'IN', 'IS NULL']);
      return compared(parseTruth(value) ?? wrongValue(typed, value, 'true or false'));
    case 'hash':
      if (operator !== '=' && operator !== '!=') throw wrongOperator(typed, ['=', '!=', 'IN', 'LIKE', 'IS NULL']);
      return hashPredicate(operator, storable(value.text));
    case 'time': {
      const span = parseSpan(value, typed.now);
      return spanPredicate(span ?? wrongValue(typed, value, 'a time: 2026-01-31, 2026-01-31T10:00:00Z, -7d'), operator);
    }
    case 'version':
      return compared(versionSortKey(value.text) ?? wrongValue(typed, value, 'a version: 1.5, 2.0rc1'));
  }
}

function textOf(typed: Typed, value: Value): string | number {
  const [source] = typed.field.sources;
  const isParam = source?.kind === 'rows' && source.rows === 'params';
  return isParam && allNumbers(typed.test.values) && value.number !== undefined ? value.number : storable(value.text);
}

const FULL_DIGEST = /^sha256:[0-9a-f]{64}$/;
const SHORTEST_HASH = 4;

/** A hash is known by its beginning; `sha256:` may be left out. */
function hashPredicate(operator: '=' | '!=', text: string): Predicate {
  const lower = text.toLowerCase();
  if (FULL_DIGEST.test(lower)) return { is: 'compared', operator, value: lower };
  const isHex = /^(?:sha256:)?[0-9a-f]+$/.test(lower) && lower.replace('sha256:', '').length >= SHORTEST_HASH;
  if (!isHex) return { is: 'compared', operator, value: text };
  const begins = lower.startsWith('sha256:') ? [lower] : [lower, `sha256:${lower}`];
  // Hexadecimal digits come before `g`.
  const equal: Predicate = { is: 'any of', of: begins.map((from) => ({ is: 'between', from, before: `${from}g` })) };
  return operator === '=' ? equal : negated(equal);
}

/** True of a value of which the other is not. */
function negated(predicate: Predicate): Predicate {
  return { is: 'none of', of: [predicate] };
}

/** A day is all of it: after it is from the next day on. */
function spanPredicate(
  { from, before }: { readonly from: string; readonly before: string },
  operator: Compared,
): Predicate {
  switch (operator) {
    case '=':
      return { is: 'between', from, before };
    case '!=':
      return negated({ is: 'between', from, before });
    case '<':
      return { is: 'compared', operator: '<', value: from };
    case '<=':
      return { is: 'compared', operator: '<', value: before };
    case '>':
      return { is: 'compared', operator: '>=', value: before };
    case '>=':
      return { is: 'compared', operator: '>=', value: from };
  }
}

function likeOf(test: Test, field: Field): Predicate {
  const [value] = test.values;
  if (value === undefined) throw new TypeError('a comparison has a value');
  const typed = { test, field };
  if (field.type !== 'text' && field.type !== 'hash' && field.type !== 'version')
    throw wrongOperator(typed, ['=', '!=', '<', '<=', '>', '>=', 'IN', 'NOT IN', 'IS NULL']);
  const pattern = checkPattern(storable(value.text));
  return { is: 'like', pattern, ignoresCase: test.operator === 'ilike' };
}

function wrongValue({ field }: Pick<Typed, 'field'>, value: Value, wanted: string): never {
  const shown = value.isQuoted ? `'${value.text.slice(0, 60)}'` : value.text.slice(0, 60);
  throw new IngotError(
    'usage',
    `${field.name} is compared with ${wanted}; ${shown} is not (character ${value.at + 1} of the filter)`,
    {
      details: { at: value.at },
    },
  );
}

function wrongOperator({ test, field }: Pick<Typed, 'test' | 'field'>, allowed: readonly string[]): IngotError {
  return new IngotError(
    'usage',
    `${field.name} is not compared by ${test.operator.toUpperCase()} but by ${allowed.join(', ')} (character ${test.at + 1} of the filter)`,
    { details: { at: test.at } },
  );
}
