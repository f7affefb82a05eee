import type { Digest } from '../digest.ts';
import { isIngotError } from '../errors.ts';
import type { ContentOptions, PageRef, Recipe, RecipeRef } from './content-store.ts';
import type { Piece } from './recipe.ts';
import type { RecipeReader } from './recipe-reader.ts';

/**
 * What earlier versions have stored already. A recipe or page of theirs that is lost or damaged counts as not there:
 * missing it costs bytes, and what is pushed now is written anew.
 */
export class BaseContents {
  readonly #reader: RecipeReader;
  readonly #recipes: readonly Recipe[];
  readonly #digests: readonly ReadonlySet<Digest>[];

  constructor(reader: RecipeReader, recipes: readonly Recipe[]) {
    this.#reader = reader;
    this.#recipes = recipes;
    this.#digests = recipes.map(({ contents }) => new Set(contents.map(({ digest }) => digest)));
  }

  /** Opens the recipes of earlier versions, newest first. */
  static async open(reader: RecipeReader, refs: readonly RecipeRef[], options: ContentOptions): Promise<BaseContents> {
    const recipes = await Promise.all(refs.map((ref) => orLost(() => reader.openRecipe(ref, options))));
    return new BaseContents(
      reader,
      recipes.filter((recipe) => recipe !== undefined),
    );
  }

  /** Says whether some earlier version has a content. */
  has(digest: Digest): boolean {
    return this.#digests.some((digests) => digests.has(digest));
  }

  /** Gives the pieces of a content, none of them in an absent pack; undefined when no earlier version has it so. */
  async pieces(
    digest: Digest,
    absent: ReadonlySet<string>,
    options: ContentOptions,
  ): Promise<readonly Piece[] | undefined> {
    for (const [n, recipe] of this.#recipes.entries()) {
      if (!this.#digests[n]?.has(digest)) continue;
      const pieces = await orLost(() => gather(this.#reader.pieces(recipe, digest, options)));
      if (pieces !== undefined && pieces.length > 0 && !pieces.some(({ pack }) => absent.has(pack))) return pieces;
    }
    return undefined;
  }

  /** All pages that do not lie in an absent pack, by digest. */
  pages(absent: ReadonlySet<string>): ReadonlyMap<Digest, PageRef> {
    const pages = this.#recipes.flatMap((recipe) => recipe.pages).filter(({ pack }) => !absent.has(pack));
    return new Map(pages.map((page) => [page.digest, page]));
  }
}

async function orLost<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isIngotError(error, 'content-not-found', 'integrity')) return undefined;
    throw error;
  }
}

async function gather(pages: AsyncIterable<readonly Piece[]>): Promise<readonly Piece[]> {
  const all: Piece[] = [];
  for await (const page of pages) all.push(...page);
  return all;
}
