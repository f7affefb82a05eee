import type { BlobStore } from '../blob/blob-store.ts';
import { collect } from '../blob/bytes.ts';
import { stopIfInterrupted } from '../blob/interrupt.ts';
import { createDigester, type Digest, digestOf } from '../digest.ts';
import { IngotError } from '../errors.ts';
import type {
  ContentOptions,
  ContentReader,
  PageRef,
  ReadOptions,
  Recipe,
  RecipeContent,
  RecipeRef,
} from './content-store.ts';
import { checkLocator } from './locator.ts';
import { readPageBytes } from './page-stream.ts';
import { readPieces } from './read-pieces.ts';
import { type Piece, pieceSize, parsePage, parseRecipe } from './recipe.ts';

const PAGES_KEPT = 16;
const EMPTY = digestOf('');

/** A content, and where its pieces begin in the list that all pages make. */
interface Placed {
  readonly content: RecipeContent;
  readonly first: number;
}

/** The part of a page that lists pieces of one content. */
export interface PageSlice {
  readonly content: RecipeContent;
  readonly page: PageRef;
  readonly from: number;
  readonly to: number;
  /** Whether the content goes on in the next page. */
  readonly goesOn: boolean;
}

/** Reads recipes and contents from packs. */
export class RecipeReader implements ContentReader {
  readonly #blobs: BlobStore;
  readonly #placed = new WeakMap<Recipe, ReadonlyMap<Digest, Placed>>();
  readonly #pages = new Map<Digest, Promise<readonly Piece[]>>();

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  async openRecipe(ref: RecipeRef, options: ContentOptions = {}): Promise<Recipe> {
    const what = `the recipe ${ref.digest}`;
    checkLocator(ref, what);
    return parseRecipe(await collect(this.#read([[ref]], what, options)), ref);
  }

  async *read(recipe: Recipe, digest: Digest, { range, ...options }: ReadOptions = {}): AsyncIterable<Uint8Array> {
    if (range === undefined) yield* this.#readWhole(recipe, digest, options);
    else yield* this.#readRange(recipe, digest, range, options);
  }

  async *#readRange(
    recipe: Recipe,
    digest: Digest,
    { start, end }: NonNullable<ReadOptions['range']>,
    options: ContentOptions,
  ): AsyncIterable<Uint8Array> {
    const content = this.#index(recipe).get(digest)?.content;
    if (content === undefined) throw noContent(recipe, digest);
    const what = `content ${digest}${content.path === undefined ? '' : ` (${content.path})`}`;
    if (start < 0 || end > content.sizeBytes || start > end)
      throw new IngotError('usage', `${what} has no bytes ${start} to ${end}`);
    const within = { start, end, firstAt: 0 };
    let at: number | undefined;
    for await (const bytes of this.#read(overlapping(this.pieces(recipe, digest, options), within), what, options)) {
      stopIfInterrupted(options.signal, 'pull');
      at ??= within.firstAt;
      const part = bytes.subarray(Math.max(0, start - at), Math.max(0, end - at));
      at += bytes.byteLength;
      if (part.byteLength > 0) yield part;
    }
    if ((at ?? start) < end) throw new IngotError('integrity', `${what} ends before its ${content.sizeBytes} bytes`);
  }

  async *#readWhole(recipe: Recipe, digest: Digest, options: ContentOptions): AsyncIterable<Uint8Array> {
    const placed = this.#index(recipe).get(digest);
    if (placed === undefined) throw noContent(recipe, digest);
    const what = `content ${digest}${placed.content.path === undefined ? '' : ` (${placed.content.path})`}`;
    const stream = this.#read(this.pieces(recipe, digest, options), what, options);
    const { sizeBytes, chunks } = placed.content;
    if (chunks === 0 && digest !== EMPTY)
      throw new IngotError('integrity', `${what} is listed as empty, which it is not`);
    const path = placed.content.path ?? placed.content.role;
    let doneBytes = 0;
    for await (const bytes of chunks > 1 ? checkedWhole(stream, digest, what) : stream) {
      stopIfInterrupted(options.signal, 'pull');
      doneBytes += bytes.byteLength;
      if (doneBytes > sizeBytes) throw new IngotError('integrity', `${what} has more than its ${sizeBytes} bytes`);
      options.onProgress?.({ phase: 'fetch', path, doneBytes, totalBytes: sizeBytes });
      yield bytes;
    }
    stopIfInterrupted(options.signal, 'pull');
    if (doneBytes !== sizeBytes)
      throw new IngotError('integrity', `${what} has ${doneBytes} of its ${sizeBytes} bytes`);
  }

  /** Streams the pieces of a content, page by page. */
  async *pieces(recipe: Recipe, digest: Digest, options: ContentOptions = {}): AsyncIterable<readonly Piece[]> {
    for (const slice of this.slices(recipe, digest) ?? []) yield await this.slice(slice, options);
  }

  /** Says which pages list a content; undefined when the recipe has no such content. */
  slices(recipe: Recipe, digest: Digest): readonly PageSlice[] | undefined {
    const placed = this.#index(recipe).get(digest);
    if (placed === undefined) return undefined;
    const { content, first } = placed;
    const end = first + content.chunks;
    const slices: PageSlice[] = [];
    let at = 0;
    for (const page of recipe.pages) {
      const [from, to, next] = [Math.max(first, at), Math.min(end, at + page.pieces), at + page.pieces];
      if (from < to) slices.push({ content, page, from: from - at, to: to - at, goesOn: next < end });
      at = next;
    }
    return slices;
  }

  /** Reads the pieces of a slice. */
  async slice({ content, page, from, to }: PageSlice, options: ContentOptions = {}): Promise<readonly Piece[]> {
    return checkWhole(content, (await this.#page(page, options)).slice(from, to));
  }

  /** Reads the bytes of pages, those that lie together at once. Pages that are lost or damaged are left out. */
  pageBytes(
    pages: readonly PageRef[],
    { signal }: ContentOptions,
  ): AsyncIterable<{ readonly ref: PageRef; readonly bytes: Buffer }> {
    return readPageBytes(this.#blobs, pages, signal ? { signal } : {});
  }

  /** Reads a page; the last few are remembered. */
  async #page(page: PageRef, options: ContentOptions): Promise<readonly Piece[]> {
    const known = this.#pages.get(page.digest);
    const reading = known ?? this.#readPage(page, options);
    this.#pages.delete(page.digest);
    this.#pages.set(page.digest, reading);
    for (const oldest of this.#pages.keys()) {
      if (this.#pages.size <= PAGES_KEPT) break;
      this.#pages.delete(oldest);
    }
    try {
      return await reading;
    } catch (error) {
      this.#pages.delete(page.digest);
      throw error;
    }
  }

  async #readPage(page: PageRef, options: ContentOptions): Promise<readonly Piece[]> {
    const what = `the page ${page.digest}`;
    const pieces = parsePage(await collect(this.#read([[page]], what, options)), what);
    if (pieces.length === page.pieces) return pieces;
    throw new IngotError('integrity', `${what} has ${pieces.length} chunks, its recipe says ${page.pieces}`);
  }

  #read(
    pieces: AsyncIterable<readonly Piece[]> | readonly (readonly Piece[])[],
    what: string,
    { signal }: ContentOptions,
  ) {
    return readPieces(this.#blobs, each(pieces), what, signal ? { signal } : {});
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

function noContent({ ref }: Recipe, digest: Digest): IngotError {
  return new IngotError('content-not-found', `the recipe ${ref.digest} has no content ${digest}`);
}

/** Those of a content's pieces that lie in a range; notes where in the content the first of them begins. */
async function* overlapping(
  pages: AsyncIterable<readonly Piece[]>,
  within: { readonly start: number; readonly end: number; firstAt: number },
): AsyncIterable<readonly Piece[]> {
  let at = 0;
  let found = false;
  for await (const pieces of pages) {
    const some: Piece[] = [];
    for (const piece of pieces) {
      const next = at + pieceSize(piece);
      if (next > within.start && at < within.end) {
        if (!found) within.firstAt = at;
        found = true;
        some.push(piece);
      }
      at = next;
    }
    if (some.length > 0) yield some;
    if (at >= within.end) return;
  }
}

async function* each<T>(items: AsyncIterable<T> | Iterable<T>): AsyncIterable<T> {
  yield* items;
}

// The digest of a content in one piece is that of the piece; otherwise somebody swapped pieces.
function checkWhole(content: RecipeContent, pieces: readonly Piece[]): readonly Piece[] {
  if (content.chunks !== 1 || pieces[0]?.digest === content.digest) return pieces;
  throw new IngotError('integrity', `content ${content.digest} is listed with another chunk, ${pieces[0]?.digest}`);
}

async function* checkedWhole(
  stream: AsyncIterable<Uint8Array>,
  digest: Digest,
  what: string,
): AsyncIterable<Uint8Array> {
  const digester = createDigester();
  let held: Uint8Array | undefined;
  for await (const bytes of stream) {
    digester.update(bytes);
    if (held !== undefined) yield held;
    held = bytes;
  }
  if (digester.finish() !== digest)
    throw new IngotError('integrity', `${what} does not have its digest, though each of its chunks does`);
  if (held !== undefined) yield held;
}
