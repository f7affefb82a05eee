import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { translated } from '../blob/local/failures.ts';
import { systemErrorCode } from '../errors.ts';
import { makeDirectory } from '../make-directory.ts';
import { checkedBlob, otherBlob } from '../oci/checked-blob.ts';
import { createOciDigester, splitDigest } from '../oci/digest.ts';
import type { Descriptor, OciDigest } from '../oci/oci-place.ts';

/** Bytes that were kept. */
export interface KeptBytes {
  readonly digest: OciDigest;
  readonly size: number;
}

const FULL = ['ENOSPC', 'EDQUOT'];
const STALE_MS = 24 * 3600 * 1000;

/**
 * Layers in the cache, each a file named by the digest of its bytes, whose time says when it was last asked for. They are
 * checked when they are read, and need not survive a power cut.
 */
export class KeptLayers {
  readonly #directory: string;

  /** @param directory need not be there yet. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Whether a layer is kept; it counts as used now. */
  async has({ digest, size }: Pick<Descriptor, 'digest' | 'size'>): Promise<boolean> {
    const found = await stat(this.path(digest)).catch(() => undefined);
    if (found?.size !== size) return false;
    const now = new Date();
    // Tolerated: in a cache that cannot be written it is only pruned earlier.
    await utimes(this.path(digest), now, now).catch(() => undefined);
    return true;
  }

  /**
   * Streams a layer, checked. Throws `integrity` when it is damaged, or was pruned meanwhile; the file is gone then, so
   * that it is made anew.
   */
  async *read(descriptor: Pick<Descriptor, 'digest' | 'size'>): AsyncGenerator<Uint8Array, void> {
    const path = this.path(descriptor.digest);
    try {
      yield* checkedBlob(descriptor, createReadStream(path, { highWaterMark: 1024 * 1024 }));
    } catch (error) {
      await rm(path, { force: true });
      if (systemErrorCode(error) === 'ENOENT') throw otherBlob(descriptor, 'it was pruned from the cache', 'bake');
      throw error;
    }
  }

  /** Keeps bytes and says what they are. Throws `disk-full`; what the bytes throw. */
  async keep(bytes: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<KeptBytes> {
    await makeDirectory(this.#directory);
    await this.#sweep();
    const draft = join(this.#directory, `${randomBytes(6).toString('hex')}.part`);
    try {
      const kept = await written(draft, bytes, signal);
      await rename(draft, this.path(kept.digest));
      return kept;
    } catch (error) {
      await rm(draft, { force: true });
      // Of all that may fail here only a full disk is told by the system alone.
      if (FULL.includes(systemErrorCode(error) ?? '')) throw await translated(error, 'cache.write', this.#directory);
      throw error;
    }
  }

  /** Where a layer lies. */
  path(digest: OciDigest): string {
    const { algorithm, hex } = splitDigest(digest);
    return join(this.#directory, algorithm === 'sha256' ? hex : `${algorithm}-${hex}`);
  }

  /** Removes what processes long dead left. */
  async #sweep(): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      if (!name.endsWith('.part')) continue;
      const path = join(this.#directory, name);
      const found = await stat(path).catch(() => undefined);
      if (found !== undefined && Date.now() - found.mtimeMs > STALE_MS) await rm(path, { force: true });
    }
  }
}

async function written(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<KeptBytes> {
  const handle = await open(path, 'wx');
  try {
    const digester = createOciDigester();
    let size = 0;
    for await (const piece of bytes) {
      signal?.throwIfAborted();
      digester.update(piece);
      for (let done = 0; done < piece.byteLength; )
        done += (await handle.write(piece, done, piece.byteLength - done)).bytesWritten;
      size += piece.byteLength;
    }
    return { digest: digester.finish(), size };
  } finally {
    await handle.close();
  }
}
