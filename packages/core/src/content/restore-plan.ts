import type { Digest } from '../digest.ts';
import type { Recipe, RecipeContent } from './content-store.ts';
import type { ReadPage } from './page-stream.ts';
import { type Piece, pieceSize } from './recipe.ts';
import type { LocalRun, PlacedFile, RestoreFile, RestoreJob, SmallFile } from './restore-job.ts';
import { RangePlanner } from './restore-ranges.ts';

/** Where bytes lie on this machine. */
export interface LocalPlace {
  readonly path: string;
  readonly offset: number;
}

/** Finds bytes on this machine by what their digest is said to be. They are verified by whoever uses them. */
export interface LocalPieces {
  find(digest: Digest): LocalPlace | undefined;
}

const COPY_FILES = 256;
const COPY_BYTES = 8 * 1024 * 1024;
const RUN_BYTES = 16 * 1024 * 1024;

/** What a plan is made from. */
export interface RestorePlanInput {
  readonly recipe: Recipe;
  readonly pages: AsyncIterable<ReadPage>;
  /** Gives the file that is to be made of a content; undefined when it is not wanted, or there already. */
  readonly fileOf: (content: RecipeContent, first: Piece | undefined) => Promise<RestoreFile | undefined>;
  readonly sources?: LocalPieces;
  /** Called with bytes of a large file that are there already. */
  readonly onThere: (file: PlacedFile, bytes: number) => void;
  readonly onPage?: (page: ReadPage) => Promise<void> | void;
}

/** Says, content by content, what has to be done to make the files of a recipe. */
export async function* planRestore(input: RestorePlanInput): AsyncGenerator<RestoreJob> {
  const plan = new Plan(input);
  for await (const { content, pieces, begins, ends } of contentsOf(input)) {
    yield* plan.add(content, pieces, begins, ends);
  }
  yield* plan.finish();
}

interface Portion {
  readonly content: RecipeContent;
  readonly pieces: readonly Piece[];
  readonly begins: boolean;
  readonly ends: boolean;
}

/** Deals the pieces of all pages out to the contents they belong to, in portions. */
async function* contentsOf({ recipe, pages, onPage }: RestorePlanInput): AsyncGenerator<Portion> {
  const contents = recipe.contents[Symbol.iterator]();
  let content = nextContent(contents);
  let taken = 0;
  const empty = (): boolean => content !== undefined && content.chunks === 0;
  for await (const page of pages) {
    await onPage?.(page);
    for (let at = 0; at < page.pieces.length; ) {
      while (content !== undefined && empty()) {
        yield { content, pieces: [], begins: true, ends: true };
        content = nextContent(contents);
      }
      if (content === undefined) return;
      const pieces = page.pieces.slice(at, at + content.chunks - taken);
      const begins = taken === 0;
      at += pieces.length;
      taken += pieces.length;
      const ends = taken === content.chunks;
      yield { content, pieces, begins, ends };
      if (!ends) continue;
      content = nextContent(contents);
      taken = 0;
    }
  }
  for (; content !== undefined; content = nextContent(contents)) {
    if (content.chunks === 0) yield { content, pieces: [], begins: true, ends: true };
  }
}

function nextContent(contents: Iterator<RecipeContent>): RecipeContent | undefined {
  const next = contents.next();
  return next.done === true ? undefined : next.value;
}

/** A huge piece in parts, so that an interrupted restore goes on in the middle of it. */
function* partsOf(piece: Piece): Generator<Piece & { readonly skip: number }> {
  if (piece.coding !== undefined || piece.length <= RUN_BYTES) return yield { ...piece, skip: 0 };
  for (let skip = 0; skip < piece.length; skip += RUN_BYTES)
    yield { ...piece, skip, offset: piece.offset + skip, length: Math.min(RUN_BYTES, piece.length - skip) };
}

type CopyFile = SmallFile & { readonly from: string; readonly start: number };

class Plan {
  readonly #input: RestorePlanInput;
  readonly #ranges = new RangePlanner<RestoreFile>();
  #copies: CopyFile[] = [];
  #copyBytes = 0;
  #empty: SmallFile[] = [];
  #run: LocalRun | undefined;
  #file: RestoreFile | undefined;
  /** Where the whole content lies on this machine. */
  #whole: LocalPlace | undefined;
  #at = 0;

  constructor(input: RestorePlanInput) {
    this.#input = input;
  }

  async *add(
    content: RecipeContent,
    pieces: readonly Piece[],
    begins: boolean,
    ends: boolean,
  ): AsyncGenerator<RestoreJob> {
    if (begins) {
      this.#at = 0;
      this.#file = await this.#input.fileOf(content, pieces[0]);
      this.#whole = this.#file && this.#input.sources?.find(content.digest);
    }
    const file = this.#file;
    if (file === undefined) return;
    if (!('large' in file)) return yield* this.#small(file);
    for (const piece of pieces) for (const part of partsOf(piece)) yield* this.#piece(file, piece.digest, part);
    if (!ends) return;
    yield* this.#endRun();
    file.planned = true;
    yield { kind: 'finish', file };
  }

  *finish(): Generator<RestoreJob> {
    yield* this.#endRun();
    yield* this.#endCopies();
    if (this.#empty.length > 0) yield { kind: 'empty', files: this.#empty };
    for (const range of this.#ranges.finish()) yield { kind: 'range', range };
  }

  *#small(file: SmallFile): Generator<RestoreJob> {
    if (file.piece === undefined) {
      this.#empty.push(file);
      return;
    }
    const place = this.#whole;
    if (place === undefined) {
      for (const range of this.#ranges.add(file, 0, file.piece, true)) yield { kind: 'range', range };
      return;
    }
    this.#copies.push({ ...file, from: place.path, start: place.offset });
    this.#copyBytes += file.sizeBytes;
    if (this.#copies.length >= COPY_FILES || this.#copyBytes >= COPY_BYTES) yield* this.#endCopies();
  }

  *#piece(file: PlacedFile, digest: Digest, piece: Piece & { readonly skip: number }): Generator<RestoreJob> {
    const at = this.#at;
    const sizeBytes = pieceSize(piece);
    this.#at += sizeBytes;
    if (file.large.has(at, this.#at)) return this.#input.onThere(file, sizeBytes);
    const whole = this.#whole;
    const found = whole === undefined ? this.#input.sources?.find(digest) : undefined;
    const place =
      whole === undefined
        ? found && { path: found.path, offset: found.offset + piece.skip }
        : { path: whole.path, offset: whole.offset + at };
    if (place === undefined) {
      for (const range of this.#ranges.add(file, at, piece, false)) yield { kind: 'range', range };
      return;
    }
    yield* this.#local({ file, at, from: place.path, start: place.offset, length: sizeBytes });
  }

  *#local(next: LocalRun): Generator<RestoreJob> {
    const run = this.#run;
    const follows =
      run !== undefined &&
      run.file === next.file &&
      run.from === next.from &&
      run.at + run.length === next.at &&
      run.start + run.length === next.start &&
      run.length < RUN_BYTES;
    if (!follows) yield* this.#endRun();
    this.#run = follows ? { ...run, length: run.length + next.length } : next;
  }

  *#endRun(): Generator<RestoreJob> {
    if (this.#run !== undefined) yield { kind: 'local', run: this.#run };
    this.#run = undefined;
  }

  *#endCopies(): Generator<RestoreJob> {
    if (this.#copies.length > 0) yield { kind: 'copy', files: this.#copies };
    this.#copies = [];
    this.#copyBytes = 0;
  }
}
