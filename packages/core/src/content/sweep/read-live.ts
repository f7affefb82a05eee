import type { BlobOptions, BlobStore } from '../../blob/blob-store.ts';
import { collect } from '../../blob/bytes.ts';
import { type Digest, digestOf } from '../../digest.ts';
import { IngotError, isIngotError } from '../../errors.ts';
import type { Locator, PageRef, Recipe, RecipeRef } from '../content-store.ts';
import { checkLocator, packKey } from '../locator.ts';
import { type Piece, parsePage, parseRecipe } from '../recipe.ts';
import { inParallel } from './in-parallel.ts';
import type { LiveIndex } from './live-index.ts';
import { readFollowing } from './moved.ts';

const PAGES_AT_ONCE = 16;

/** Sees every piece of a page that is read, once. */
export type OnPage = (page: PageRef, pieces: readonly Piece[]) => void;

/**
 * Reads what versions need, into an index: their recipes, and the pages of these, each page once however many versions
 * share it.
 */
export class LiveReader {
  readonly #blobs: BlobStore;
  readonly #index: LiveIndex;
  readonly #onPage: OnPage | undefined;
  readonly #named = new Map<string, ReadonlySet<string>>();
  /** By digest: the packs of a page's pieces. */
  readonly #pages = new Map<Digest, Promise<readonly string[]>>();

  constructor(blobs: BlobStore, index: LiveIndex, onPage?: OnPage) {
    this.#blobs = blobs;
    this.#index = index;
    this.#onPage = onPage;
  }

  /**
   * Adds all that a recipe needs and gives the packs it names; a recipe that was added before is not read again.
   * @throws IngotError `content-not-found`, `integrity` when the recipe or a page of it cannot be read.
   */
  async add(ref: RecipeRef, options: BlobOptions = {}): Promise<ReadonlySet<string>> {
    const key = `${ref.digest} ${ref.pack} ${ref.offset}`;
    const known = this.#named.get(key);
    if (known !== undefined) return known;
    // Also what cannot be read is needed: whoever mends the store must know.
    this.#index.add(ref, ref.digest);
    const recipe = await readRecipe(this.#blobs, ref, options);
    const named = new Set([ref.pack, ...recipe.packs, ...recipe.pages.map(({ pack }) => pack)]);
    for (const page of recipe.pages) this.#index.add(page, page.digest);
    await inParallel(recipe.pages, PAGES_AT_ONCE, async (page) => {
      for (const pack of await this.#page(page, options)) named.add(pack);
    });
    this.#named.set(key, named);
    return named;
  }

  #page(page: PageRef, options: BlobOptions): Promise<readonly string[]> {
    const known = this.#pages.get(page.digest);
    if (known !== undefined) return known;
    const reading = this.#readPage(page, options);
    this.#pages.set(page.digest, reading);
    reading.catch(() => this.#pages.delete(page.digest));
    return reading;
  }

  async #readPage(page: PageRef, options: BlobOptions): Promise<readonly string[]> {
    const pieces = await readPage(this.#blobs, page, options);
    const packs = new Set<string>();
    for (const piece of pieces) {
      this.#index.add(piece, piece.digest);
      packs.add(piece.pack);
    }
    this.#onPage?.(page, pieces);
    return [...packs];
  }
}

/** Reads a recipe, checked. Throws `content-not-found`, `integrity`. */
export async function readRecipe(blobs: BlobStore, ref: RecipeRef, options: BlobOptions): Promise<Recipe> {
  const what = `the recipe ${ref.digest}`;
  checkLocator(ref, what);
  return parseRecipe(await readDocument(blobs, ref, what, options), ref);
}

/** Reads a page, checked. Throws `content-not-found`, `integrity`. */
export async function readPage(blobs: BlobStore, page: PageRef, options: BlobOptions): Promise<readonly Piece[]> {
  const what = `the page ${page.digest}`;
  const pieces = parsePage(await readDocument(blobs, page, what, options), what);
  if (pieces.length === page.pieces) return pieces;
  throw new IngotError('integrity', `${what} has ${pieces.length} chunks, its recipe says ${page.pieces}`);
}

async function readDocument(
  blobs: BlobStore,
  place: Locator & { readonly digest: Digest },
  what: string,
  options: BlobOptions,
): Promise<Buffer> {
  const bytes = await readRange(blobs, place, what, options);
  if (digestOf(bytes) === place.digest) return bytes;
  throw new IngotError('integrity', `${what} is damaged in pack ${place.pack}`, { details: { pack: place.pack } });
}

/** Reads a range of a pack, or of where it was moved to. Throws `content-not-found`, `integrity`. */
export async function readRange(blobs: BlobStore, place: Locator, what: string, options: BlobOptions): Promise<Buffer> {
  const read = ({ pack, offset, length }: Locator) =>
    collect(blobs.read(packKey(pack), { ...options, range: { start: offset, end: offset + length } }));
  try {
    return await readFollowing(blobs, place, read, options);
  } catch (error) {
    if (isIngotError(error, 'content-not-found'))
      throw new IngotError('content-not-found', `${what} is lost: its pack ${place.pack} is missing`, {
        details: { pack: place.pack },
        cause: error,
      });
    if (!isIngotError(error, 'integrity')) throw error;
    throw new IngotError('integrity', `${what} is damaged in pack ${place.pack}: ${error.message}`, {
      details: { pack: place.pack },
      cause: error,
    });
  }
}
