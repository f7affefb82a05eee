import { IngotError } from '../errors.ts';
import type { BlobBody, BlobEntry, BlobOptions, BlobStore, BlobWriteOptions, ByteRange } from './blob-store.ts';
import { checkBodySize } from './bytes.ts';
import { stopIfInterrupted } from './interrupt.ts';
import { checkKey, compareKeys } from './key.ts';
import { checkRange, fitRange } from './range.ts';

/** Options of {@link createMemoryBlobStore}. */
export interface MemoryBlobStoreOptions {
  /** Default: the system clock. */
  readonly now?: () => Date;
  /** Shown as the store's address. Default: `memory:`. */
  readonly address?: string;
}

interface Held {
  readonly bytes: Buffer;
  readonly modifiedAt: Date;
}

/**
 * Makes a blob store that lives in this process's memory, for tests and experiments.
 *
 * @example
 * const store = createMemoryBlobStore();
 * await store.write('greeting', bodyOf('hello')); // 'created'
 */
export function createMemoryBlobStore(options: MemoryBlobStoreOptions = {}): BlobStore {
  const now = options.now ?? (() => new Date());
  const blobs = new Map<string, Held>();

  return {
    address: options.address ?? 'memory:',
    capabilities: { createIfAbsent: 'yes', stalenessMs: 0, localFiles: false, readOnly: false, waits: true },

    async stat(key, { signal }: BlobOptions = {}) {
      checkKey(key);
      stopIfInterrupted(signal, 'blob.stat');
      const held = blobs.get(key);
      return held && { sizeBytes: held.bytes.byteLength, modifiedAt: held.modifiedAt };
    },

    async *read(key, { signal, range }: BlobOptions & { readonly range?: ByteRange } = {}) {
      checkKey(key);
      checkRange(range);
      stopIfInterrupted(signal, 'blob.read');
      const held = blobs.get(key);
      if (held === undefined)
        throw new IngotError('content-not-found', `there is no blob "${key}"`, { details: { key } });
      const { start, end } = fitRange(key, held.bytes.byteLength, range);
      for (let at = start; at < end; at += PIECE_BYTES) {
        stopIfInterrupted(signal, 'blob.read');
        yield Buffer.from(held.bytes.subarray(at, Math.min(end, at + PIECE_BYTES)));
      }
    },

    async write(key, body, { signal, after }: BlobWriteOptions = {}) {
      checkKey(key);
      stopIfInterrupted(signal, 'blob.write');
      if (blobs.has(key)) return 'exists';
      const bytes = await gather(key, body, signal);
      await after;
      if (blobs.has(key)) return 'exists';
      blobs.set(key, { bytes, modifiedAt: now() });
      return 'created';
    },

    async delete(key, { signal }: BlobOptions = {}) {
      checkKey(key);
      stopIfInterrupted(signal, 'blob.delete');
      blobs.delete(key);
    },

    async *list(prefix, { signal, after }: BlobOptions & { readonly after?: string } = {}): AsyncIterable<BlobEntry> {
      const keys = [...blobs.keys()].filter((key) => key.startsWith(prefix)).sort(compareKeys);
      for (const key of keys) {
        stopIfInterrupted(signal, 'blob.list');
        const held = blobs.get(key);
        if (held === undefined || (after !== undefined && compareKeys(key, after) <= 0)) continue;
        yield { key, sizeBytes: held.bytes.byteLength, modifiedAt: held.modifiedAt };
      }
    },
  };
}

const PIECE_BYTES = 1024 * 1024;

async function gather(key: string, body: BlobBody, signal: AbortSignal | undefined): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of body.open()) {
    stopIfInterrupted(signal, 'blob.write');
    pieces.push(Buffer.from(piece));
    length += piece.byteLength;
    if (length > body.sizeBytes) break;
  }
  checkBodySize(key, body.sizeBytes, length);
  return Buffer.concat(pieces, length);
}
