import { type Digest, digestOf } from '../digest.ts';
import type { ContentRole, Locator, PageRef, RecipeContent, RecipeRef } from './content-store.ts';
import type { PackWriter } from './pack-writer.ts';
import { encodePage, encodeRecipe, endsPage, type Piece } from './recipe.ts';

/** What a recipe writer may share with earlier versions. */
export interface RecipeWriterContext {
  readonly packs: PackWriter;
  /** Pages that need not be written. */
  readonly pages: ReadonlyMap<Digest, PageRef>;
  /** Recipes that need not be written. */
  readonly recipes: readonly RecipeRef[];
}

interface PlacedPage {
  readonly digest: Digest;
  readonly pieces: number;
  place: Locator | undefined;
}

/** Writes a recipe while its pieces become known: each page goes into a pack as soon as it is cut. */
export class RecipeWriter {
  readonly #context: RecipeWriterContext;
  readonly #contents: RecipeContent[] = [];
  readonly #pages: PlacedPage[] = [];
  readonly #own = new Map<Digest, PlacedPage>();
  readonly #relied = new Set<string>();
  #page: Piece[] = [];

  constructor(context: RecipeWriterContext) {
    this.#context = context;
  }

  /** Begins a content: its pieces come next, then {@link content}. */
  begin(role: ContentRole): void {
    // Documents change with every version; they must not change the page that the last files are in.
    if (role !== 'file' && this.#contents.at(-1)?.role === 'file') this.#endPage();
  }

  /** Adds the next piece of the content that was begun. */
  piece(piece: Piece): void {
    this.#page.push(piece);
    this.#relied.add(piece.pack);
    if (endsPage(piece, this.#page.length)) this.#endPage();
  }

  /** Whether the next piece begins a page. */
  get isBetweenPages(): boolean {
    return this.#page.length === 0;
  }

  /** Adds the next pieces of the content that was begun as a page of an earlier version lists them, without reading it. */
  page(page: PageRef, packs: readonly string[]): void {
    const { digest, pieces } = page;
    this.#pages.push({ digest, pieces, place: this.#context.pages.get(digest) ?? page });
    for (const pack of packs) this.#relied.add(pack);
  }

  /** Lists the content whose pieces were just added. */
  content(content: RecipeContent): void {
    this.#contents.push(content);
  }

  #endPage(): void {
    const pieces = this.#page;
    if (pieces.length === 0) return;
    this.#page = [];
    const bytes = encodePage(pieces);
    const digest = digestOf(bytes);
    const known = this.#context.pages.get(digest);
    const placed = this.#own.get(digest) ?? { digest, pieces: pieces.length, place: known };
    this.#pages.push(placed);
    if (known !== undefined || this.#own.has(digest)) return;
    this.#own.set(digest, placed);
    this.#context.packs.addLate(digest, bytes, (place) => {
      placed.place = place;
    });
  }

  /** Writes the recipe behind everything else. Gives where it lies, and all packs that it relies on. */
  finish(): { readonly recipe: RecipeRef; readonly relied: readonly string[] } {
    this.#endPage();
    const { packs, recipes } = this.#context;
    packs.placeLate();
    const pages = this.#pages.map(({ digest, pieces, place }): PageRef => {
      if (place === undefined) throw new TypeError(`page ${digest} has no place`);
      const { pack, offset, length } = place;
      return { digest, pack, offset, length, pieces };
    });
    for (const { pack } of pages) this.#relied.add(pack);
    return this.#known(pages, recipes) ?? this.#write(pages, packs);
  }

  /** The same package again, as an older version has it: then even the recipe is there. */
  #known(pages: readonly PageRef[], recipes: readonly RecipeRef[]) {
    for (const recipe of recipes) {
      const relied = [...new Set(this.#relied).add(recipe.pack)];
      if (digestOf(encodeRecipe({ contents: this.#contents, pages, packs: relied })) === recipe.digest)
        return { recipe, relied };
    }
    return undefined;
  }

  #write(pages: readonly PageRef[], packs: PackWriter) {
    const relied = [...this.#relied.add(packs.currentPack())];
    const bytes = encodeRecipe({ contents: this.#contents, pages, packs: relied });
    const digest = digestOf(bytes);
    return { recipe: { digest, ...packs.addBytes(digest, { bytes }) }, relied };
  }
}
