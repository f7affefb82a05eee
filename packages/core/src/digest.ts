import { createHash } from 'node:crypto';
import { IngotError } from './errors.ts';

/** `sha256:` and 64 lower-case hex digits: the name of some bytes. */
export type Digest = string & { readonly __brand: 'Digest' };

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Says whether a text is a well-formed digest. */
export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/**
 * Reads a digest from text.
 * @throws IngotError `invalid-reference` when the text is not `sha256:` and 64 lower-case hex digits.
 */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new IngotError(
    'invalid-reference',
    `"${text.slice(0, 80)}" is not a digest (sha256: and 64 lower-case hex digits)`,
  );
}

/** Makes a digest of 64 lower-case hex digits that were just computed. */
export function digestOfHex(hex: string): Digest {
  return `sha256:${hex}` as Digest;
}

/** Computes the SHA-256 of bytes or of UTF-8 text. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

/** Computes a digest piece by piece. */
export interface Digester {
  update(bytes: Uint8Array): void;
  /** The digest of everything so far; ends the digester. */
  finish(): Digest;
}

/** Starts a digest over bytes that arrive in pieces. */
export function createDigester(): Digester {
  const hash = createHash('sha256');
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    finish: () => `sha256:${hash.digest('hex')}` as Digest,
  };
}
