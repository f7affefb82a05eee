import { createHash, type Hash } from 'node:crypto';
import type { DigestAlgorithm } from '@ingot/core/oci/digest';
import type { OciDigest } from '@ingot/core/oci/oci-place';

/** Hashes of what has come of an upload so far. */
export interface RunningHash {
  readonly sizeBytes: number;
  readonly hashes: ReadonlyMap<DigestAlgorithm, Hash>;
}

/** Uploads whose hashes are kept; the longest untouched goes first. */
const KEPT = 1000;

/**
 * The digests of uploads that come in several parts, as far as this process has seen all of their bytes. What is not here
 * is computed from the parts when it is needed.
 */
export class RunningHashes {
  readonly #kept = new Map<string, RunningHash>();

  /** Hashes that a part of an upload goes on with; undefined when what came before was not seen. */
  begin(upload: string, sizeBytes: number): RunningHash | undefined {
    const known = this.#kept.get(upload);
    if (known?.sizeBytes !== sizeBytes) return sizeBytes === 0 ? newHashes(['sha256']) : undefined;
    return { sizeBytes, hashes: new Map([...known.hashes].map(([name, hash]) => [name, hash.copy()] as const)) };
  }

  /** Whether hashes of an upload are kept. */
  has(upload: string): boolean {
    return this.#kept.has(upload);
  }

  /** Keeps what a part that is durable has made of the hashes; or those of nothing, so that these are the ones computed. */
  keep(upload: string, running: RunningHash): void {
    this.#kept.delete(upload);
    this.#kept.set(upload, running);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT && oldest !== undefined) this.#kept.delete(oldest);
  }

  /** The digests of an upload of this size; undefined when not all of its bytes were seen, or not by this algorithm. */
  digests(upload: string, sizeBytes: number): ReadonlyMap<DigestAlgorithm, OciDigest> | undefined {
    const known = this.#kept.get(upload);
    if (known?.sizeBytes !== sizeBytes) return undefined;
    return digestsOf(known);
  }

  forget(upload: string): void {
    this.#kept.delete(upload);
  }
}

/** Hashes of nothing. */
export function newHashes(algorithms: readonly DigestAlgorithm[]): RunningHash {
  return { sizeBytes: 0, hashes: new Map(algorithms.map((name) => [name, createHash(name)] as const)) };
}

/** Adds bytes to hashes. */
export function addBytes({ hashes }: RunningHash, bytes: Uint8Array): void {
  for (const hash of hashes.values()) hash.update(bytes);
}

/** The digests of everything so far. */
export function digestsOf({ hashes }: RunningHash): ReadonlyMap<DigestAlgorithm, OciDigest> {
  return new Map([...hashes].map(([name, hash]) => [name, digestText(name, hash)] as const));
}

function digestText(name: DigestAlgorithm, hash: Hash): OciDigest {
  return `${name}:${hash.copy().digest('hex')}`;
}
