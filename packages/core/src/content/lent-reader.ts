import { type FileHandle, open } from 'node:fs/promises';
import type { BlobStore } from '../blob/blob-store.ts';
import { stopIfInterrupted } from '../blob/interrupt.ts';
import { type Digest, digestOf } from '../digest.ts';
import { IngotError, systemErrorCode } from '../errors.ts';
import type { Recipe } from './content-store.ts';
import { packKey } from './locator.ts';
import { readPieceAgain, readPieces } from './read-pieces.ts';
import { type Piece, pieceSize } from './recipe.ts';
import { RecipeReader } from './recipe-reader.ts';

/** Neighbours are read together up to this length: what is read, hashed and sent at once should stay near the processor. */
const RUN_BYTES = 1024 * 1024;
/** Pages whose checks are remembered: those of some hundred GiB. */
const PAGES_KEPT = 50_000;

/** Options of {@link LentReader.read}. */
export interface LentOptions {
  /** Only these bytes, inside of the content's size. */
  readonly range: { readonly start: number; readonly end: number };
  readonly signal?: AbortSignal;
}

/** Options of {@link LentReader}. */
export interface LentReaderOptions {
  /**
   * For how long a page of pieces that was read whole and found right is not hashed again, as long as nobody has written
   * to the files it lies in. In milliseconds; default: an hour.
   */
  readonly checkedMs?: number;
  /** Default: the system's clock. */
  readonly now?: () => number;
}

/**
 * Streams contents of a store on a local disk through two buffers that are used again and again, for a server that sends
 * the same contents to many: **what it gives holds only until the next is asked for**. Every piece is checked against its
 * digest when it is read, unless all of its page was so within the last hour and no file of it was written to since.
 * Stores elsewhere are read as usual.
 */
export class LentReader {
  readonly #blobs: BlobStore;
  readonly #recipes: RecipeReader;
  readonly #checkedMs: number;
  readonly #now: () => number;
  /** When pages were found right, by digest. */
  readonly #checked = new Map<Digest, number>();

  constructor(blobs: BlobStore, { checkedMs = 3_600_000, now = Date.now }: LentReaderOptions = {}) {
    this.#blobs = blobs;
    this.#recipes = new RecipeReader(blobs);
    this.#checkedMs = checkedMs;
    this.#now = now;
  }

  /**
   * Streams a range of a content of a recipe.
   * @throws IngotError `content-not-found` (the recipe has no such content, or its pack is gone), `integrity` naming it.
   */
  async *read(recipe: Recipe, digest: Digest, { range, signal }: LentOptions): AsyncGenerator<Uint8Array> {
    if (!this.#blobs.capabilities.localFiles) {
      yield* this.#recipes.read(recipe, digest, { range, ...(signal && { signal }) });
      return;
    }
    const slices = this.#recipes.slices(recipe, digest);
    if (slices === undefined)
      throw new IngotError('content-not-found', `the recipe ${recipe.ref.digest} has no content ${digest}`);
    await using packs = new OpenPacks(this.#blobs);
    const shelf = new Shelf(packs, this.#blobs, `content ${digest}`, signal);
    const options = signal === undefined ? {} : { signal };
    const ahead = (n: number): Promise<readonly Piece[]> | undefined => {
      const reading = slices[n] && this.#recipes.slice(slices[n], options);
      // A failure is told when its turn comes.
      reading?.catch(() => {});
      return reading;
    };
    let [at, next] = [0, ahead(0)];
    for (const [n, slice] of slices.entries()) {
      if (at >= range.end) return;
      const pieces = (await next) ?? [];
      next = ahead(n + 1);
      const sizeBytes = pieces.reduce((sum, piece) => sum + pieceSize(piece), 0);
      const isWhole = range.start <= at && at + sizeBytes <= range.end && pieces.length === slice.page.pieces;
      if (at + sizeBytes > range.start) {
        const since = this.#now();
        const trusted = this.#checkedAt(slice.page.digest);
        yield* shelf.lend(pieces, { start: range.start - at, end: range.end - at }, trusted);
        if (isWhole && trusted === undefined) this.#note(slice.page.digest, since);
      }
      at += sizeBytes;
    }
  }

  #checkedAt(page: Digest): number | undefined {
    const at = this.#checked.get(page);
    return at !== undefined && this.#now() - at < this.#checkedMs ? at : undefined;
  }

  #note(page: Digest, at: number): void {
    this.#checked.delete(page);
    this.#checked.set(page, at);
    const [oldest] = this.#checked.keys();
    if (this.#checked.size > PAGES_KEPT && oldest !== undefined) this.#checked.delete(oldest);
  }
}

/** Neighbours in a pack, and where in the slice they begin. */
interface Run {
  readonly pieces: readonly Piece[];
  readonly startAt: number;
  readonly sizeBytes: number;
}

/** A run that was read into a buffer; `changedAt`: when its file was written to last. */
interface ReadRun {
  readonly run: Run;
  readonly bytes: Buffer | undefined;
  readonly changedAt: number;
}

/** Two buffers: while the one is lent, the other is filled. */
class Shelf {
  readonly #packs: OpenPacks;
  readonly #blobs: BlobStore;
  readonly #what: string;
  readonly #signal: AbortSignal | undefined;
  readonly #buffers = [Buffer.alloc(0), Buffer.alloc(0)];
  #turn = 0;

  constructor(packs: OpenPacks, blobs: BlobStore, what: string, signal: AbortSignal | undefined) {
    this.#packs = packs;
    this.#blobs = blobs;
    this.#what = what;
    this.#signal = signal;
  }

  async *lend(
    pieces: readonly Piece[],
    { start, end }: { readonly start: number; readonly end: number },
    trustedSince: number | undefined,
  ): AsyncGenerator<Uint8Array> {
    const isWanted = ({ startAt, sizeBytes }: Omit<Run, 'pieces'>): boolean =>
      startAt + sizeBytes > start && startAt < end;
    const runs = runsOf(pieces).filter(isWanted);
    // What is coded has to be made into other bytes anyway.
    if (runs.some(({ pieces: [first] }) => first?.coding !== undefined)) {
      const from = runs[0]?.startAt ?? 0;
      const wanted = runs.flatMap((run) => run.pieces);
      yield* partOf(this.#read(wanted), Math.max(0, start - from), end - from);
      return;
    }
    let next = this.#begin(runs[0]);
    for (let n = 0; next !== undefined; n += 1) {
      const { run, bytes, changedAt } = await next;
      stopIfInterrupted(this.#signal, 'pull');
      next = this.#begin(runs[n + 1]);
      const isTrusted = trustedSince !== undefined && changedAt < trustedSince;
      const [from, to] = [Math.max(0, start - run.startAt), Math.min(run.sizeBytes, end - run.startAt)];
      if (bytes !== undefined && (isTrusted || isRight(run.pieces, bytes))) yield bytes.subarray(from, to);
      else yield* partOf(this.#mended(run), from, to);
    }
  }

  #begin(run: Run | undefined): Promise<ReadRun> | undefined {
    if (run === undefined) return undefined;
    this.#turn = 1 - this.#turn;
    const reading = this.#fill(run, this.#turn);
    // A failure is told when its turn comes.
    reading.catch(() => {});
    return reading;
  }

  async #fill(run: Run, turn: number): Promise<ReadRun> {
    const [first] = run.pieces;
    const nothing = { run, bytes: undefined, changedAt: Number.POSITIVE_INFINITY };
    if (first === undefined || first.coding !== undefined || run.sizeBytes > RUN_BYTES) return nothing;
    const file = await this.#packs.open(first.pack);
    if (file === undefined) return nothing;
    const bytes = this.#room(turn, run.sizeBytes);
    for (let done = 0; done < bytes.byteLength; ) {
      const { bytesRead } = await file.handle.read(bytes, done, bytes.byteLength - done, first.offset + done);
      if (bytesRead === 0) return nothing;
      done += bytesRead;
    }
    return { run, bytes, changedAt: file.changedAt };
  }

  #room(turn: number, sizeBytes: number): Buffer {
    const known = this.#buffers[turn];
    if (known !== undefined && known.byteLength >= sizeBytes) return known.subarray(0, sizeBytes);
    const made = Buffer.allocUnsafeSlow(sizeBytes > RUN_BYTES / 4 ? RUN_BYTES : sizeBytes);
    this.#buffers[turn] = made;
    return made.subarray(0, sizeBytes);
  }

  /** What could not be read as it lies there is looked for where it went, and told of when it is damaged. */
  async *#mended({ pieces }: Run): AsyncGenerator<Uint8Array> {
    const source = { blobs: this.#blobs, what: this.#what, signal: this.#signal ?? new AbortController().signal };
    if (pieces.length === 1) yield* this.#read(pieces);
    else for (const piece of pieces) yield await readPieceAgain(source, piece);
  }

  #read(pieces: readonly Piece[]): AsyncIterable<Uint8Array> {
    async function* once(): AsyncGenerator<readonly Piece[]> {
      yield pieces;
    }
    return readPieces(this.#blobs, once(), this.#what, this.#signal === undefined ? {} : { signal: this.#signal });
  }
}

/** Files of packs, the last few of which stay open. */
class OpenPacks implements AsyncDisposable {
  static readonly #kept = 8;
  readonly #blobs: BlobStore;
  readonly #open = new Map<string, Promise<OpenPack | undefined>>();

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /** Opens the file of a pack; undefined when there is none. */
  async open(pack: string): Promise<OpenPack | undefined> {
    const known = this.#open.get(pack);
    if (known !== undefined) return await known;
    const opening = this.#openPack(pack);
    this.#open.set(pack, opening);
    const [oldest] = this.#open;
    if (this.#open.size > OpenPacks.#kept && oldest !== undefined) {
      this.#open.delete(oldest[0]);
      await (await oldest[1])?.handle.close();
    }
    return await opening;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opening of this.#open.values()) await (await opening.catch(() => undefined))?.handle.close();
  }

  async #openPack(pack: string): Promise<OpenPack | undefined> {
    try {
      const path = await this.#blobs.localPath?.(packKey(pack));
      if (path === undefined) return undefined;
      const handle = await open(path);
      return { handle, changedAt: (await handle.stat()).ctimeMs };
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }
}

interface OpenPack {
  readonly handle: FileHandle;
  readonly changedAt: number;
}

/** Pieces that are neighbours and not coded make one run; any other is one by itself. */
function runsOf(pieces: readonly Piece[]): readonly Run[] {
  const runs: { pieces: Piece[]; startAt: number; sizeBytes: number }[] = [];
  let previous: Piece | undefined;
  let at = 0;
  for (const piece of pieces) {
    const size = pieceSize(piece);
    const last = runs.at(-1);
    const follows =
      last !== undefined &&
      previous !== undefined &&
      previous.pack === piece.pack &&
      previous.offset + previous.length === piece.offset &&
      previous.coding === undefined &&
      piece.coding === undefined &&
      last.sizeBytes + size <= RUN_BYTES;
    if (follows) {
      last.pieces.push(piece);
      last.sizeBytes += size;
    } else runs.push({ pieces: [piece], startAt: at, sizeBytes: size });
    previous = piece;
    at += size;
  }
  return runs;
}

function isRight(pieces: readonly Piece[], bytes: Buffer): boolean {
  let at = 0;
  return pieces.every(({ digest, length }) => {
    at += length;
    return digestOf(bytes.subarray(at - length, at)) === digest;
  });
}

async function* partOf(stream: AsyncIterable<Uint8Array>, from: number, to: number): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const bytes of stream) {
    const part = bytes.subarray(Math.max(0, from - at), Math.max(0, to - at));
    at += bytes.byteLength;
    if (part.byteLength > 0) yield part;
  }
}
