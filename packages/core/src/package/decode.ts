import { IngotError } from '../errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../json.ts';

/** Turns an unknown value at `at` (for messages: `lineage.git`) into a checked one, or throws. */
export type Decoder<T> = (value: unknown, at: string) => T;

function wrong(at: string, expected: string, value: unknown): IngotError {
  const shown = value === undefined ? 'nothing' : (JSON.stringify(value)?.slice(0, 60) ?? typeof value);
  return new IngotError('invalid-package', `${at} should be ${expected}, not ${shown}`);
}

/** Any text. */
export const text: Decoder<string> = (value, at) => {
  if (typeof value === 'string') return value;
  throw wrong(at, 'a text', value);
};

/** Any finite number. */
export const number: Decoder<number> = (value, at) => {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw wrong(at, 'a number', value);
};

/** A whole number of at least 0, exactly represented. */
export const size: Decoder<number> = (value, at) => {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw wrong(at, 'a size', value);
};

/** True or false. */
export const flag: Decoder<boolean> = (value, at) => {
  if (typeof value === 'boolean') return value;
  throw wrong(at, 'true or false', value);
};

/** A text, number or truth value. */
export const scalar: Decoder<string | number | boolean> = (value, at) => {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  throw wrong(at, 'a text, number or truth value', value);
};

/** Any JSON value, at most 100 levels deep. */
export const json: Decoder<JsonValue> = (value, at) => jsonAt(value, at, 0);

function jsonAt(value: unknown, at: string, depth: number): JsonValue {
  if (depth > 100) throw wrong(at, 'at most 100 levels deep', '…');
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (Array.isArray(value)) return value.map((entry, index) => jsonAt(entry, `${at}[${index}]`, depth + 1));
  if (!isJsonObject(value)) throw wrong(at, 'a JSON value', String(value));
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [key, jsonAt(entry, `${at}.${key}`, depth + 1)]),
  );
}

/** A JSON object. */
export const object: Decoder<JsonObject> = (value, at) => {
  if (isJsonObject(value)) return value;
  throw wrong(at, 'an object', value);
};

/** One of some words. */
export function oneOf<const T extends string>(words: readonly T[]): Decoder<T> {
  return (value, at) => {
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    throw wrong(at, `one of ${words.join(', ')}`, value);
  };
}

/** A list of things. */
export function list<T>(decode: Decoder<T>): Decoder<T[]> {
  return (value, at) => {
    if (!Array.isArray(value)) throw wrong(at, 'a list', value);
    return value.map((entry, index) => decode(entry, `${at}[${index}]`));
  };
}

/** An object whose values are all of one kind. */
export function record<T>(decode: Decoder<T>): Decoder<Record<string, T>> {
  return (value, at) =>
    Object.fromEntries(Object.entries(object(value, at)).map(([key, entry]) => [key, decode(entry, `${at}.${key}`)]));
}

/** A thing, or undefined for null or nothing. */
export function maybe<T>(decode: Decoder<T>): Decoder<T | undefined> {
  return (value, at) => (value === undefined || value === null ? undefined : decode(value, at));
}

/** An object with known fields; unknown ones are dropped and those without a value left out. */
export function fields<T extends object>(shape: { readonly [K in keyof Required<T>]: Decoder<T[K]> }): Decoder<T> {
  return (value, at) => {
    const input = object(value, at);
    const out: Partial<T> = {};
    for (const key in shape) {
      const decoded = shape[key](Object.hasOwn(input, key) ? input[key] : undefined, at === '' ? key : `${at}.${key}`);
      if (decoded !== undefined) out[key] = decoded;
    }
    return out as T;
  };
}
