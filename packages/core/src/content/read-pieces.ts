import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import { createDigester, digestOf } from '../digest.ts';
import { IngotError, isIngotError } from '../errors.ts';
import { openSignal } from '../open-signal.ts';
import { decodePiece } from './coding.ts';
import type { Locator } from './content-store.ts';
import { packKey } from './locator.ts';
import { type Piece, pieceSize } from './recipe.ts';
import { readFollowing } from './sweep/moved.ts';

/** Pieces up to this size are checked before any of their bytes are given. */
const HELD_BYTES = 8 * 1024 * 1024;
/** Neighbours are asked for together up to this length, and so many such runs ahead of the reader. */
const RUN_BYTES = 4 * 1024 * 1024;
const RUNS_AHEAD = 4;

/**
 * Streams pieces one after another, decoded, each checked against its digest: a small one before any of it is given, a
 * large one before its end is. Neighbours in a pack come with one request, and the next ones are asked for ahead. A small
 * piece that comes damaged is asked for once more; one whose pack is gone is looked for where the pack was moved to.
 * @param what names the content in errors.
 * @throws IngotError `content-not-found` when a pack is missing, `integrity` when bytes are not what they were.
 */
export async function* readPieces(
  blobs: BlobStore,
  pieces: AsyncIterable<readonly Piece[]>,
  what: string,
  options: BlobOptions,
): AsyncIterable<Uint8Array> {
  const { signal, end } = openSignal(options.signal);
  const source = { blobs, what, signal };
  const ahead: (Promise<readonly Uint8Array[]> | Piece)[] = [];
  try {
    for await (const some of pieces) {
      for (const run of runsOf(some)) {
        ahead.push(begun(source, run));
        if (ahead.length > RUNS_AHEAD) yield* given(source, ahead.shift());
      }
    }
    while (ahead.length > 0) yield* given(source, ahead.shift());
  } finally {
    // A reader that stops early leaves requests behind that nobody waits for.
    end();
  }
}

/** Where pieces are read from, and for what. */
export interface PieceSource {
  readonly blobs: BlobStore;
  /** What is read, for errors. */
  readonly what: string;
  readonly signal: AbortSignal;
}

/** Starts reading a run; a large piece is only read when its turn comes. */
function begun(source: PieceSource, run: readonly Piece[]): Promise<readonly Uint8Array[]> | Piece {
  const [first] = run;
  if (first !== undefined && isLarge(first)) return first;
  const reading = readRun(source, run);
  // A failure is told when its turn comes.
  reading.catch(() => {});
  return reading;
}

async function* given(
  source: PieceSource,
  begun: Promise<readonly Uint8Array[]> | Piece | undefined,
): AsyncIterable<Uint8Array> {
  if (begun === undefined) return;
  if ('digest' in begun) yield* readLarge(source, begun);
  else yield* await begun;
}

function isLarge({ length, coding }: Piece): boolean {
  return length > HELD_BYTES && coding === undefined;
}

function runsOf(pieces: readonly Piece[]): readonly (readonly Piece[])[] {
  const runs: Piece[][] = [];
  let [previous, start]: [Piece | undefined, number] = [undefined, 0];
  for (const piece of pieces) {
    const follows =
      previous?.pack === piece.pack &&
      previous.offset + previous.length === piece.offset &&
      piece.offset + piece.length - start <= RUN_BYTES &&
      !isLarge(piece);
    if (follows) runs.at(-1)?.push(piece);
    else {
      runs.push([piece]);
      start = piece.offset;
    }
    previous = piece;
  }
  return runs;
}

async function readRun(source: PieceSource, run: readonly Piece[]): Promise<readonly Uint8Array[]> {
  const [first, last] = [run[0], run.at(-1)];
  if (first === undefined || last === undefined) return [];
  const bytes = await runBytes(source, first, last);
  const read: Uint8Array[] = [];
  for (const piece of run) {
    const at = piece.offset - first.offset;
    const stored = bytes?.subarray(at, at + piece.length);
    read.push((stored && decoded(piece, stored)) ?? (await readPieceAgain(source, piece)));
  }
  return read;
}

/** The bytes of a run; undefined when each piece has to be looked for by itself. */
async function runBytes({ blobs, signal }: PieceSource, first: Piece, last: Piece): Promise<Uint8Array | undefined> {
  try {
    const range = { start: first.offset, end: last.offset + last.length };
    return await gathered(blobs.read(packKey(first.pack), { range, signal }), range.end - range.start);
  } catch (error) {
    if (isIngotError(error, 'content-not-found', 'integrity')) return undefined;
    throw error;
  }
}

async function gathered(stream: AsyncIterable<Uint8Array>, sizeBytes: number): Promise<Uint8Array | undefined> {
  const pieces: Uint8Array[] = [];
  let count = 0;
  for await (const bytes of stream) {
    pieces.push(bytes);
    count += bytes.byteLength;
  }
  const [only] = pieces;
  if (count !== sizeBytes) return undefined;
  return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces, count);
}

/** The bytes of a piece when they are right. Throws `refused` for an unknown coding. */
function decoded(piece: Piece, stored: Uint8Array): Uint8Array | undefined {
  try {
    const bytes = piece.coding === undefined ? stored : decodePiece(piece.coding, stored, pieceSize(piece));
    return digestOf(bytes) === piece.digest ? bytes : undefined;
  } catch (error) {
    if (isIngotError(error, 'integrity')) return undefined;
    throw error;
  }
}

/**
 * Asks for one piece once more, following where its pack went.
 * @throws IngotError `content-not-found`, `integrity`, naming what is read and the pack.
 */
export async function readPieceAgain({ blobs, what, signal }: PieceSource, piece: Piece): Promise<Uint8Array> {
  const read = async ({ pack, offset, length }: Locator): Promise<Uint8Array | undefined> =>
    gathered(blobs.read(packKey(pack), { range: { start: offset, end: offset + length }, signal }), length);
  let stored: Uint8Array | undefined;
  try {
    stored = await readFollowing(blobs, piece, read, { signal });
  } catch (error) {
    throw nameLost(error, piece.pack, what, blobs.address);
  }
  const bytes = stored && decoded(piece, stored);
  if (bytes === undefined) throw damagedIn(what, piece.pack, `the chunk ${piece.digest} has other bytes now`);
  return bytes;
}

/**
 * Streams one piece that is too large to be held, following where its pack went.
 * @throws IngotError `content-not-found`, `integrity` before its last bytes.
 */
export async function* readLarge(source: PieceSource, piece: Piece): AsyncIterable<Uint8Array> {
  try {
    const { blobs, signal } = source;
    const { pack, bytes } = await readFollowing(blobs, piece, (place) => openPlace(source, place), { signal });
    yield* checkedPiece(source.what, piece, pack, bytes);
  } catch (error) {
    throw nameLost(error, piece.pack, source.what, source.blobs.address);
  }
}

interface OpenPlace {
  readonly pack: string;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Begins to read where a large piece lies; its pack is there once its first bytes have come. */
async function openPlace({ blobs, signal }: PieceSource, { pack, offset, length }: Locator): Promise<OpenPlace> {
  const range = { start: offset, end: offset + length };
  const rest = blobs.read(packKey(pack), { range, signal })[Symbol.asyncIterator]();
  return { pack, bytes: continued(await rest.next(), rest) };
}

async function* continued(
  first: IteratorResult<Uint8Array>,
  rest: AsyncIterator<Uint8Array>,
): AsyncIterable<Uint8Array> {
  try {
    for (let next = first; next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

async function* checkedPiece(
  what: string,
  piece: Piece,
  pack: string,
  stream: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  const digester = createDigester();
  let held: Uint8Array | undefined;
  let count = 0;
  for await (const bytes of stream) {
    digester.update(bytes);
    count += bytes.byteLength;
    // The newest bytes are held back, so its reader never sees the end of wrong ones.
    if (held !== undefined) yield held;
    held = bytes;
  }
  if (count !== piece.length || digester.finish() !== piece.digest)
    throw damagedIn(what, pack, `the chunk ${piece.digest} has other bytes now`);
  if (held !== undefined) yield held;
}

const MEND = 'ingot check --read-data --repair-from STORE   (a mirror, or any store with the same contents)';

/** Says of an error about a pack which content it hits, and what helps; other errors stay what they are. */
export function nameLost(error: unknown, pack: string, what: string, address: string): unknown {
  if (isIngotError(error, 'content-not-found')) {
    return new IngotError('content-not-found', `${what} is lost: its pack ${pack} is missing from ${address}`, {
      hint: MEND,
      details: { pack },
      cause: error,
    });
  }
  if (isIngotError(error, 'integrity') && error.details.pack === undefined) return damagedIn(what, pack, error.message);
  return error;
}

/** An `integrity` error that names a content and the pack in which it is damaged. */
export function damagedIn(what: string, pack: string, why: string): IngotError {
  return new IngotError('integrity', `${what} is damaged in pack ${pack}: ${why}`, {
    hint: MEND,
    details: { pack },
  });
}
