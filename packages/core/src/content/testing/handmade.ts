/** Stores whose packs, pages and recipes are laid out by hand, for tests of what reads them. */

import type { BlobStore } from '../../blob/blob-store.ts';
import { type Digest, digestOf } from '../../digest.ts';
import { encodePiece } from '../coding.ts';
import type { PageRef, Recipe, RecipeContent } from '../content-store.ts';
import { packKey } from '../locator.ts';
import { type PackEntry, packOf } from '../pack.ts';
import { encodePage, encodeRecipe, type Piece } from '../recipe.ts';

/** A file and how it is cut. */
export interface HandmadeFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Length of its pieces. Default: one piece. */
  readonly cut?: number;
  /** Whether pieces are coded where that helps. Default: false. */
  readonly coded?: boolean;
}

/** Where pieces of earlier recipes lie, by digest. */
export type KnownPieces = Map<Digest, Piece>;

/**
 * Writes files into packs of an upload and gives the recipe. Pieces that `known` has are not written again; new ones
 * are added to it.
 */
export async function storeByHand(
  blobs: BlobStore,
  upload: string,
  files: readonly HandmadeFile[],
  options: { readonly packBytes?: number; readonly pagePieces?: number; readonly known?: KnownPieces } = {},
): Promise<Recipe> {
  const { packBytes = 4 * 1024 * 1024, pagePieces = 100, known = new Map() } = options;
  const packs: { readonly id: string; readonly entries: PackEntry[]; bytes: number }[] = [];
  const put = (digest: Digest, stored: Uint8Array) => {
    let pack = packs.at(-1);
    if (pack === undefined || (pack.bytes > 0 && pack.bytes + stored.byteLength > packBytes)) {
      pack = { id: `${upload}/${packs.length}`, entries: [], bytes: 0 };
      packs.push(pack);
    }
    const place = { pack: pack.id, offset: pack.bytes, length: stored.byteLength };
    pack.bytes += stored.byteLength;
    pack.entries.push({
      digest,
      length: stored.byteLength,
      open: async function* () {
        yield stored;
      },
    });
    return place;
  };
  const contents: RecipeContent[] = [];
  const pieces: Piece[] = [];
  for (const file of files) {
    const own = cutFile(file).map((bytes) => pieceOf(bytes, file.coded === true, known, put));
    pieces.push(...own);
    const { path, bytes } = file;
    contents.push({ role: 'file', path, digest: digestOf(bytes), sizeBytes: bytes.byteLength, chunks: own.length });
  }
  const pages: PageRef[] = [];
  for (let at = 0; at < pieces.length; at += pagePieces) {
    const listed = pieces.slice(at, at + pagePieces);
    const bytes = encodePage(listed);
    pages.push({ digest: digestOf(bytes), ...put(digestOf(bytes), bytes), pieces: listed.length });
  }
  const relied = [...new Set([...pieces, ...pages].map(({ pack }) => pack))];
  const bytes = encodeRecipe({ contents, pages, packs: relied });
  const ref = { digest: digestOf(bytes), ...put(digestOf(bytes), bytes) };
  for (const { id, entries } of packs) await blobs.write(packKey(id), packOf(entries));
  return { ref, contents, pages, packs: relied };
}

function cutFile({ bytes, cut = bytes.byteLength }: HandmadeFile): readonly Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength; at += cut) pieces.push(bytes.subarray(at, at + cut));
  return pieces;
}

function pieceOf(
  bytes: Uint8Array,
  isCoded: boolean,
  known: KnownPieces,
  put: (digest: Digest, stored: Uint8Array) => Omit<Piece, 'digest'>,
): Piece {
  const digest = digestOf(bytes);
  const there = known.get(digest);
  if (there !== undefined) return there;
  const coded = isCoded ? encodePiece(bytes) : undefined;
  const place = put(digest, coded?.bytes ?? bytes);
  const piece =
    coded === undefined
      ? { digest, ...place }
      : { digest, ...place, coding: coded.coding, sizeBytes: bytes.byteLength };
  known.set(digest, piece);
  return piece;
}
