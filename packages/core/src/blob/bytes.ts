import { IngotError } from '../errors.ts';
import type { BlobBody, BlobOptions, BlobStore, ByteRange } from './blob-store.ts';

/** Makes a body of bytes in memory. Text becomes UTF-8. */
export function bodyOf(bytes: Uint8Array | string): BlobBody {
  const buffer = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  return {
    sizeBytes: buffer.byteLength,
    open: async function* () {
      if (buffer.byteLength > 0) yield buffer;
    },
  };
}

/** Collects a stream in memory; for small things only. */
export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

/**
 * Reads a small blob into memory, or gives undefined when there is none. One request.
 * @throws IngotError as {@link BlobStore.read} does, but not `content-not-found`.
 */
export async function readIfPresent(
  store: Pick<BlobStore, 'read'>,
  key: string,
  options: BlobOptions & { readonly range?: ByteRange } = {},
): Promise<Buffer | undefined> {
  try {
    return await collect(store.read(key, options));
  } catch (error) {
    if (error instanceof IngotError && error.code === 'content-not-found') return undefined;
    throw error;
  }
}

/**
 * Refuses a body that gave another number of bytes than it said; every backend calls it.
 * @throws IngotError `integrity`.
 */
export function checkBodySize(key: string, said: number, given: number): void {
  if (said === given) return;
  throw new IngotError(
    'integrity',
    `the body of blob "${key}" gave ${given > said ? 'more than' : `${given} of`} the ${said} bytes it said`,
    {
      operation: 'blob.write',
      details: { key, saidBytes: said, givenBytes: given },
    },
  );
}
