import { IngotError, isIngotError } from '../../errors.ts';
import type { BlobBody, BlobStore } from '../blob-store.ts';
import { bodyOf, collect } from '../bytes.ts';

/** A blob of the probe: what it holds says who wrote it. */
export interface Canary {
  readonly key: string;
  readonly text: string;
}

/** Options that steps of a probe share. */
export interface StepOptions {
  readonly signal?: AbortSignal;
}

/**
 * Writes a canary under a key that nobody else uses. A reply that was lost says `exists` of one's own bytes.
 * @throws IngotError `unavailable` when the key cannot be written though it is free.
 */
export async function plant(blobs: BlobStore, { key, text }: Canary, options: StepOptions): Promise<void> {
  const written = await blobs.write(key, bodyOf(text), options);
  if (written === 'created' || (await textAt(blobs, key, options)) === text) return;
  throw new IngotError('unavailable', `${blobs.address} says that "${key}" is taken, which nobody wrote`);
}

/** What lies under a key, or undefined. */
export async function textAt(blobs: BlobStore, key: string, options: StepOptions): Promise<string | undefined> {
  try {
    return (await collect(blobs.read(key, options))).toString();
  } catch (thrown) {
    if (isIngotError(thrown, 'content-not-found')) return undefined;
    throw thrown;
  }
}

const PIECE = 2 ** 20;

/** A large body of one letter, without holding it. */
export function filledBody(sizeBytes: number, letter: string): BlobBody {
  return {
    sizeBytes,
    async *open() {
      const piece = Buffer.alloc(Math.min(sizeBytes, PIECE), letter);
      for (let left = sizeBytes; left > 0; left -= piece.byteLength) yield piece.subarray(0, left);
    },
  };
}

/** How long to wait for something that a storage shows late. */
export interface Patience extends StepOptions {
  readonly forMs: number;
  readonly clock: () => number;
  readonly sleep: (milliseconds: number) => Promise<void>;
}

/** Asks until the answer is yes; gives the milliseconds that took, or undefined when it never was. */
export async function until(
  isSo: () => Promise<boolean>,
  { forMs, clock, sleep }: Patience,
): Promise<number | undefined> {
  const started = clock();
  for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, 1000)) {
    const asked = clock() - started;
    if (await isSo()) return asked;
    if (clock() - started >= forMs) return undefined;
    await sleep(waitMs);
  }
}
