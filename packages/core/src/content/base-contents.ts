import { type Digest, digestOf } from '../digest.ts';
import type { ContentBody, ContentOptions, PageRef, Recipe, RecipeContent, RecipeRef } from './content-store.ts';
import { orLost } from './page-stream.ts';
import { type Piece, parsePage, parsePagePacks } from './recipe.ts';
import type { PageSlice, RecipeReader } from './recipe-reader.ts';
import type { PieceIndex } from './upload-index.ts';

const EMPTY = digestOf('');

/** What is read of the pages of earlier versions. */
export interface FillOptions extends ContentOptions {
  /** All pieces; or only those that are contents of their own, which is enough while no content has to be cut. */
  readonly all: boolean;
  /** Where a piece lies now. Default: where its page says. */
  readonly place?: (piece: Piece) => Piece | undefined;
}

/**
 * What earlier versions have stored already. A recipe or page of theirs that is lost or damaged counts as not there:
 * missing it costs bytes, and what is pushed now is written anew.
 */
export class BaseContents {
  readonly #reader: RecipeReader;
  readonly #recipes: readonly Recipe[];
  /** Packs that the pieces of each page lie in; pages that could not be read are missing. */
  readonly #packs = new Map<Digest, readonly string[]>();

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

  /** Reads all pages, and notes where pieces lie. */
  async fill(index: PieceIndex, { all, place = (piece) => piece, ...options }: FillOptions): Promise<void> {
    const pages = new Map(this.#recipes.flatMap((recipe) => recipe.pages).map((page) => [page.digest, page]));
    const listed = all ? undefined : new Set(this.#recipes.flatMap(pagesOfSingles));
    for await (const { ref, bytes } of this.#reader.pageBytes([...pages.values()], options)) {
      const what = `the page ${ref.digest}`;
      await orLost(async () => {
        const packs = parsePagePacks(bytes, ref.pieces, what);
        const pieces = listed === undefined || listed.has(ref.digest) ? parsePage(bytes, what) : [];
        index.addPage(pieces.flatMap((piece) => place(piece) ?? []));
        this.#packs.set(ref.digest, packs);
      });
    }
  }

  /** Says whether an earlier version has a content, wherever that lies. */
  has(digest: Digest): boolean {
    return this.#recipes.some((recipe) => this.#reader.slices(recipe, digest) !== undefined);
  }

  /** Finds a content whose pieces are all known and lie in no absent pack; after {@link fill}. */
  find(digest: Digest, absent: ReadonlySet<string>): StoredContent | undefined {
    for (const recipe of this.#recipes) {
      const slices = this.#reader.slices(recipe, digest);
      const content = slices?.[0]?.content;
      if (content === undefined || !slices?.every(({ page }) => this.#isUsable(page, absent))) continue;
      return { content, parts: slices.map((slice) => this.#partOf(slice)) };
    }
    return undefined;
  }

  /** Makes a content of others, one after another; undefined when one of them is not found. */
  join(
    { role, path, sizeBytes, joined = [] }: Pick<ContentBody, 'role' | 'path' | 'sizeBytes' | 'joined'>,
    digest: Digest,
    absent: ReadonlySet<string>,
  ): StoredContent | undefined {
    const parts = joined.filter((part) => part !== EMPTY);
    const found = parts.flatMap((part) => this.find(part, absent) ?? []);
    if (found.length < parts.length) return undefined;
    const chunks = found.reduce((sum, { content }) => sum + content.chunks, 0);
    const content = { role, ...(path !== undefined && { path }), digest, sizeBytes, chunks };
    return { content, parts: found.flatMap(({ parts }) => parts) };
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
    return packs !== undefined && !absent.has(pack) && !packs.some((used) => absent.has(used));
  }

  #partOf(slice: PageSlice): StoredPart {
    const { page, from, goesOn } = slice;
    const pieces = (options: ContentOptions): Promise<readonly Piece[]> => this.#reader.slice(slice, options);
    // Where the content goes on, the page ends by the rule, and not because nothing more was to come.
    if (from > 0 || !goesOn) return { pieces };
    return { pieces, whole: { page, packs: this.#packs.get(page.digest) ?? [] } };
  }
}

/** A content that an earlier version has. */
export interface StoredContent {
  readonly content: RecipeContent;
  readonly parts: readonly StoredPart[];
}

/** Pieces of a stored content, as one page lists them. */
export interface StoredPart {
  pieces(options: ContentOptions): Promise<readonly Piece[]>;
  /** The page, when it lists nothing else and would be cut the same again; and the packs that its pieces lie in. */
  readonly whole?: { readonly page: PageRef; readonly packs: readonly string[] };
}

/** Pages that list contents of one piece. */
function pagesOfSingles({ contents, pages }: Recipe): readonly Digest[] {
  const found: Digest[] = [];
  let [n, behind, first] = [0, pages[0]?.pieces ?? 0, 0];
  for (const { chunks } of contents) {
    while (first >= behind && n < pages.length - 1) behind += pages[++n]?.pieces ?? 0;
    const page = pages[n];
    if (chunks === 1 && page !== undefined) found.push(page.digest);
    first += chunks;
  }
  return found;
}
