/** A value that JSON can hold. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A JSON object. */
export type JsonObject = { readonly [key: string]: JsonValue };

/**
 * Writes a value as JSON with object keys sorted and without white space, so that equal values give equal bytes.
 * Keys are ordered by UTF-16 code units and numbers are written as ECMAScript does, as RFC 8785 asks.
 * Entries whose value is `undefined` are left out.
 *
 * @example
 * canonicalJson({ b: 1, a: [true] }); // '{"a":[true],"b":1}'
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isRecord(value)) return value;
  const result: Record<string, unknown> = {};
  for (const key of Object.keys(value).sort()) {
    const entry = sorted(value[key]);
    if (entry === undefined) continue;
    // Assigned to, this one key would not become an entry.
    if (key === '__proto__') Object.defineProperty(result, key, { value: entry, enumerable: true });
    else result[key] = entry;
  }
  return result;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** Says whether a value is a plain JSON object (not null, not a list). */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads a text as JSON; undefined when it is none, for whoever says in words of their own what it should have been.
 *
 * @example
 * const value = parseJson('{"a":1}'); // { a: 1 }
 */
export function parseJson(text: string): JsonValue | undefined {
  try {
    const value: JsonValue = JSON.parse(text);
    return value;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
