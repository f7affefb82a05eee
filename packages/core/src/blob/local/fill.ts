import type { BlobBody } from '../blob-store.ts';
import { checkBodySize } from '../bytes.ts';
import { stopIfInterrupted } from '../interrupt.ts';

const SMALL_BYTES = 128 * 1024;
const BUFFER_BYTES = 1024 * 1024;

/** Carries a failure of the caller's body past the handling of failures of the storage. */
export class BodyFailure extends Error {
  override readonly name = 'BodyFailure';
}

/** What a body is written into. */
export interface Fillable {
  write(bytes: Uint8Array, offset: number, length: number): Promise<{ readonly bytesWritten: number }>;
  sync(): Promise<void>;
}

/**
 * Writes a body into an open file and, unless it is `expendable`, flushes it. One write is under way while the next piece is made; small pieces
 * are gathered first.
 * @throws IngotError `integrity` when the body gives another number of bytes than it said; {@link BodyFailure} when the body itself fails.
 */
export async function fill(
  handle: Fillable,
  key: string,
  body: BlobBody,
  { signal, expendable = false }: { readonly signal: AbortSignal | undefined; readonly expendable?: boolean },
): Promise<void> {
  let pending: Promise<void> = Promise.resolve();
  let given = 0;
  try {
    for await (const piece of gathered(own(body), body.sizeBytes)) {
      stopIfInterrupted(signal, 'blob.write');
      await pending;
      given += piece.byteLength;
      if (given > body.sizeBytes) break;
      pending = writeFully(handle, piece);
      pending.catch(() => {});
    }
  } finally {
    await pending;
  }
  checkBodySize(key, body.sizeBytes, given);
  if (!expendable) await handle.sync();
}

/** Gives a body's pieces; its own failures become {@link BodyFailure}. */
export async function* own(body: BlobBody): AsyncIterable<Uint8Array> {
  try {
    yield* body.open();
  } catch (cause) {
    throw new BodyFailure('the body failed', { cause });
  }
}

async function writeFully(handle: Fillable, piece: Uint8Array): Promise<void> {
  for (let done = 0; done < piece.byteLength; ) {
    done += (await handle.write(piece, done, piece.byteLength - done)).bytesWritten;
  }
}

/**
 * Gathers small pieces into larger ones, so that few calls move many bytes.
 * @param sizeBytes how many there are at most; spares memory. Default: not known.
 */
export async function* gathered(
  pieces: AsyncIterable<Uint8Array>,
  sizeBytes = Number.POSITIVE_INFINITY,
): AsyncIterable<Uint8Array> {
  let buffer: Buffer | undefined;
  let used = 0;
  let left = sizeBytes;
  for await (const piece of pieces) {
    if (buffer !== undefined && used + piece.byteLength > buffer.byteLength) {
      yield buffer.subarray(0, used);
      buffer = undefined;
    }
    if (piece.byteLength >= SMALL_BYTES) {
      if (buffer !== undefined) yield buffer.subarray(0, used);
      buffer = undefined;
      left -= piece.byteLength;
      yield piece;
      continue;
    }
    if (buffer === undefined) {
      buffer = Buffer.allocUnsafeSlow(Math.max(piece.byteLength, Math.min(BUFFER_BYTES, left)));
      used = 0;
    }
    buffer.set(piece, used);
    used += piece.byteLength;
    left -= piece.byteLength;
  }
  if (buffer !== undefined && used > 0) yield buffer.subarray(0, used);
}
