import type { BlobStore } from '../blob/blob-store.ts';
import { stopIfInterrupted } from '../blob/interrupt.ts';
import type { Digest } from '../digest.ts';
import { IngotError } from '../errors.ts';
import type { Recipe } from './content-store.ts';
import { type KnownPages, streamPages } from './page-stream.ts';
import { damagedIn, nameLost, type PieceSource, readLarge, readPieceAgain } from './read-pieces.ts';
import { type Piece, pieceSize } from './recipe.ts';
import type { PlacedFile } from './restore-job.ts';

/** Where the right bytes are. */
export interface MendSource {
  readonly blobs: BlobStore;
  readonly recipe: Recipe;
  readonly signal: AbortSignal;
  readonly known: KnownPages | undefined;
}

/** Pieces longer than this flow into the file; the others are held. */
const HELD_BYTES = 1024 * 1024;

/**
 * Finds the pieces of a file that are wrong, and fetches them once more. Gives the bytes that were fetched.
 * @param what how messages call the file.
 * @throws IngotError `integrity` naming content, file and pack when a chunk is wrong again.
 */
export async function mendFile(source: MendSource, file: PlacedFile, what: string): Promise<number> {
  let fetchedBytes = 0;
  let at = 0;
  for await (const pieces of piecesOf(source, file.digest)) {
    const ranges = pieces.map((piece): readonly [number, number] => {
      const from = at;
      at += pieceSize(piece);
      return [from, at];
    });
    const found = await file.large.ranges(ranges);
    for (const [n, piece] of pieces.entries()) {
      if (`sha256:${found[n]}` === piece.digest) continue;
      await mendPiece({ blobs: source.blobs, what, signal: source.signal }, file, piece, ranges[n]?.[0] ?? 0);
      fetchedBytes += piece.length;
    }
  }
  if (`sha256:${await file.large.rehash()}` === file.digest) return fetchedBytes;
  throw new IngotError('integrity', `${what} does not have its digest, though each of its chunks does`);
}

async function mendPiece(source: PieceSource, file: PlacedFile, piece: Piece, at: number): Promise<void> {
  stopIfInterrupted(source.signal, 'pull');
  let done = 0;
  try {
    const flows = piece.length > HELD_BYTES && piece.coding === undefined;
    const bytes = flows ? readLarge(source, piece) : [await readPieceAgain(source, piece)];
    for await (const some of bytes) {
      await file.large.put(some, at + done);
      done += some.byteLength;
    }
  } catch (error) {
    throw nameLost(error, piece.pack, source.what, source.blobs.address);
  }
  const [found] = await file.large.ranges([[at, at + pieceSize(piece)]]);
  if (`sha256:${found}` === piece.digest) return;
  throw damagedIn(source.what, piece.pack, `the chunk ${piece.digest} has other bytes now`);
}

async function* piecesOf(
  { blobs, recipe, signal, known }: MendSource,
  digest: Digest,
): AsyncGenerator<readonly Piece[]> {
  const index = recipe.contents.findIndex((content) => content.digest === digest);
  const first = recipe.contents.slice(0, index).reduce((sum, { chunks }) => sum + chunks, 0);
  const end = first + (recipe.contents[index]?.chunks ?? 0);
  let at = 0;
  for await (const { pieces } of streamPages(blobs, recipe, { signal, ...(known && { known }) })) {
    const own = pieces.slice(Math.max(0, first - at), Math.max(0, end - at));
    at += pieces.length;
    if (own.length > 0) yield own;
    if (at >= end) return;
  }
}
