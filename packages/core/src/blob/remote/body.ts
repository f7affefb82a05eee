import type { BlobBody } from '../blob-store.ts';
import { checkBodySize } from '../bytes.ts';
import type { CallWatch } from './watch.ts';

/** The largest slice that is handed to a socket at once, so that progress shows on slow lines too. */
const SLICE_BYTES = 256 * 1024;

/** Carries a failure of the caller's body past the handling of failures of the storage. */
export class BodyFailure extends Error {
  override readonly name = 'BodyFailure';
}

/** Some bytes of a body, in the pieces in which they came. */
export interface BodyPart {
  readonly pieces: readonly Uint8Array[];
  readonly sizeBytes: number;
  /** Where the part begins in the body. */
  readonly start: number;
}

/**
 * Cuts a body into parts of exactly `partBytes` (the last one is shorter), without copying. An empty body is one empty
 * part.
 * @throws {@link BodyFailure} when the body itself fails; IngotError `integrity` when it gives another number of bytes than it said.
 */
export async function* partsOf(
  key: string,
  body: BlobBody,
  partBytes: number,
  watch: CallWatch,
): AsyncGenerator<BodyPart, void, undefined> {
  const incoming = body.open()[Symbol.asyncIterator]();
  let pieces: Uint8Array[] = [];
  let [start, gathered] = [0, 0];
  try {
    for (;;) {
      const next = await nextPiece(incoming, watch);
      if (next === undefined) break;
      // Refused here, so that no part is sent that makes the body too long.
      const given = start + gathered + next.byteLength;
      if (given > body.sizeBytes) checkBodySize(key, body.sizeBytes, given);
      for (let rest = next; rest.byteLength > 0; ) {
        const piece = rest.subarray(0, partBytes - gathered);
        rest = rest.subarray(piece.byteLength);
        pieces.push(piece);
        gathered += piece.byteLength;
        // The last part is given when the body has ended as it said.
        if (gathered < partBytes || start + gathered === body.sizeBytes) continue;
        yield { pieces, sizeBytes: gathered, start };
        [start, gathered, pieces] = [start + gathered, 0, []];
      }
    }
    checkBodySize(key, body.sizeBytes, start + gathered);
    yield { pieces, sizeBytes: gathered, start };
  } finally {
    // A body that hangs must not hold up whoever gave it up.
    if (watch.signal.aborted) void incoming.return?.()?.catch(() => {});
    else await incoming.return?.();
  }
}

/** Collects a whole small body as one part. */
export async function wholeOf(key: string, body: BlobBody, watch: CallWatch): Promise<BodyPart> {
  const parts = partsOf(key, body, Number.MAX_SAFE_INTEGER, watch);
  const { value } = await parts.next();
  await parts.return();
  return value ?? { pieces: [], sizeBytes: 0, start: 0 };
}

/** Cuts pieces into slices for a socket. */
export function* slicesOf(pieces: Iterable<Uint8Array>): Iterable<Uint8Array> {
  for (const piece of pieces) {
    for (let at = 0; at < piece.byteLength; at += SLICE_BYTES) yield piece.subarray(at, at + SLICE_BYTES);
  }
}

async function nextPiece(incoming: AsyncIterator<Uint8Array>, watch: CallWatch): Promise<Uint8Array | undefined> {
  return watch.aside(async () => {
    try {
      const next = await watch.race(Promise.resolve(incoming.next()));
      return next.done ? undefined : next.value;
    } catch (error) {
      watch.signal.throwIfAborted();
      throw new BodyFailure('the body failed', { cause: error });
    }
  });
}
