/**
 * Reads searches: `churn stage = Production AND (metrics.auc > 0.9 OR tags."data set" IN ('a', 'b'))`. What stands side by
 * side is joined by AND, which binds closer than OR. Time grows with the length alone, and length, depth and number of
 * tests are bounded.
 */

import { IngotError } from '@ingot/core/errors';
import { EXPRESSION_LIMITS, type Expression, type Operator, type Test, type Value } from './expression.ts';
import { numberIn, type Token, tokensOf } from './tokens.ts';

/** Which searches are read. */
export interface Dialect {
  /** Refuses words, values without quotes that are no numbers, and tests side by side, as MLflow does. Default: false. */
  readonly isStrict?: boolean;
  /** What an error begins with. Default: `the filter is not understood`. */
  readonly complaint?: string;
}

/** Shown with every error, because an example says most. */
export const EXAMPLE =
  "stage = 'Production' AND (metrics.auc >= 0.9 OR tags.team = 'growth') AND NOT package:numpy < 2";

/**
 * Reads a search; an empty one lets everything through and gives undefined.
 * @throws IngotError `usage` saying what was not understood, where, and what could stand there.
 * @example
 * parseExpression("metrics.auc > 0.9 AND stage = 'Production'");
 */
export function parseExpression(source: string | undefined, dialect: Dialect = {}): Expression | undefined {
  if (source === undefined) return undefined;
  const { characters } = EXPRESSION_LIMITS;
  if (source.length > characters)
    throw new IngotError('usage', `the filter has ${source.length} characters; the most is ${characters}`);
  return source.trim() === '' ? undefined : new Parser(source, dialect).parse();
}

const SIGNS: ReadonlyMap<string, Operator> = new Map([
  ['=', '='],
  ['==', '='],
  ['!=', '!='],
  ['<>', '!='],
  ['<', '<'],
  ['<=', '<='],
  ['>', '>'],
  ['>=', '>='],
]);
const STRICT_PART = /^[\p{L}\p{M}\p{N}_\-/:]+$/u;
const JOINS: ReadonlySet<string> = new Set(['and', 'or', 'not']);

class Parser {
  readonly #tokens: readonly Token[];
  readonly #source: string;
  readonly #dialect: Dialect;
  #next = 0;
  #depth = 0;
  #tests = 0;
  #values = 0;

  constructor(source: string, dialect: Dialect) {
    this.#source = source;
    this.#dialect = dialect;
    this.#tokens = tokensOf(source);
  }

  parse(): Expression {
    const expression = this.#any();
    if (this.#peek().kind !== 'end') throw this.#wrong(this.#peek(), 'AND, OR, or the end');
    return expression;
  }

  #peek(ahead = 0): Token {
    const token = this.#tokens[Math.min(this.#next + ahead, this.#tokens.length - 1)];
    if (token === undefined) throw new TypeError('a list of tokens has an end');
    return token;
  }

  #take(): Token {
    const token = this.#peek();
    this.#next += 1;
    return token;
  }

  #isWord(word: string, ahead = 0): boolean {
    const { kind, text } = this.#peek(ahead);
    return kind === 'name' && text.length === word.length && text.toLowerCase() === word;
  }

  #isSign(sign: string, ahead = 0): boolean {
    const { kind, text } = this.#peek(ahead);
    return kind === 'sign' && text === sign;
  }

  // --- joins

  #any(): Expression {
    const of = [this.#all()];
    while (this.#isWord('or')) {
      this.#next += 1;
      of.push(this.#all());
    }
    return joined('any', of);
  }

  #all(): Expression {
    const of = [this.#one()];
    for (;;) {
      if (this.#isWord('and')) this.#next += 1;
      else if (this.#dialect.isStrict === true || !this.#beginsOne()) return joined('all', of);
      of.push(this.#one());
    }
  }

  #beginsOne(): boolean {
    const { kind, text } = this.#peek();
    return kind === 'text' || this.#isSign('(') || (kind === 'name' && text.toLowerCase() !== 'or');
  }

  #one(): Expression {
    if (this.#isWord('not')) {
      this.#next += 1;
      return { kind: 'not', of: this.#nested(() => this.#one()) };
    }
    if (!this.#isSign('(')) return this.#testOrWord();
    this.#next += 1;
    const inner = this.#nested(() => this.#any());
    if (!this.#isSign(')')) throw this.#wrong(this.#peek(), 'AND, OR or ")"');
    this.#next += 1;
    return inner;
  }

  #nested(parse: () => Expression): Expression {
    this.#depth += 1;
    if (this.#depth > EXPRESSION_LIMITS.depth)
      throw new IngotError('usage', `the filter is nested deeper than ${EXPRESSION_LIMITS.depth} levels`);
    const expression = parse();
    this.#depth -= 1;
    return expression;
  }

  // --- tests

  #testOrWord(): Expression {
    this.#tests += 1;
    if (this.#tests > EXPRESSION_LIMITS.tests)
      throw new IngotError('usage', `the filter has more than ${EXPRESSION_LIMITS.tests} comparisons`);
    const subject = this.#take();
    const isName = subject.kind === 'name' && !JOINS.has(subject.text.toLowerCase());
    const operator = isName ? this.#operator() : undefined;
    if (isName && operator !== undefined && this.#isField(subject)) {
      const { entity, key } = fieldOf(subject);
      return { kind: 'test', entity, key, operator, values: this.#valuesOf(operator), at: subject.at };
    }
    const isWord = subject.kind === 'text' || (isName && operator === undefined);
    if (!isWord || this.#dialect.isStrict === true) throw this.#wrong(subject, 'a field, NOT or "("');
    const [only] = subject.parts;
    const isPhrase = subject.parts.length === 1 && only?.isQuoted === true;
    return { kind: 'word', text: isPhrase ? only.text : subject.text, at: subject.at };
  }

  #isField({ parts }: Token): boolean {
    return this.#dialect.isStrict !== true || parts.every(({ text, isQuoted }) => isQuoted || STRICT_PART.test(text));
  }

  /** Takes the operator that stands here; undefined when none does, and what stood before is a word. */
  #operator(): Operator | undefined {
    const { kind, text } = this.#peek();
    const sign = kind === 'sign' && !(text === '==' && this.#dialect.isStrict === true) ? SIGNS.get(text) : undefined;
    if (sign !== undefined) return this.#taken(1, sign);
    if (this.#isWord('like')) return this.#taken(1, 'like');
    if (this.#isWord('ilike')) return this.#taken(1, 'ilike');
    if (this.#isWord('in') && this.#isSign('(', 1)) return this.#taken(1, 'in');
    if (this.#isWord('not') && this.#isWord('in', 1) && this.#isSign('(', 2)) return this.#taken(2, 'not in');
    if (this.#isWord('is') && this.#isWord('null', 1)) return this.#taken(2, 'is null');
    if (this.#isWord('is') && this.#isWord('not', 1) && this.#isWord('null', 2)) return this.#taken(3, 'is not null');
    return undefined;
  }

  #taken(tokens: number, operator: Operator): Operator {
    this.#next += tokens;
    return operator;
  }

  #valuesOf(operator: Operator): Test['values'] {
    if (operator === 'is null' || operator === 'is not null') return [];
    if (operator !== 'in' && operator !== 'not in') return [this.#value()];
    const values: Value[] = [];
    do {
      this.#next += 1;
      if (this.#isSign(')') && values.length > 0) break;
      values.push(this.#value());
    } while (this.#isSign(','));
    if (!this.#isSign(')')) throw this.#wrong(this.#peek(), '"," or ")"');
    this.#next += 1;
    return values;
  }

  #value(): Value {
    this.#values += 1;
    if (this.#values > EXPRESSION_LIMITS.values)
      throw new IngotError('usage', `the filter has more than ${EXPRESSION_LIMITS.values} values`);
    const token = this.#take();
    const { kind, text, parts, at } = token;
    if (kind === 'text') return { text, isQuoted: true, at };
    const [only] = parts;
    if (kind === 'name' && parts.length === 1 && only?.isQuoted === true)
      return { text: only.text, isQuoted: true, at };
    const number = kind === 'name' ? numberIn(text) : undefined;
    if (number !== undefined) return { text, isQuoted: false, number, at };
    if (kind === 'name' && this.#dialect.isStrict !== true && !JOINS.has(text.toLowerCase()))
      return { text, isQuoted: false, at };
    throw this.#wrong(token, "a value: 0.9, 'text'");
  }

  #wrong(token: Token, expected: string): IngotError {
    const { complaint = 'the filter is not understood' } = this.#dialect;
    const near = token.kind === 'end' ? 'at its end' : `at "${this.#source.slice(token.at, token.at + 40)}"`;
    return new IngotError('usage', `${complaint} ${near} (character ${token.at + 1}): expected ${expected}`, {
      details: { at: token.at },
      hint: EXAMPLE,
    });
  }
}

function joined(kind: 'all' | 'any', of: readonly Expression[]): Expression {
  const [only] = of;
  return of.length === 1 && only !== undefined ? only : { kind, of };
}

/** `tags.a.b` is the tag `a.b`; so is ``tags.`a.b` ``. */
function fieldOf({ parts }: Token): Pick<Test, 'entity' | 'key'> {
  const [first = '', ...rest] = parts.map(({ text }) => text);
  return rest.length === 0 ? { entity: undefined, key: first } : { entity: first, key: rest.join('.') };
}
