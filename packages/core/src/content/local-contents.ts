/**
 * *Local contents* are what this machine has of earlier versions: their files, and beside them the recipe they were made
 * from. With that a new version's pieces are found in them, and pages that both versions share need not be fetched.
 */

import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { type Digest, digestOf } from '../digest.ts';
import { isIngotError, systemErrorCode } from '../errors.ts';
import type { Recipe } from './content-store.ts';
import type { KnownPages } from './page-stream.ts';
import { PieceTable } from './piece-table.ts';
import { type Piece, encodeRecipe, pieceSize, parsePage, parseRecipe } from './recipe.ts';
import type { LocalPieces, LocalPlace } from './restore-plan.ts';

/** Files of a package on this machine, and the recipe they were made from. */
export interface LocalCopy {
  /** File with the recipe's bytes. */
  readonly recipe: string;
  /** File with the recipe's pages, one a line. */
  readonly pages: string;
  /** Path of the file that was made of a content; undefined when it is gone or was changed. */
  fileOf(path: string): string | undefined;
}

/** The bytes of a recipe, as {@link LocalContents} reads them. */
export function recipeBytes(recipe: Recipe): Buffer {
  return encodeRecipe(recipe);
}

/** Finds pieces in local files, and pages in the recipes that lie beside them. */
export class LocalContents implements LocalPieces, KnownPages {
  readonly #table = new PieceTable();
  readonly #files: string[] = [];
  readonly #pages = new Map<Digest, { readonly path: string; readonly offset: number; readonly length: number }>();

  /** Reads what lies beside local files. What cannot be read, or is damaged, counts as not there. */
  static async open(copies: readonly LocalCopy[]): Promise<LocalContents> {
    const contents = new LocalContents();
    for (const copy of copies) {
      try {
        await contents.#add(copy);
      } catch (error) {
        if (systemErrorCode(error) === undefined && !isIngotError(error, 'integrity', 'refused')) throw error;
      }
    }
    return contents;
  }

  find(digest: Digest): LocalPlace | undefined {
    const row = this.#table.find(digest);
    const path = row && this.#files[row.file];
    return path === undefined ? undefined : { path, offset: row?.offset ?? 0 };
  }

  async page(digest: Digest): Promise<Uint8Array | undefined> {
    const place = this.#pages.get(digest);
    if (place === undefined) return undefined;
    try {
      const file = await open(place.path, 'r');
      try {
        const bytes = Buffer.alloc(place.length);
        await file.read(bytes, 0, place.length, place.offset);
        return bytes;
      } finally {
        await file.close();
      }
    } catch {
      // What is not here any more is fetched.
      return undefined;
    }
  }

  async #add(copy: LocalCopy): Promise<void> {
    const bytes = await readWhole(copy.recipe);
    const recipe = parseRecipe(bytes, { digest: digestOf(bytes), pack: '', offset: 0, length: bytes.byteLength });
    const place = this.#placer(copy, recipe);
    let n = 0;
    let offset = 0;
    for await (const line of linesOf(copy.pages)) {
      const page = recipe.pages[n];
      n += 1;
      const text = Buffer.from(line);
      if (page === undefined) return;
      const isRight = digestOf(text) === page.digest;
      if (isRight) this.#pages.set(page.digest, { path: copy.pages, offset, length: text.byteLength });
      offset += text.byteLength + 1;
      // Behind a page that is missing nobody knows how far its pieces reach.
      if (!isRight) return;
      for (const piece of parsePage(text, `the page ${page.digest}`)) place(piece);
    }
  }

  /** Gives each piece, in the order of the recipe, its place in the files that were made of it. */
  #placer(copy: LocalCopy, { contents }: Recipe): (piece: Piece) => void {
    let content = -1;
    let [left, at]: [number, number] = [0, 0];
    let file: number | undefined;
    const next = (): void => {
      do {
        content += 1;
        left = contents[content]?.chunks ?? Number.POSITIVE_INFINITY;
        at = 0;
        const { path, digest } = contents[content] ?? {};
        const found = path === undefined ? undefined : copy.fileOf(path);
        file = found === undefined ? undefined : this.#files.push(found) - 1;
        if (file !== undefined && digest !== undefined && left > 0) this.#table.add(digest, file, 0);
      } while (left === 0);
    };
    next();
    return (piece) => {
      if (file !== undefined) this.#table.add(piece.digest, file, at);
      at += pieceSize(piece);
      left -= 1;
      if (left === 0) next();
    };
  }
}

async function readWhole(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    return await file.readFile();
  } finally {
    await file.close();
  }
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const file = await open(path, 'r');
  try {
    yield* createInterface({ input: file.createReadStream({ autoClose: false }), crlfDelay: Number.POSITIVE_INFINITY });
  } finally {
    await file.close();
  }
}
