import { IngotError } from '@ingot/core/errors';
import type { Entry } from '../../tracking/context.ts';
import { invalid } from '../../tracking/limits.ts';

type Raw = Readonly<Record<string, unknown>>;

const SEE_DOCS = ' See the API docs for more information about request parameters.';

/**
 * A message as clients of MLflow send it: a JSON body, or the query of a GET, where numbers are texts and what stands
 * once may be a list. Unknown fields are passed over; null is as good as nothing.
 */
export class Fields {
  readonly #raw: Raw;
  readonly #path: string;

  constructor(raw: unknown, path = '') {
    this.#raw = isRaw(raw) ? raw : {};
    this.#path = path;
  }

  has(key: string): boolean {
    return this.#get(key) !== undefined;
  }

  /** A text that must be there and not be empty. Throws `usage`. */
  text(key: string): string {
    const text = this.optional(key);
    if (text === undefined || text === '') throw this.#missing(key);
    return text;
  }

  /** Throws `usage` for what is no text. */
  optional(key: string): string | undefined {
    const value = this.#get(key);
    if (value === undefined || typeof value === 'string') return value;
    throw this.#wrong(key, value);
  }

  /** A whole number, also as a text. Throws `usage`. */
  optionalInteger(key: string): number | undefined {
    const value = this.#get(key);
    if (value === undefined) return undefined;
    const number = typeof value === 'string' && /^[+-]?\d{1,16}$/.test(value) ? Number(value) : value;
    if (typeof number === 'number' && Number.isSafeInteger(number)) return number;
    throw this.#wrong(key, value);
  }

  /** Throws `usage`. */
  integer(key: string): number {
    const value = this.optionalInteger(key);
    if (value === undefined) throw this.#missing(key);
    return value;
  }

  /** A number; `NaN`, `Infinity` and `-Infinity` come as texts. Throws `usage`. */
  number(key: string): number {
    const value = this.#get(key);
    if (value === undefined) throw this.#missing(key);
    if (typeof value === 'number') return value;
    const special = typeof value === 'string' ? SPECIAL.get(value.toLowerCase()) : undefined;
    if (special !== undefined) return special;
    const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
    if (Number.isFinite(number)) return number;
    throw this.#wrong(key, value, 'Please specify value as a valid double (64-bit floating point)');
  }

  /** Throws `usage`. */
  flag(key: string): boolean {
    const value = this.#get(key);
    if (value === undefined) return false;
    if (typeof value === 'boolean') return value;
    if (typeof value === 'string' && /^(?:true|false)$/i.test(value)) return value.toLowerCase() === 'true';
    throw this.#wrong(key, value);
  }

  /** A list of texts; in a query one of them may stand alone. Throws `usage`. */
  texts(key: string): readonly string[] {
    const value = this.#get(key);
    if (value === undefined) return [];
    const list: readonly unknown[] = typeof value === 'string' ? [value] : this.#list(key, value);
    return list.map((item) => {
      if (typeof item === 'string') return item;
      throw this.#wrong(key, value);
    });
  }

  /** A list of messages. Throws `usage`. */
  messages(key: string): readonly Fields[] {
    const value = this.#get(key);
    if (value === undefined) return [];
    return this.#list(key, value).map((item, at) => {
      if (isRaw(item)) return new Fields(item, `${this.#place(key)}[${at}]`);
      throw this.#wrong(key, value);
    });
  }

  /** A message. Throws `usage`. */
  message(key: string): Fields {
    const value = this.#get(key);
    if (value === undefined) throw this.#missing(key);
    if (isRaw(value)) return new Fields(value, this.#place(key));
    throw this.#wrong(key, value);
  }

  /** A list of `{key, value}`; a value that is not there is empty. Throws `usage`. */
  entries(key: string): readonly Entry[] {
    return this.messages(key).map((entry) => ({ key: entry.text('key'), value: entry.optional('value') ?? '' }));
  }

  /** A member of an enumeration, by its name or its number from 1. Throws `usage`. */
  choice<T extends string>(key: string, names: readonly T[], prefix = ''): T | undefined {
    const value = this.#get(key);
    if (value === undefined) return undefined;
    const number = typeof value === 'number' || /^\d+$/.test(String(value)) ? Number(value) : undefined;
    const found = number === undefined ? names.find((name) => `${prefix}${name}` === value) : names[number - 1];
    if (found === undefined) throw this.#wrong(key, value, `it is not one of ${names.join(', ')}`);
    return found;
  }

  #get(key: string): unknown {
    const value = Object.hasOwn(this.#raw, key) ? this.#raw[key] : undefined;
    return value === null ? undefined : value;
  }

  #list(key: string, value: unknown): readonly unknown[] {
    if (Array.isArray(value)) return value;
    throw this.#wrong(key, value);
  }

  #place(key: string): string {
    return this.#path === '' ? key : `${this.#path}.${key}`;
  }

  #missing(key: string): IngotError {
    return new IngotError('usage', `Missing value for required parameter '${this.#place(key)}'.${SEE_DOCS}`);
  }

  #wrong(key: string, value: unknown, why = `Hint: Value was of type '${kindOf(value)}'`): IngotError {
    return invalid(this.#place(key), value, `${why}.${SEE_DOCS}`);
  }
}

const SPECIAL = new Map([
  ['nan', Number.NaN],
  ['infinity', Number.POSITIVE_INFINITY],
  ['inf', Number.POSITIVE_INFINITY],
  ['-infinity', Number.NEGATIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
]);

function isRaw(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? 'list' : typeof value;
}
