import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { BlobBody } from '../blob-store.ts';
import { checkBodySize } from '../bytes.ts';
import { stopIfInterrupted } from '../interrupt.ts';

/** Bytes that go out in one request. Pieces are the body's own: nothing is copied. */
export interface Part {
  /** Counts from 1. */
  readonly number: number;
  readonly pieces: readonly Uint8Array[];
  readonly sizeBytes: number;
  readonly sha256: Buffer;
}

/**
 * Cuts a body into parts of `partBytes`, the last one shorter; an empty body is one empty part. A failure of the body is
 * thrown as it is.
 * @throws IngotError `integrity` when the body gives another number of bytes than it said; `interrupted`.
 */
export async function* partsOf(
  key: string,
  body: BlobBody,
  partBytes: number,
  signal: AbortSignal | undefined,
): AsyncIterable<Part> {
  let gathered = startPart(1);
  let given = 0;
  for await (const piece of body.open()) {
    stopIfInterrupted(signal, 'blob.write');
    given += piece.byteLength;
    if (given > body.sizeBytes) break;
    for (let at = 0; at < piece.byteLength; ) {
      const taken = piece.subarray(at, at + partBytes - gathered.sizeBytes);
      gathered.add(taken);
      at += taken.byteLength;
      if (gathered.sizeBytes < partBytes) continue;
      yield gathered.finish();
      gathered = startPart(gathered.number + 1);
    }
  }
  checkBodySize(key, body.sizeBytes, given);
  stopIfInterrupted(signal, 'blob.write');
  if (gathered.sizeBytes > 0 || given === 0) yield gathered.finish();
}

function startPart(number: number) {
  const pieces: Uint8Array[] = [];
  const hash = createHash('sha256');
  return {
    number,
    sizeBytes: 0,
    add(piece: Uint8Array) {
      pieces.push(piece);
      hash.update(piece);
      this.sizeBytes += piece.byteLength;
    },
    finish(): Part {
      return { number, pieces, sizeBytes: this.sizeBytes, sha256: hash.digest() };
    },
  };
}

/** The bytes of a part in the form that the SDK takes; each call gives a fresh stream. */
export function payloadOf({ pieces }: Part): Uint8Array | Readable {
  const [first] = pieces;
  if (first === undefined) return new Uint8Array();
  return pieces.length === 1 ? first : Readable.from(pieces, { objectMode: false });
}
