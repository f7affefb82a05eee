import type { Digest } from '../digest.ts';
import { isIngotError } from '../errors.ts';
import type { ContentOptions, PageRef, Recipe, RecipeContent, RecipeRef } from './content-store.ts';
import type { Piece } from './recipe.ts';
import type { RecipeReader } from './recipe-reader.ts';
import type { PieceIndex } from './upload-index.ts';

const PAGES_AT_ONCE = 16;

/**
 * What earlier versions have stored already. A recipe or page of theirs that is lost or damaged counts as not there:
 * missing it costs bytes, and what is pushed now is written anew.
 */
export class BaseContents {
  readonly #reader: RecipeReader;
  readonly #recipes: readonly Recipe[];
  /** Packs that the pieces of each page lie in; pages that could not be read are missing. */
  readonly #packs = new Map<Digest, ReadonlySet<string>>();
  readonly #placed = new Map<Recipe, ReadonlyMap<Digest, Placed>>();

  constructor(reader: RecipeReader, recipes: readonly Recipe[]) {
    this.#reader = reader;
    this.#recipes = recipes;
  }

  /** Opens the recipes of earlier versions, newest first. */
  static async open(reader: RecipeReader, refs: readonly RecipeRef[], options: ContentOptions): Promise<BaseContents> {
    const distinct = [...new Map(refs.map((ref) => [ref.digest, ref])).values()];
    const recipes = await Promise.all(distinct.map((ref) => orLost(() => reader.openRecipe(ref, options))));
    return new BaseContents(
      reader,
      recipes.filter((recipe) => recipe !== undefined),
    );
  }

  /** All packs that the recipes rely on. */
  get relied(): readonly string[] {
    return [...new Set(this.#recipes.flatMap(({ packs, ref }) => [...packs, ref.pack]))];
  }

  /** Reads all pages and notes their pieces, where `place` says that they lie now. Default: where their pages say. */
  async fill(
    index: PieceIndex,
    options: ContentOptions,
    place: (piece: Piece) => Piece | undefined = (piece) => piece,
  ): Promise<void> {
    const pages = [
      ...new Map(this.#recipes.flatMap((recipe) => recipe.pages).map((page) => [page.digest, page])).values(),
    ];
    let next = 0;
    const work = async (): Promise<void> => {
      for (let page = pages[next++]; page !== undefined; page = pages[next++]) {
        const at = page;
        const pieces = await orLost(() => this.#reader.page(at, options));
        if (pieces === undefined) continue;
        this.#packs.set(page.digest, new Set(pieces.map(({ pack }) => pack)));
        index.addPage(pieces.flatMap((piece) => place(piece) ?? []));
      }
    };
    await Promise.all(Array.from({ length: PAGES_AT_ONCE }, work));
  }

  /** Finds a content whose pieces are all known and lie in no absent pack; after {@link fill}. */
  find(digest: Digest, absent: ReadonlySet<string>): StoredContent | undefined {
    for (const recipe of this.#recipes) {
      const placed = this.#index(recipe).get(digest);
      if (placed === undefined || placed.content.chunks === 0 || !this.#isWhole(recipe, placed, absent)) continue;
      return { content: placed.content, pieces: (options) => this.#reader.pieces(recipe, digest, options) };
    }
    return undefined;
  }

  /** Says whether some version has a content of this size as one piece longer than pieces are now, as old releases wrote them. */
  hasLongPiece(sizeBytes: number): boolean {
    return this.#recipes.some(({ contents }) =>
      contents.some((content) => content.sizeBytes === sizeBytes && content.chunks === 1),
    );
  }

  /** All pages that can be named again, by digest. */
  pages(absent: ReadonlySet<string>): ReadonlyMap<Digest, PageRef> {
    const pages = this.#recipes.flatMap((recipe) => recipe.pages);
    return new Map(pages.filter((page) => this.#isUsable(page, absent)).map((page) => [page.digest, page]));
  }

  /** All recipes that can be named again. */
  recipes(absent: ReadonlySet<string>): readonly RecipeRef[] {
    const usable = this.#recipes.filter(({ ref, packs }) => ![...packs, ref.pack].some((pack) => absent.has(pack)));
    return usable.map(({ ref }) => ref);
  }

  #isUsable({ digest, pack }: PageRef, absent: ReadonlySet<string>): boolean {
    const packs = this.#packs.get(digest);
    return packs !== undefined && !absent.has(pack) && ![...packs].some((used) => absent.has(used));
  }

  #isWhole(recipe: Recipe, { content, first }: Placed, absent: ReadonlySet<string>): boolean {
    let at = 0;
    for (const page of recipe.pages) {
      const covers = at < first + content.chunks && at + page.pieces > first;
      if (covers && !this.#isUsable(page, absent)) return false;
      at += page.pieces;
    }
    return true;
  }

  #index(recipe: Recipe): ReadonlyMap<Digest, Placed> {
    const known = this.#placed.get(recipe);
    if (known !== undefined) return known;
    const placed = new Map<Digest, Placed>();
    let first = 0;
    for (const content of recipe.contents) {
      if (!placed.has(content.digest)) placed.set(content.digest, { content, first });
      first += content.chunks;
    }
    this.#placed.set(recipe, placed);
    return placed;
  }
}

/** A content, and where its pieces begin in the list that all pages make. */
interface Placed {
  readonly content: RecipeContent;
  readonly first: number;
}

/** A content that an earlier version has. */
export interface StoredContent {
  readonly content: RecipeContent;
  pieces(options: ContentOptions): AsyncIterable<readonly Piece[]>;
}

async function orLost<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isIngotError(error, 'content-not-found', 'integrity')) return undefined;
    throw error;
  }
}
