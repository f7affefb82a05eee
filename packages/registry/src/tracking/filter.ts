/**
 * The search language of MLflow, and more: comparisons joined by `AND`, and also `OR`, `NOT` and parentheses.
 * `metrics.auc > 0.9 AND (tags."data set" = 'x' OR params.depth IN ('3', '4')) AND NOT tags.broken IS NOT NULL`.
 */

import { IngotError } from '@ingot/core/errors';

/** How a test compares. */
export type Operator =
  | '='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'like'
  | 'ilike'
  | 'in'
  | 'not in'
  | 'is null'
  | 'is not null';

/** A value as it was written: a text in quotes, or a number. */
export type FilterValue = string | number;

/** One comparison: `metrics.auc > 0.9` has entity `metrics` and key `auc`; a bare `name` has no entity. */
export interface Test {
  readonly kind: 'test';
  readonly entity: string | undefined;
  readonly key: string;
  readonly operator: Operator;
  /** None for `is null`, several for `in`, else one. */
  readonly values: readonly FilterValue[];
}

/** A filter as it was understood. */
export type Condition =
  | Test
  | { readonly kind: 'all' | 'any'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition };

/** Longest filter, in characters, deepest nesting and most comparisons. */
export const FILTER_LIMITS = { characters: 65_536, depth: 32, tests: 200 } as const;

interface Token {
  readonly kind: 'name' | 'text' | 'quoted' | 'number' | 'sign' | 'end';
  readonly text: string;
  /** For a name: its parts, quotes removed. */
  readonly parts: readonly string[];
  readonly at: number;
}

const SPACE = /\s+/y;
const NUMBER = /[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])/y;
const SIGN = /<=|>=|!=|<>|=|<|>|\(|\)|,/y;
const PART = /`([^`]*)`|"([^"]*)"|([\p{L}\p{M}\p{N}_\-/:]+)/uy;
const TEXT = /'((?:[^']|'')*)'/y;

/**
 * Reads a filter; an empty one lets everything through and gives undefined.
 * @throws IngotError `usage` saying what was not understood, and where.
 */
export function parseFilter(text: string | undefined): Condition | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  if (text.length > FILTER_LIMITS.characters)
    throw new IngotError('usage', `the filter has ${text.length} characters; the most is ${FILTER_LIMITS.characters}`);
  return new FilterParser(text).parse();
}

class FilterParser {
  readonly #tokens: readonly Token[];
  readonly #source: string;
  #next = 0;
  #depth = 0;
  #tests = 0;

  constructor(source: string) {
    this.#source = source;
    this.#tokens = tokensOf(source);
  }

  parse(): Condition {
    const condition = this.#any();
    if (this.#peek.kind !== 'end') throw this.#wrong();
    return condition;
  }

  get #peek(): Token {
    const token = this.#tokens[this.#next] ?? this.#tokens.at(-1);
    if (token === undefined) throw new TypeError('a list of tokens has an end');
    return token;
  }

  #take(): Token {
    const token = this.#peek;
    this.#next += 1;
    return token;
  }

  #isWord(...words: readonly string[]): boolean {
    const { kind, text } = this.#peek;
    return kind === 'name' && words.includes(text.toLowerCase());
  }

  #isSign(sign: string): boolean {
    return this.#peek.kind === 'sign' && this.#peek.text === sign;
  }

  #any(): Condition {
    const of = [this.#all()];
    while (this.#isWord('or')) {
      this.#next += 1;
      of.push(this.#all());
    }
    const [only] = of;
    return of.length === 1 && only !== undefined ? only : { kind: 'any', of };
  }

  #all(): Condition {
    const of = [this.#one()];
    while (this.#isWord('and')) {
      this.#next += 1;
      of.push(this.#one());
    }
    const [only] = of;
    return of.length === 1 && only !== undefined ? only : { kind: 'all', of };
  }

  #one(): Condition {
    if (this.#isWord('not')) {
      this.#next += 1;
      return { kind: 'not', of: this.#nested(() => this.#one()) };
    }
    if (!this.#isSign('(')) return this.#test();
    this.#next += 1;
    const inner = this.#nested(() => this.#any());
    if (!this.#isSign(')')) throw this.#wrong();
    this.#next += 1;
    return inner;
  }

  #nested(parse: () => Condition): Condition {
    this.#depth += 1;
    if (this.#depth > FILTER_LIMITS.depth)
      throw new IngotError('usage', `the filter is nested deeper than ${FILTER_LIMITS.depth} levels`);
    const condition = parse();
    this.#depth -= 1;
    return condition;
  }

  #test(): Test {
    this.#tests += 1;
    if (this.#tests > FILTER_LIMITS.tests)
      throw new IngotError('usage', `the filter has more than ${FILTER_LIMITS.tests} comparisons`);
    const subject = this.#take();
    if (subject.kind !== 'name' && subject.kind !== 'quoted') throw this.#wrong(subject);
    const { entity, key } = subjectOf(subject);
    const operator = this.#operator();
    return { kind: 'test', entity, key, operator, values: this.#values(operator) };
  }

  #operator(): Operator {
    const token = this.#take();
    const word = token.text.toLowerCase();
    if (token.kind === 'sign' && token.text !== '(' && token.text !== ')' && token.text !== ',')
      return signOf(token.text);
    if (token.kind === 'name' && (word === 'like' || word === 'ilike' || word === 'in')) return word;
    if (token.kind === 'name' && word === 'not' && this.#isWord('in')) {
      this.#next += 1;
      return 'not in';
    }
    if (token.kind === 'name' && word === 'is') return this.#nullness(token);
    throw this.#wrong(token);
  }

  #nullness(start: Token): Operator {
    const isNot = this.#isWord('not');
    if (isNot) this.#next += 1;
    if (!this.#isWord('null')) throw this.#wrong(start);
    this.#next += 1;
    return isNot ? 'is not null' : 'is null';
  }

  #values(operator: Operator): readonly FilterValue[] {
    if (operator === 'is null' || operator === 'is not null') return [];
    if (operator !== 'in' && operator !== 'not in') return [this.#value()];
    if (!this.#isSign('(')) throw this.#wrong();
    const values: FilterValue[] = [];
    do {
      this.#next += 1;
      if (this.#isSign(')') && values.length > 0) break;
      values.push(this.#value());
    } while (this.#isSign(','));
    if (!this.#isSign(')')) throw this.#wrong();
    this.#next += 1;
    return values;
  }

  #value(): FilterValue {
    const token = this.#take();
    if (token.kind === 'number') return Number(token.text);
    if (token.kind === 'text') return token.text;
    if (token.kind === 'quoted' && token.parts[0] !== undefined) return token.parts[0];
    throw this.#wrong(token);
  }

  #wrong(token: Token = this.#peek): IngotError {
    const near = token.kind === 'end' ? 'at its end' : `at "${this.#source.slice(token.at, token.at + 40)}"`;
    return new IngotError('usage', `Invalid clause(s) in filter string: it is not understood ${near}`, {
      details: { at: token.at },
    });
  }
}

function signOf(text: string): Operator {
  const found = (['=', '!=', '<', '<=', '>', '>='] as const).find((sign) => sign === text);
  return found ?? '!=';
}

/** `tags.a.b` is the tag `a.b`; so is ``tags.`a.b` ``. */
function subjectOf({ parts, kind }: Token): { readonly entity: string | undefined; readonly key: string } {
  const [first = '', ...rest] = parts;
  if (rest.length === 0 || kind === 'quoted') return { entity: undefined, key: parts.join('.') };
  return { entity: first, key: rest.join('.') };
}

function tokensOf(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(source);
  };
  while (at < source.length) {
    const start = at;
    const space = match(SPACE);
    if (space !== null) {
      at += space[0].length;
      continue;
    }
    const found = match(TEXT) ?? match(NUMBER) ?? match(SIGN);
    if (found !== null) {
      at += found[0].length;
      tokens.push(plainToken(found, start));
      continue;
    }
    const name = nameAt(source, at);
    if (name === undefined)
      throw new IngotError(
        'usage',
        `Invalid clause(s) in filter string: it is not understood at "${source.slice(at, at + 40)}"`,
        { details: { at } },
      );
    at = name.end;
    tokens.push(name.token);
  }
  return [...tokens, { kind: 'end', text: '', parts: [], at }];
}

function plainToken(found: RegExpExecArray, at: number): Token {
  const [whole, quoted] = found;
  if (whole.startsWith("'")) return { kind: 'text', text: (quoted ?? '').replaceAll("''", "'"), parts: [], at };
  const kind = /^[\d.+-]/.test(whole) ? 'number' : 'sign';
  return { kind, text: whole, parts: [], at };
}

// Parts between dots, each plain or in backticks or double quotes.
function nameAt(source: string, at: number): { readonly token: Token; readonly end: number } | undefined {
  const parts: string[] = [];
  let end = at;
  let isQuoted = false;
  for (;;) {
    PART.lastIndex = end;
    const part = PART.exec(source);
    if (part === null) break;
    const [whole, ticks, quotes, plain] = part;
    isQuoted = parts.length === 0 && plain === undefined;
    parts.push(ticks ?? quotes ?? plain ?? '');
    end += whole.length;
    if (source[end] !== '.') break;
    end += 1;
  }
  if (parts.length === 0 || source[end - 1] === '.') return undefined;
  const kind = isQuoted && parts.length === 1 ? 'quoted' : 'name';
  return { token: { kind, text: source.slice(at, end), parts, at }, end };
}
