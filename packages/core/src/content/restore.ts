/**
 * A *restore* makes files of the contents of a recipe: several ranges of packs at once, each byte written where it
 * belongs as soon as it is here, each file verified by its own SHA-256, which a helping thread computes over what the
 * file holds. A file that is wrong is looked at piece by piece: wrong pieces are fetched once more, and named when they
 * are wrong again. Bytes that lie on this machine already are used and verified in the same way.
 */

import { availableParallelism } from 'node:os';
import type { BlobStore } from '../blob/blob-store.ts';
import { stopIfInterrupted } from '../blob/interrupt.ts';
import { type Digest, digestOf } from '../digest.ts';
import { type OpenSignal, openSignal } from '../open-signal.ts';
import { IngotError } from '../errors.ts';
import type { OnProgress } from '../progress.ts';
import type { Recipe, RecipeContent } from './content-store.ts';
import { type KnownPages, type ReadPage, streamPages } from './page-stream.ts';
import { nameLost, readPieceAgain } from './read-pieces.ts';
import { type Piece, pieceSize } from './recipe.ts';
import { type FileMark, LargeFile } from './restore-file.ts';
import { type Hands, openHands } from './restore-hands.ts';
import type { HandResult } from './restore-hands-program.ts';
import type { PlacedFile, RestoreFile, RestoreJob, SmallFile } from './restore-job.ts';
import { mendFile } from './restore-mend.ts';
import { RestoreTally } from './restore-tally.ts';
import { type LocalPieces, planRestore } from './restore-plan.ts';
import { RangePlanner } from './restore-ranges.ts';
import { Transfer } from './restore-transfer.ts';

/** A content of a recipe, and the file that is to be made of it. */
export interface RestoreTarget {
  readonly digest: Digest;
  /** Path of the file; its directory must be there, the file must not, unless it is gone on with. */
  readonly path: string;
  /** How it is called in messages and progress. */
  readonly name: string;
  /** Permission bits. */
  readonly mode: number;
}

/** What an interrupted restore has written, and what this one writes. Nothing of it is trusted: all is verified again. */
export interface RestoreJournal {
  /** Ranges of a large file, by number of the target. */
  written(target: number): readonly (readonly [from: number, to: number])[];
  /** Notes that a range of a large file is written. */
  add(target: number, from: number, to: number): void;
}

/** Options of a restore. */
export interface RestoreOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  /** Bytes that are on this machine. Default: none. */
  readonly sources?: LocalPieces;
  /** Pages that are on this machine. Default: none. */
  readonly known?: KnownPages;
  /** Goes on with what an interrupted restore left in the same places. Default: all files are new. */
  readonly journal?: RestoreJournal;
  /** Sees each page of the recipe, in order. */
  readonly onPage?: (page: ReadPage) => Promise<void> | void;
}

/** What a restore did. */
export interface RestoreResult {
  /** For each target, in order, what tells later that the file is the same. */
  readonly files: readonly FileMark[];
  /** Bytes that came from the store, pages included. */
  readonly fetchedBytes: number;
  /** Bytes that were on this machine: in sources, or left by an interrupted restore. */
  readonly foundBytes: number;
}

/** A file with one piece up to this size is made from memory. */
const SMALL_BYTES = 1024 * 1024;
/** Less than this is not worth a thread. */
const THREAD_BYTES = 16 * 1024 * 1024;
const THREAD_FILES = 400;
const MOST_THREADS = 2;
/**
 * Requests at a time: over a line that is late a connection takes a while to become fast, and waits a round trip between
 * two answers; on a disk of this machine more would not help. Of long ones fewer, so that memory stays bounded and reads
 * are long.
 */
const REMOTE_LANES = 24;
const LOCAL_LANES = 4;
const CHECKED_FILES = 256;
const EMPTY = digestOf('');

/**
 * Makes the files. What it makes is verified, and not yet durable. When it fails, what was made stays where it is.
 * @throws IngotError `content-not-found`, `integrity` naming content, file and pack, `interrupted`; the system's own
 * errors of writing.
 */
export async function restoreContents(
  blobs: BlobStore,
  recipe: Recipe,
  targets: readonly RestoreTarget[],
  options: RestoreOptions = {},
): Promise<RestoreResult> {
  const restore = new Restore(blobs, recipe, targets, options);
  return await restore.run();
}

class Restore {
  readonly #blobs: BlobStore;
  readonly #recipe: Recipe;
  readonly #targets: readonly RestoreTarget[];
  readonly #options: RestoreOptions;
  readonly #ended: OpenSignal;
  readonly #hands: Hands;
  readonly #transfer: Transfer;
  readonly #tally: RestoreTally;
  /** Contents for which a file was begun. */
  readonly #begun = new Set<Digest>();
  readonly #open = new Set<LargeFile>();
  /** Files that may have become whole. */
  readonly #touched = new Set<PlacedFile>();
  /** Small files whose bytes were wrong or not there. */
  #again: SmallFile[] = [];
  #againHere: SmallFile[] = [];
  #fetchedBytes = 0;
  #foundBytes = 0;

  constructor(blobs: BlobStore, recipe: Recipe, targets: readonly RestoreTarget[], options: RestoreOptions) {
    this.#blobs = blobs;
    this.#recipe = recipe;
    this.#targets = targets;
    this.#options = options;
    this.#ended = openSignal(options.signal);
    this.#tally = new RestoreTally(recipe, targets, options.onProgress);
    this.#hands = openHands(this.#threads());
    this.#transfer = new Transfer({
      blobs,
      hands: this.#hands,
      signal: this.#ended.signal,
      events: {
        onFetched: (bytes) => {
          this.#fetchedBytes += bytes;
        },
        onLanded: (file, at, bytes, from) => this.#landed(file, at, bytes, from),
        onSmall: (files, results, from) => this.#small(files, results, from),
      },
    });
  }

  async run(): Promise<RestoreResult> {
    try {
      // Whoever shows progress knows all sizes from the beginning.
      for (const n of this.#targets.keys()) this.#tally.tell(n, 0, 'store');
      await this.#checkSmall();
      await this.#work(this.#plan());
      await this.#work(this.#planAgain());
      await this.#work(this.#oneByOne());
      await this.#copyTwins();
      stopIfInterrupted(this.#options.signal, 'pull');
      return { files: this.#tally.marks(), fetchedBytes: this.#fetchedBytes, foundBytes: this.#foundBytes };
    } finally {
      // First whoever reads the files, then the files.
      await this.#hands[Symbol.asyncDispose]();
      for (const file of this.#open) await file.abandon();
    }
  }

  #threads(): number {
    if (this.#tally.sizeBytes < THREAD_BYTES && this.#targets.length < THREAD_FILES) return 0;
    return Math.min(MOST_THREADS, availableParallelism());
  }

  #plan(): AsyncGenerator<RestoreJob> {
    const { known, onPage, sources } = this.#options;
    const onFetched = (bytes: number): void => {
      this.#fetchedBytes += bytes;
    };
    return planRestore({
      recipe: this.#recipe,
      pages: streamPages(this.#blobs, this.#recipe, { signal: this.#ended.signal, onFetched, ...(known && { known }) }),
      fileOf: (content, first) => this.#fileOf(content, first),
      onThere: (file, bytes) => {
        this.#foundBytes += bytes;
        this.#tally.tell(file.target, bytes, 'local');
      },
      ...(sources && { sources }),
      ...(onPage && { onPage }),
    });
  }

  /** Small files that a source on this machine did not give are planned once more, from the store. */
  async *#planAgain(): AsyncGenerator<RestoreJob> {
    const files = this.#againHere;
    this.#againHere = [];
    const planner = new RangePlanner<RestoreFile>();
    for (const file of files) {
      if (file.piece === undefined) continue;
      for (const range of planner.add(file, 0, file.piece, true)) yield { kind: 'range', range };
    }
    for (const range of planner.finish()) yield { kind: 'range', range };
  }

  async *#oneByOne(): AsyncGenerator<RestoreJob> {
    const files = this.#again;
    this.#again = [];
    for (const file of files) yield { kind: 'again', file };
  }

  /** Carries out jobs, several at a time. The first failure ends the others and is thrown. */
  async #work(jobs: AsyncGenerator<RestoreJob>): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    const lane = async (): Promise<void> => {
      for (;;) {
        const next = await jobs.next();
        if (next.done === true || failure !== undefined) return;
        await this.#job(next.value);
      }
    };
    const lanes = this.#blobs.capabilities.localFiles ? LOCAL_LANES : REMOTE_LANES;
    const guarded = async (): Promise<void> => {
      try {
        await lane();
      } catch (error) {
        failure ??= { error };
        this.#ended.end();
      }
    };
    await Promise.all(Array.from({ length: lanes }, guarded));
    stopIfInterrupted(this.#options.signal, 'pull');
    if (failure !== undefined) throw failure.error;
  }

  async #job(job: RestoreJob): Promise<void> {
    stopIfInterrupted(this.#ended.signal, 'pull');
    switch (job.kind) {
      case 'range':
        await this.#range(job.range);
        break;
      case 'local':
        await this.#transfer.local(job.run);
        break;
      case 'copy':
        return await this.#transfer.copies(job.files);
      case 'empty':
        return await this.#transfer.small(
          new Uint8Array(0),
          job.files.map((file) => ({ ...file, at: 0 })),
        );
      case 'again':
        return await this.#fetchAgain(job.file);
      case 'finish':
        this.#touched.add(job.file);
        break;
    }
    for (const file of this.#touched) {
      this.#touched.delete(file);
      await this.#finishWhenWhole(file);
    }
  }

  async #range(range: Parameters<Transfer['range']>[0]): Promise<void> {
    try {
      await this.#transfer.range(range);
    } catch (error) {
      const file = range.parts[0]?.file;
      throw file === undefined
        ? error
        : nameLost(error, range.pack, this.#tally.what(file.target), this.#blobs.address);
    }
  }

  async #fileOf(content: RecipeContent, first: Piece | undefined): Promise<RestoreFile | undefined> {
    const n = this.#tally.firstOf(content.digest);
    const target = n === undefined ? undefined : this.#targets[n];
    // A content that the recipe lists twice is made once.
    if (n === undefined || target === undefined || this.#tally.isMade(n) || this.#begun.has(content.digest))
      return undefined;
    this.#begun.add(content.digest);
    const { digest, sizeBytes, chunks } = content;
    if ((chunks === 0) !== (digest === EMPTY))
      throw new IngotError('integrity', `${this.#tally.what(n)} is listed as empty, which it is not`);
    const { path, mode } = target;
    if (chunks === 0) return { target: n, path, mode, digest, sizeBytes };
    if (chunks === 1 && sizeBytes <= SMALL_BYTES && first !== undefined && pieceSize(first) === sizeBytes)
      return { target: n, path, mode, digest, sizeBytes, piece: first };
    const large = new LargeFile({ id: n, path, mode, sizeBytes, hands: this.#hands });
    this.#open.add(large);
    if (this.#options.journal !== undefined) await large.resume(this.#options.journal.written(n));
    return { target: n, digest, large, planned: false, finished: false };
  }

  /** Takes over the small files that an interrupted restore left whole. */
  async #checkSmall(): Promise<void> {
    if (this.#options.journal === undefined) return;
    const small = this.#targets.flatMap(({ digest, path, mode }, target): SmallFile[] => {
      const sizeBytes = this.#tally.sizeOf(digest);
      return sizeBytes > SMALL_BYTES || this.#tally.firstOf(digest) !== target
        ? []
        : [{ target, path, mode, digest, sizeBytes }];
    });
    for (let at = 0; at < small.length; at += CHECKED_FILES) {
      stopIfInterrupted(this.#ended.signal, 'pull');
      const files = small.slice(at, at + CHECKED_FILES);
      const results = await this.#hands.check(
        files.map((file) => ({ ...file, sha256: file.digest.slice('sha256:'.length) })),
      );
      for (const [n, file] of files.entries()) if (results[n]?.good === true) this.#made(file, results[n], 'local');
    }
  }

  #landed(file: PlacedFile, at: number, bytes: number, from: 'store' | 'local'): void {
    file.large.landed(at, at + bytes);
    if (from === 'local') this.#foundBytes += bytes;
    this.#options.journal?.add(file.target, at, at + bytes);
    this.#tally.tell(file.target, bytes, from);
    this.#touched.add(file);
  }

  #small(files: readonly SmallFile[], results: readonly HandResult[], from: 'store' | 'local'): void {
    for (const [n, file] of files.entries()) {
      const result = results[n];
      if (result?.good === true) this.#made(file, result, from);
      else if (from === 'local') this.#againHere.push(file);
      else this.#again.push(file);
    }
  }

  #made(file: SmallFile, { mtimeMs, ctimeMs, ino }: HandResult, from: 'store' | 'local'): void {
    this.#tally.made(file.target, { mtimeMs, ctimeMs, ino });
    if (from === 'local') this.#foundBytes += file.sizeBytes;
    this.#tally.tell(file.target, file.sizeBytes, from);
  }

  async #finishWhenWhole(file: PlacedFile): Promise<void> {
    if (!file.planned || file.finished || !file.large.isWhole) return;
    file.finished = true;
    if (`sha256:${await file.large.digest()}` !== file.digest) {
      this.#fetchedBytes += await mendFile(
        { blobs: this.#blobs, recipe: this.#recipe, signal: this.#ended.signal, known: this.#options.known },
        file,
        this.#tally.what(file.target),
      );
    }
    this.#tally.made(file.target, await file.large.finish());
    this.#open.delete(file.large);
  }

  /** Fetches a small file by itself, with an error that names it when it is damaged again. */
  async #fetchAgain(file: SmallFile): Promise<void> {
    if (file.piece === undefined) throw new IngotError('integrity', `${this.#tally.what(file.target)} cannot be made`);
    const source = { blobs: this.#blobs, what: this.#tally.what(file.target), signal: this.#ended.signal };
    const bytes = await readPieceAgain(source, file.piece);
    this.#fetchedBytes += file.piece.length;
    if (digestOf(bytes) !== file.digest)
      throw new IngotError('integrity', `${source.what} does not have its digest, though its only chunk does`);
    await this.#transfer.small(Uint8Array.from(bytes), [{ ...file, at: 0 }]);
    if (!this.#tally.isMade(file.target)) throw new IngotError('integrity', `${source.what} could not be made`);
  }

  /** Makes the files whose contents others have: from those. */
  async #copyTwins(): Promise<void> {
    for (const [first, twin] of this.#tally.twins()) await this.#copyTwin(first, twin);
  }

  async #copyTwin(first: number, n: number): Promise<void> {
    stopIfInterrupted(this.#ended.signal, 'pull');
    const [from, target] = [this.#targets[first]?.path, this.#targets[n]];
    if (from === undefined || target === undefined) return;
    const { digest, path, mode } = target;
    const sizeBytes = this.#tally.sizeOf(digest);
    const file = { path, mode, sizeBytes, sha256: digest.slice('sha256:'.length) };
    const left = this.#options.journal === undefined ? undefined : (await this.#hands.check([file]))[0];
    const result = left?.good === true ? left : (await this.#hands.copy([{ ...file, from, start: 0 }]))[0];
    if (result?.good !== true) throw new IngotError('integrity', `${target.name} could not be copied from ${from}`);
    this.#made({ target: n, path, mode, digest, sizeBytes }, result, 'local');
  }
}
