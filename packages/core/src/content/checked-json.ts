import type { Digest } from '../digest.ts';
import { isDigest } from '../digest.ts';
import { IngotError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { isJsonObject } from '../json.ts';

/** A JSON object of the store whose fields are checked as they are taken. Every failure is `integrity` and names the document. */
export interface CheckedObject {
  text(key: string): string;
  digest(key: string): Digest;
  count(key: string): number;
  flag(key: string): boolean;
  texts(key: string): readonly string[];
  object(key: string): CheckedObject;
  objects(key: string): readonly CheckedObject[];
  list(key: string): readonly unknown[];
  has(key: string): boolean;
  readonly raw: JsonObject;
}

/**
 * Parses bytes that must be a JSON object.
 * @param what names the document in errors: `page 3 of the recipe sha256:…`.
 * @throws IngotError `integrity`.
 */
export function parseObject(bytes: Uint8Array, what: string): CheckedObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new IngotError('integrity', `${what} is not JSON`, { cause });
  }
  return checkedObject(value, what);
}

/** Wraps a value that must be a JSON object. Throws `integrity`. */
function checkedObject(value: unknown, what: string): CheckedObject {
  if (!isJsonObject(value)) throw new IngotError('integrity', `${what} is not a JSON object`);
  const take = <T>(key: string, kind: string, is: (entry: unknown) => entry is T): T => {
    const entry: unknown = Object.hasOwn(value, key) ? value[key] : undefined;
    if (is(entry)) return entry;
    throw new IngotError('integrity', `${what}: "${key}" is not ${kind}`);
  };
  return {
    raw: value,
    has: (key) => Object.hasOwn(value, key),
    text: (key) => take(key, 'text', isText),
    digest: (key) => take(key, 'a digest', (entry) => isText(entry) && isDigest(entry)),
    count: (key) => take(key, 'a whole number', isCount),
    flag: (key) => take(key, 'true or false', (entry) => typeof entry === 'boolean'),
    texts: (key) =>
      take(key, 'a list of texts', (entry): entry is string[] => Array.isArray(entry) && entry.every(isText)),
    list: (key) => take(key, 'a list', (entry) => Array.isArray(entry)),
    object: (key) => checkedObject(take(key, 'an object', isJsonObject), `${what}: "${key}"`),
    objects: (key) =>
      take(key, 'a list', (entry) => Array.isArray(entry)).map((entry, n) =>
        checkedObject(entry, `${what}: "${key}" ${n}`),
      ),
  };
}

/** Says whether a value is a whole number, not negative, that a double holds exactly. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
