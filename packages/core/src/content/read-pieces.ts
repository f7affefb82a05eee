import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import { createDigester } from '../digest.ts';
import { IngotError, isIngotError } from '../errors.ts';
import { packKey } from './locator.ts';
import type { Piece } from './recipe.ts';

/** Pieces up to this size are checked before any of their bytes are given. */
const HELD_BYTES = 8 * 1024 * 1024;

/**
 * Streams pieces one after another, each checked against its digest: a small one before any of it is given, a large
 * one before its end is. Neighbours in a pack come with one request.
 * @param what names the content in errors.
 * @throws IngotError `content-not-found` when a pack is missing, `integrity` when bytes are not what they were.
 */
export async function* readPieces(
  blobs: BlobStore,
  pieces: AsyncIterable<readonly Piece[]>,
  what: string,
  options: BlobOptions,
): AsyncIterable<Uint8Array> {
  for await (const some of pieces) {
    for (const run of runsOf(some)) yield* readRun(blobs, run, what, options);
  }
}

function runsOf(pieces: readonly Piece[]): readonly (readonly Piece[])[] {
  const runs: Piece[][] = [];
  let previous: Piece | undefined;
  for (const piece of pieces) {
    const follows = previous?.pack === piece.pack && previous.offset + previous.length === piece.offset;
    if (follows) runs.at(-1)?.push(piece);
    else runs.push([piece]);
    previous = piece;
  }
  return runs;
}

async function* readRun(
  blobs: BlobStore,
  run: readonly Piece[],
  what: string,
  options: BlobOptions,
): AsyncIterable<Uint8Array> {
  const first = run[0];
  const last = run.at(-1);
  if (first === undefined || last === undefined) return;
  const range = { start: first.offset, end: last.offset + last.length };
  const source = new ByteSource(blobs.read(packKey(first.pack), { ...options, range }));
  try {
    for (const piece of run) yield* checkedPiece(source, piece, what);
  } catch (error) {
    throw named(error, first.pack, what, blobs.address);
  } finally {
    await source.close();
  }
}

async function* checkedPiece(source: ByteSource, piece: Piece, what: string): AsyncIterable<Uint8Array> {
  const digester = createDigester();
  const held: Uint8Array[] = [];
  for (let left = piece.length; left > 0; ) {
    const bytes = await source.take(left);
    digester.update(bytes);
    left -= bytes.byteLength;
    held.push(bytes);
    // Of a large piece only the newest bytes are held back, so its reader never sees the end of wrong bytes.
    if (piece.length > HELD_BYTES) while (held.length > 1) yield held.shift() ?? bytes;
  }
  if (digester.finish() !== piece.digest)
    throw damaged(what, piece.pack, `the piece ${piece.digest} has other bytes now`);
  yield* held;
}

function named(error: unknown, pack: string, what: string, address: string): unknown {
  if (isIngotError(error, 'content-not-found')) {
    return new IngotError('content-not-found', `${what} is lost: its pack ${pack} is missing from ${address}`, {
      hint: `restore packs/${pack}.pack from a copy of the store`,
      details: { pack },
      cause: error,
    });
  }
  if (isIngotError(error, 'integrity') && error.details['pack'] === undefined)
    return damaged(what, pack, error.message);
  return error;
}

function damaged(what: string, pack: string, why: string): IngotError {
  return new IngotError('integrity', `${what} is damaged in pack ${pack}: ${why}`, {
    hint: `restore packs/${pack}.pack from a copy of the store`,
    details: { pack },
  });
}

/** Bytes of a stream, taken in amounts the taker chooses. */
class ByteSource {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#iterator = stream[Symbol.asyncIterator]();
  }

  /** Gives some of the next bytes, `most` at most. */
  async take(most: number): Promise<Uint8Array> {
    while (this.#rest.byteLength === 0) {
      const next = await this.#iterator.next();
      if (next.done === true) throw new IngotError('integrity', 'its bytes end too early');
      this.#rest = next.value;
    }
    const taken = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(taken.byteLength);
    return taken;
  }

  async close(): Promise<void> {
    await this.#iterator.return?.();
  }
}
