import { isUtf8 } from 'node:buffer';
import { IngotError } from '@ingot/core/errors';

const DEEPEST = 64;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Reads the bytes of a JSON body as a text: what is not UTF-8 would be stored with other letters than were meant.
 * @param contentType the header, which may name UTF-8 and nothing else.
 * @throws IngotError `unsupported-media-type` for another `charset`, `invalid-request` for bytes that are no UTF-8.
 */
export function textOfJson(bytes: Buffer, contentType: string | undefined): string {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(contentType ?? '')?.[1];
  if (charset !== undefined && !/^(?:utf-?8|us-ascii)$/i.test(charset))
    throw new IngotError('unsupported-media-type', `JSON is taken as UTF-8, not as ${charset.slice(0, 100)}`);
  if (!isUtf8(bytes)) throw new IngotError('invalid-request', 'the body is no JSON: its bytes are not UTF-8');
  return bytes.toString('utf8');
}

/**
 * Parses a JSON body, and refuses what two readers may understand differently or what only costs: keys that stand twice
 * in one object, `__proto__`, nesting deeper than 64 levels, and texts that are none: with U+0000, which databases end or
 * refuse, or with half of a surrogate pair, which has no bytes in UTF-8.
 * @throws IngotError `invalid-request`.
 */
export function parseJsonBody(text: string): unknown {
  const value = parsed(text);
  checkShape(text);
  // Only escapes can say what is no text.
  if (/\\u(?:0000|[dD][89a-fA-F])/.test(text)) checkTexts(value);
  return value;
}

function checkTexts(value: unknown): void {
  if (typeof value === 'string') checkText(value);
  else if (typeof value === 'object' && value !== null)
    for (const [key, inner] of Object.entries(value)) {
      checkText(key);
      checkTexts(inner);
    }
}

function checkText(text: string): void {
  const wrong = /[\0\p{Surrogate}]/u.exec(text);
  if (wrong === null) return;
  const shown = JSON.stringify(text.slice(0, 100));
  const code = wrong[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  throw new IngotError('invalid-request', `the body has a text that holds U+${code}: ${shown}`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new IngotError('invalid-request', `the body is no JSON: ${reason.slice(0, 200)}`, { cause });
  }
}

/** Walks valid JSON text once; keys are compared as they are meant, whatever their escapes. */
function checkShape(text: string): void {
  const open: (Set<string> | undefined)[] = [];
  let isKey = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at + 1);
      if (isKey) takeKey(open.at(-1), text.slice(at, end + 1));
      isKey = false;
      at = end;
    } else if (code === 0x7b || code === 0x5b) {
      if (open.length >= DEEPEST)
        throw new IngotError('invalid-request', `the body is nested deeper than ${DEEPEST} levels`);
      isKey = code === 0x7b;
      open.push(isKey ? new Set() : undefined);
    } else if (code === 0x7d || code === 0x5d) {
      open.pop();
      isKey = false;
    } else if (code === 0x2c) isKey = open.at(-1) !== undefined;
  }
}

function takeKey(keys: Set<string> | undefined, quoted: string): void {
  const key: unknown = JSON.parse(quoted);
  if (typeof key !== 'string' || keys === undefined) return;
  if (key === '__proto__') throw new IngotError('invalid-request', 'the body has a key "__proto__"');
  if (keys.has(key)) throw new IngotError('invalid-request', `the body has the key "${key.slice(0, 100)}" twice`);
  keys.add(key);
}

function endOfString(text: string, start: number): number {
  let at = start;
  while (text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at;
}
