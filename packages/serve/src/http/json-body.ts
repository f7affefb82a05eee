import { IngotError } from '@ingot/core/errors';
import type { ServeLimits } from './limits.ts';

/** Bodies up to this size are parsed without a look at their depth: their parsing cannot cost much. */
const SMALL_BYTES = 1024 * 1024;

/** A parsed JSON body that can be parsed once more without losing digits. */
export interface JsonBody {
  readonly text: string;
  readonly value: unknown;
}

/** What Python's json and others write for numbers that JSON does not have. */
const NOT_A_NUMBER = /[[:,]\s*-?(?:NaN|Infinity)\b/;

/**
 * Parses a JSON body.
 * @throws IngotError `invalid-request` when it is no JSON (with the place), or nested deeper than the limit.
 */
export function parseJsonBody(bytes: Buffer, limits: Pick<ServeLimits, 'jsonDepth'>): JsonBody {
  if (bytes.length > SMALL_BYTES && deeperThan(bytes, limits.jsonDepth)) {
    throw new IngotError('invalid-request', `the JSON body is nested deeper than ${limits.jsonDepth} levels`);
  }
  const text = bytes.toString();
  try {
    return { text, value: JSON.parse(text) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const empty = bytes.length === 0;
    throw new IngotError(
      'invalid-request',
      empty ? 'the body is empty; JSON was expected' : `the body is no JSON: ${reason}`,
      {
        cause,
        ...(NOT_A_NUMBER.test(text) && { hint: 'JSON has no NaN and no infinity; send null for a missing value' }),
      },
    );
  }
}

/**
 * Decodes a parsed body; when that fails and the text holds numbers with more digits than a double keeps, decodes once
 * more with whole numbers beyond 2^53 as BigInt. So the common case pays nothing for exact 64-bit integers.
 */
export function withExactIntegers<T>(body: JsonBody, decode: (value: unknown) => T): T {
  try {
    return decode(body.value);
  } catch (thrown) {
    if (!/\d{16}/.test(body.text)) throw thrown;
    return decode(parseExactly(body.text));
  }
}

const MARK = '\u0000integer:';
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Parses valid JSON with whole numbers beyond 2^53 as BigInt. Slower than `JSON.parse`. */
export function parseExactly(text: string): unknown {
  const marked = text.replace(TOKENS, (token) => (isLongInteger(token) ? JSON.stringify(MARK + token) : token));
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith(MARK) ? integerOf(value.slice(MARK.length)) : value,
  );
}

function isLongInteger(token: string): boolean {
  return token.length >= 16 && /^-?\d+$/.test(token);
}

function integerOf(digits: string): unknown {
  if (!/^-?\d{1,40}$/.test(digits)) return digits;
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : BigInt(digits);
}

/** Looks through JSON text for brackets nested deeper than `limit`, minding strings. About a third of the cost of parsing. */
function deeperThan(bytes: Uint8Array, limit: number): boolean {
  let depth = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === 0x22) at = endOfString(bytes, at + 1);
    else if (byte === 0x5b || byte === 0x7b) {
      depth += 1;
      if (depth > limit) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth -= 1;
  }
  return false;
}

function endOfString(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== 0x22) at += bytes[at] === 0x5c ? 2 : 1;
  return at;
}
