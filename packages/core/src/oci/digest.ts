/**
 * Digests as OCI has them: SHA-256 and SHA-512, in small hexadecimal digits. Whoever names contents by one of them gets
 * them checked by the same one. Source: image-spec, descriptor.md, section "Digests".
 */

import { createHash } from 'node:crypto';
import type { Digest } from '../digest.ts';
import { IngotError } from '../errors.ts';
import type { OciDigest } from './oci-place.ts';

/** The algorithms that are computed here, and how many hexadecimal digits each gives. */
export const DIGEST_LENGTHS = { sha256: 64, sha512: 128 } as const;

/** An algorithm that names contents. */
export type DigestAlgorithm = keyof typeof DIGEST_LENGTHS;

const OCI_DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Says whether a value is a well-formed digest of an algorithm that is computed here. */
export function isOciDigest(value: unknown): value is OciDigest {
  return typeof value === 'string' && OCI_DIGEST.test(value);
}

/**
 * Reads a digest from text.
 * @throws IngotError `invalid-reference` when it is neither `sha256:` and 64 nor `sha512:` and 128 small hexadecimal digits.
 *
 * @example
 * parseOciDigest(`sha512:${'0'.repeat(128)}`);
 */
export function parseOciDigest(text: string): OciDigest {
  if (isOciDigest(text)) return text;
  throw new IngotError(
    'invalid-reference',
    `"${text.slice(0, 80)}" is not a digest (sha256: and 64, or sha512: and 128 lower-case hex digits)`,
  );
}

/** The algorithm of a digest and its hexadecimal digits, which are safe parts of a path. */
export function splitDigest(digest: OciDigest): { readonly algorithm: DigestAlgorithm; readonly hex: string } {
  const algorithm = digest.startsWith('sha512:') ? 'sha512' : 'sha256';
  return { algorithm, hex: digest.slice(algorithm.length + 1) };
}

/** A digest of Ingot's own as OCI's type has it: the same text. */
export function asOciDigest(digest: Digest): OciDigest {
  return parseOciDigest(digest);
}

/** Computes a digest piece by piece. */
export interface OciDigester {
  update(bytes: Uint8Array): void;
  /** The digest of everything so far; ends the digester. */
  finish(): OciDigest;
}

/** Starts a digest over bytes that arrive in pieces. Default: SHA-256. */
export function createOciDigester(algorithm: DigestAlgorithm = 'sha256'): OciDigester {
  const hash = createHash(algorithm);
  return {
    update: (bytes) => {
      hash.update(bytes);
    },
    finish: () => `${algorithm}:${hash.digest('hex')}` as OciDigest,
  };
}

/** Computes the digest of bytes or of UTF-8 text. Default: SHA-256. */
export function ociDigestOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = 'sha256'): OciDigest {
  const digester = createOciDigester(algorithm);
  digester.update(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
  return digester.finish();
}
