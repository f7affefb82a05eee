import type { EndingReader } from '@ingot/core/content/content-store';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { beginBody } from './begun-body.ts';
import { STAGED_BYTES } from './blob-context.ts';
import { ociError } from './oci-error.ts';

/** Bytes that a client sends. */
export interface IncomingBody {
  readonly stream: AsyncIterable<Uint8Array>;
  /** How many, as the client said. Undefined: it did not. */
  readonly sizeBytes: number | undefined;
  /** Reads them into memory of the reader's instead of `stream`, which costs a part of it. Default: they are read as a stream. */
  readonly blocks?: OpenBlocks;
}

/**
 * Opens a body for reading into memory of the reader's.
 * @param onStop what becomes of it when its sender stops: reading fails; or it ends there, and the function learns why.
 */
export type OpenBlocks = (onStop: 'fail' | ((why: IngotError) => void)) => EndingReader;

/** What came: little, all of which is here; or much, which is read once, in one of the two ways. */
export type Received =
  | { readonly bytes: Uint8Array }
  | { readonly stream: AsyncIterable<Uint8Array>; readonly blocks?: OpenBlocks };

/**
 * Begins to receive a body; a small one is gathered, a large one is left to be read.
 * @param most bytes that may come.
 * @param gathered how many are gathered. Default: {@link STAGED_BYTES}.
 * @throws IngotError SIZE_INVALID (413) for too many bytes, then or while it is read; `interrupted` when the sender goes
 * away, `timeout` when it stalls.
 */
export async function receiveBody(
  { stream, sizeBytes, blocks }: IncomingBody,
  most: number,
  gathered = STAGED_BYTES,
): Promise<Received> {
  if (sizeBytes !== undefined && sizeBytes > most) throw tooLarge(most);
  if (sizeBytes === undefined && blocks !== undefined) return await beginBody(blocks, { gathered, most, tooLarge });
  const coming = within(heard(stream), most);
  if (sizeBytes !== undefined && sizeBytes > gathered) return { stream: coming, ...(blocks && { blocks }) };
  const pieces: Uint8Array[] = [];
  let doneBytes = 0;
  const rest = coming[Symbol.asyncIterator]();
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
    pieces.push(next.value);
    doneBytes += next.value.byteLength;
    if (doneBytes > gathered) return { stream: joined(pieces, rest) };
  }
  return { bytes: Buffer.concat(pieces) };
}

/** Puts bytes that came before in front of others. */
export async function* after(before: Uint8Array | null, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (before !== null && before.byteLength > 0) yield before;
  yield* rest;
}

/** A body that ends where its sender stops to send: what came is kept, and `stopped` learns why there is no more. */
export async function* untilItStops(
  stream: AsyncIterable<Uint8Array>,
  stopped: (why: IngotError) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } catch (error) {
    if (!isIngotError(error, 'interrupted', 'timeout')) throw error;
    stopped(error);
  }
}

async function* joined(pieces: readonly Uint8Array[], rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* pieces;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

async function* within(stream: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array> {
  let doneBytes = 0;
  for await (const bytes of stream) {
    doneBytes += bytes.byteLength;
    if (doneBytes > most) throw tooLarge(most);
    yield bytes;
  }
}

/** A sender that goes away is no failure of the server. */
async function* heard(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    if (isIngotError(cause)) throw cause;
    throw new IngotError('interrupted', 'the sender went away before all of the blob had come', { cause });
  }
}

function tooLarge(most: number): IngotError {
  return ociError('SIZE_INVALID', `the blob is larger than the ${most} bytes that this registry takes here`, {
    status: 413,
  });
}
