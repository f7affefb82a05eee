/** A *key* names a blob: `/`-separated segments, none of them empty, `.` or `..`; 1,024 bytes of UTF-8 at most. */

import { IngotError } from '../errors.ts';

/** The longest key that every backend takes, in bytes of UTF-8. */
const MAX_KEY_BYTES = 1024;

const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

/**
 * Checks a key; every backend calls it before it touches storage.
 * @throws IngotError `usage` for an absolute key, an empty, `.` or `..` segment, a NUL, a lone surrogate, a backslash, or more than 1,024 bytes.
 */
export function checkKey(key: string): void {
  const problem = keyProblem(key);
  if (problem === undefined) return;
  const shown = key.length <= 80 ? key : `${key.slice(0, 77)}…`;
  throw new IngotError('usage', `${JSON.stringify(shown)} is not a blob key: ${problem}`);
}

/** Says whether a text is a key, for listings of storages that hold other things too. */
export function isKey(text: string): boolean {
  return keyProblem(text) === undefined;
}

function keyProblem(key: string): string | undefined {
  if (key === '') return 'it is empty';
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return `it is longer than ${MAX_KEY_BYTES} bytes`;
  if (key.includes('\0')) return 'it holds a NUL character';
  if (key.includes('\\')) return 'it holds a backslash';
  if (LONE_SURROGATE.test(key)) return 'it is not well-formed Unicode';
  for (const segment of key.split('/')) {
    if (segment === '') return 'it has an empty segment';
    if (segment === '.' || segment === '..') return `it has a "${segment}" segment`;
  }
  return undefined;
}

/** Orders keys by the bytes of their UTF-8, which JavaScript's own comparison does not do beyond the BMP. */
export function compareKeys(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index += 1) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return utf8Rank(left) - utf8Rank(right);
  }
  return a.length - b.length;
}

// Surrogates stand for code points above U+FFFF, so they sort after the code units U+E000 to U+FFFF.
function utf8Rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
