import type { BlobOptions, BlobStore } from '@ingot/core/blob/blob-store';
import { collect } from '@ingot/core/blob/bytes';
import { decodePiece } from '@ingot/core/content/coding';
import type { Recipe } from '@ingot/core/content/content-store';
import { packKey } from '@ingot/core/content/locator';
import { type Piece, pieceSize } from '@ingot/core/content/recipe';
import type { RecipeReader } from '@ingot/core/content/recipe-reader';
import { createDigester, type Digest } from '@ingot/core/digest';

/** What the pieces of a content make together. */
export interface Whole {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** Reads all pieces of a content, each of which was checked before, and says what they make together. */
export async function wholeOf(
  blobs: BlobStore,
  reader: RecipeReader,
  recipe: Recipe,
  digest: Digest,
  options: BlobOptions,
): Promise<Whole> {
  const digester = createDigester();
  let sizeBytes = 0;
  for await (const pieces of reader.pieces(recipe, digest, options)) {
    for (const run of runsOf(pieces)) {
      const bytes = blobs.read(packKey(run.pack), {
        ...options,
        range: { start: run.offset, end: run.offset + run.length },
      });
      const { coding } = run;
      for await (const some of coding === undefined ? bytes : decoded(run, coding, bytes)) {
        digester.update(some);
        sizeBytes += some.byteLength;
      }
    }
  }
  return { digest: digester.finish(), sizeBytes };
}

async function* decoded(piece: Piece, coding: string, bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  yield decodePiece(coding, await collect(bytes), pieceSize(piece));
}

/** Neighbours in a pack are read together. */
function runsOf(pieces: readonly Piece[]): readonly Piece[] {
  const runs: Piece[] = [];
  for (const piece of pieces) {
    const last = runs.at(-1);
    const follows =
      last?.pack === piece.pack &&
      last.offset + last.length === piece.offset &&
      last.coding === undefined &&
      piece.coding === undefined;
    if (last !== undefined && follows) runs[runs.length - 1] = { ...last, length: last.length + piece.length };
    else runs.push(piece);
  }
  return runs;
}
