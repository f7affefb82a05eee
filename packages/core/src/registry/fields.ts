import type { Digest } from '../digest.ts';
import { isDigest } from '../digest.ts';
import { IngotError } from '../errors.ts';
import type { JsonObject, JsonValue } from '../json.ts';
import { isJsonObject } from '../json.ts';

/**
 * Reads the fields of a JSON object that somebody else wrote, each checked exactly. Every failure is an `integrity`
 * error that names where the object lies and which field is wrong.
 *
 * @example
 * const number = new Fields({ number: 7 }, 'models/churn-1a/log/0000000007.json').positive('number'); // 7
 */
export class Fields {
  readonly #object: JsonObject;
  readonly #where: string;

  constructor(object: JsonObject, where: string) {
    this.#object = object;
    this.#where = where;
  }

  /** Throws that a field is not what it must be. */
  fail(key: string, wanted: string): never {
    throw new IngotError('integrity', `${this.#where}: "${key}" is not ${wanted}`, { details: { file: this.#where } });
  }

  raw(key: string): JsonValue | undefined {
    return Object.hasOwn(this.#object, key) ? this.#object[key] : undefined;
  }

  text(key: string): string {
    return this.optionalText(key) ?? this.fail(key, 'a text');
  }

  optionalText(key: string): string | undefined {
    const value = this.raw(key);
    if (value === undefined || typeof value === 'string') return value;
    return this.fail(key, 'a text');
  }

  /** A text that the pattern matches whole. */
  matching(key: string, pattern: RegExp, wanted: string): string {
    const value = this.text(key);
    return pattern.test(value) ? value : this.fail(key, wanted);
  }

  /** One of a closed set of texts. */
  oneOf<T extends string>(key: string, choices: readonly T[]): T {
    const value = this.raw(key);
    return choices.find((choice) => choice === value) ?? this.fail(key, `one of ${choices.join(', ')}`);
  }

  boolean(key: string): boolean {
    return this.optionalBoolean(key) ?? this.fail(key, 'true or false');
  }

  optionalBoolean(key: string): boolean | undefined {
    const value = this.raw(key);
    if (value === undefined || typeof value === 'boolean') return value;
    return this.fail(key, 'true or false');
  }

  optionalNumber(key: string): number | undefined {
    const value = this.raw(key);
    if (value === undefined || typeof value === 'number') return value;
    return this.fail(key, 'a number');
  }

  /** A whole number from 0. */
  count(key: string): number {
    const value = this.raw(key);
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
      ? value
      : this.fail(key, 'a whole number from 0');
  }

  /** A whole number from 1. */
  positive(key: string): number {
    return this.count(key) || this.fail(key, 'a whole number from 1');
  }

  digest(key: string): Digest {
    const value = this.text(key);
    return isDigest(value) ? value : this.fail(key, 'a digest');
  }

  object(key: string): JsonObject {
    return this.optionalObject(key) ?? this.fail(key, 'an object');
  }

  optionalObject(key: string): JsonObject | undefined {
    const value = this.raw(key);
    if (value === undefined || isJsonObject(value)) return value;
    return this.fail(key, 'an object');
  }

  /** The fields of an inner object. */
  inner(key: string): Fields {
    return new Fields(this.object(key), this.#where);
  }

  list(key: string): readonly JsonValue[] {
    return this.optionalList(key) ?? this.fail(key, 'a list');
  }

  optionalList(key: string): readonly JsonValue[] | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    return Array.isArray(value) ? value : this.fail(key, 'a list');
  }

  /** A list of objects, each as its fields. */
  objects(key: string): Fields[] {
    return this.list(key).map((entry) =>
      isJsonObject(entry) ? new Fields(entry, this.#where) : this.fail(key, 'a list of objects'),
    );
  }

  texts(key: string): string[] {
    return this.list(key).map((entry) => (typeof entry === 'string' ? entry : this.fail(key, 'a list of texts')));
  }

  counts(key: string): number[] {
    return this.list(key).map((entry) =>
      typeof entry === 'number' && Number.isSafeInteger(entry) && entry >= 0
        ? entry
        : this.fail(key, 'a list of whole numbers'),
    );
  }

  /** An object whose values are all texts. */
  optionalTextMap(key: string): Record<string, string> | undefined {
    const object = this.optionalObject(key);
    return object && this.#map(key, object, (value) => (typeof value === 'string' ? value : undefined), 'texts');
  }

  /** An object whose values are all numbers. */
  optionalNumberMap(key: string): Record<string, number> | undefined {
    const object = this.optionalObject(key);
    return object && this.#map(key, object, (value) => (typeof value === 'number' ? value : undefined), 'numbers');
  }

  /** An object whose values are texts, or null for what is to be removed. */
  optionalTagChanges(key: string): Record<string, string | null> | undefined {
    const object = this.optionalObject(key);
    const read = (value: JsonValue) => (typeof value === 'string' || value === null ? value : undefined);
    return object && this.#map(key, object, read, 'texts or nulls');
  }

  #map<T>(key: string, object: JsonObject, read: (value: JsonValue) => T | undefined, wanted: string) {
    const entries = Object.entries(object).map(([name, value]): [string, T] => {
      const checked = read(value);
      return checked === undefined ? this.fail(key, `an object of ${wanted}`) : [name, checked];
    });
    return Object.fromEntries(entries);
  }
}

/** Leaves out the entries whose value is undefined, so that optional properties stay absent. */
export function compact<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}
