import { createHash, timingSafeEqual } from 'node:crypto';

/** A service token as it is shown once: `ingot_<id>_<secret>`. */
export interface TokenParts {
  readonly id: string;
  readonly secret: string;
}

const TOKEN = /^ingot_([0-9a-z]{12})_([0-9A-Za-z]{40})$/;
const LETTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Makes a token: 12 characters that name it, 40 (238 bits) that nobody guesses. */
export function makeToken(random: (size: number) => Uint8Array): TokenParts & { readonly text: string } {
  const id = lettersOf(random, 12, 36).toLowerCase();
  const secret = lettersOf(random, 40, 62);
  return { id, secret, text: `ingot_${id}_${secret}` };
}

/** Reads a token; undefined: it is none. */
export function parseToken(text: string): TokenParts | undefined {
  const [, id, secret] = TOKEN.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** The digest under which a secret of high entropy is kept. */
export function secretHash(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Compares a secret with what is kept, in a time that says nothing. */
export function isSecretOf(secret: string, hash: string): boolean {
  const [given, kept] = [Buffer.from(secretHash(secret)), Buffer.from(hash)];
  return given.length === kept.length && timingSafeEqual(given, kept);
}

// Bytes that would make some letters likelier are left out.
function lettersOf(random: (size: number) => Uint8Array, count: number, base: 36 | 62): string {
  const limit = 256 - (256 % base);
  let text = '';
  while (text.length < count)
    for (const byte of random(count)) if (byte < limit && text.length < count) text += LETTERS[byte % base];
  return text;
}
