import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { EndingReader } from '@ingot/core/content/content-store';
import { IngotError, isIngotError } from '@ingot/core/errors';

/** Files up to this size go through the database, so that one costs about one durable write. */
export const STAGED_BYTES = 256 * 1024;

/** What came, and its size: small bytes at hand, or a stream that is read once. */
export type Incoming =
  | { readonly bytes: Uint8Array }
  | {
      readonly sizeBytes: number;
      readonly stream: AsyncIterable<Uint8Array>;
      /** Reads the same instead of the stream. */
      readonly reader?: EndingReader | undefined;
      dispose(): Promise<void>;
    };

/** Options of {@link receive}. */
export interface ReceiveOptions {
  /** As the sender said it. Default: nobody knows it before the end; a large file is then put aside first. */
  readonly sizeBytes?: number | undefined;
  /** Opens a large file of a known size for reading into memory of the reader's, which costs a part of a stream. */
  readonly blocks?: ((sizeBytes: number) => EndingReader) | undefined;
  /** Folder for that. */
  readonly scratch: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Begins to receive a file: a small one is gathered, a large one is left to be read.
 * @throws IngotError `invalid-request` when it has another size than was said, `interrupted` when the sender goes away.
 */
export async function receive(body: AsyncIterable<Uint8Array>, options: ReceiveOptions): Promise<Incoming> {
  const { sizeBytes, blocks, scratch, signal } = options;
  if (sizeBytes !== undefined && sizeBytes > STAGED_BYTES)
    return { sizeBytes, stream: heard(body), reader: blocks?.(sizeBytes), dispose: async () => {} };
  const pieces: Uint8Array[] = [];
  let doneBytes = 0;
  const rest = heard(body)[Symbol.asyncIterator]();
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
    pieces.push(next.value);
    doneBytes += next.value.byteLength;
    if (doneBytes > (sizeBytes ?? STAGED_BYTES)) break;
  }
  if (sizeBytes !== undefined && doneBytes !== sizeBytes)
    throw new IngotError(
      'invalid-request',
      `the body has ${doneBytes} bytes and not the ${sizeBytes} it was said to have`,
    );
  if (doneBytes <= STAGED_BYTES) return { bytes: Buffer.concat(pieces) };
  return await putAside(joined(pieces, rest), scratch, signal);
}

async function putAside(body: AsyncIterable<Uint8Array>, scratch: string, signal?: AbortSignal): Promise<Incoming> {
  const path = join(scratch, `incoming-${randomBytes(12).toString('hex')}`);
  const dispose = (): Promise<void> => rm(path, { force: true });
  try {
    const file = createWriteStream(path, { mode: 0o600, flags: 'wx' });
    await pipeline(Readable.from(body, { objectMode: false }), file, { ...(signal && { signal }) });
    return { sizeBytes: file.bytesWritten, stream: createReadStream(path), dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function* joined(pieces: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* pieces;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

/** A sender that goes away is no failure of the server. */
async function* heard(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    if (isIngotError(cause)) throw cause;
    throw new IngotError('interrupted', 'the sender went away before the file was whole', { cause });
  }
}
