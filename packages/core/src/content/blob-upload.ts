import type { BlobOptions, BlobStore } from '../blob/blob-store.ts';
import type { Digest } from '../digest.ts';
import { IngotError, isIngotError } from '../errors.ts';
import type { BaseContents, StoredContent } from './base-contents.ts';
import { CHUNKER, type ChunkerParameters } from './chunker.ts';
import type {
  ContentBody,
  ContentOptions,
  PutResult,
  RecipeRef,
  SealedUpload,
  Upload,
  UploadPurpose,
} from './content-store.ts';
import { packKey } from './locator.ts';
import { readPackFooter } from './pack.ts';
import { PackWriter } from './pack-writer.ts';
import type { Piece } from './recipe.ts';
import { RecipeWriter } from './recipe-writer.ts';
import { absentPacks, type UploadRoot, uploadRootKey, writeKeptRoot, writeUploadRoot } from './roots.ts';
import { MovedFiles, stops } from './sweep/marks.ts';
import { PieceIndex, wordsOf } from './upload-index.ts';
import { BLOCKS_HELD, cutBytes, Ingest } from './upload-ingest.ts';
import type { LeftPacks, UploadJournal, UploadJournals } from './upload-journal.ts';
import type { FindPieces, UploadCounts } from './upload-placer.ts';

const MAX_ROUNDS = 8;
const FOOTERS_AT_ONCE = 8;

/** How much of an upload is in memory at a time, and in how large pieces it goes out. */
export interface UploadPace {
  /** A pack is closed before the pieces in it grow past this. */
  readonly packBytes: number;
  /** How many packs may be under way at a time. */
  readonly writesAtOnce: number;
  /** Blocks of 1 MiB: those of the packs that are under way or open, and what is being read and worked on. */
  readonly blocks: number;
  /** How many of them may be read and not placed yet. The others are for packs. */
  readonly readAhead: number;
}

/** What an upload needs to know. */
export interface BlobUploadContext {
  readonly blobs: BlobStore;
  readonly id: string;
  readonly purpose: UploadPurpose;
  readonly base: () => Promise<BaseContents>;
  readonly pace: UploadPace;
  readonly parameters: () => Promise<ChunkerParameters>;
  readonly coding: boolean;
  readonly findPieces: FindPieces | undefined;
  readonly journals: UploadJournals | undefined;
  readonly now: () => Date;
  readonly signal: AbortSignal | undefined;
}

/** A content that was put, and what it turned out to be. */
interface Taken {
  readonly body: ContentBody;
  readonly options: ContentOptions;
  digest?: Digest;
  sizeBytes?: number;
}

/** One pass over all contents; a second one is needed when a collection took what the first relied on. */
interface Round {
  readonly ingest: Ingest;
  readonly packs: PackWriter;
  readonly recipe: RecipeWriter;
}

/** One push into a blob store. */
export class BlobUpload implements Upload {
  readonly id: string;
  readonly #context: BlobUploadContext;
  readonly #journal: UploadJournal | undefined;
  readonly #taken: Taken[] = [];
  readonly #index = new PieceIndex();
  readonly #absent = new Set<string>();
  readonly #roots: string[] = [];
  readonly #standing: string[] = [];
  readonly #counts: UploadCounts = { newBytes: 0, newChunks: 0, chunks: 0 };
  readonly #written = { packs: 0, bytes: 0 };
  #base: BaseContents | undefined;
  #filled: Promise<void> | undefined;
  #parameters: ChunkerParameters = CHUNKER;
  #left: readonly LeftPacks[] = [];
  #relied: readonly string[] = [];
  #round: Promise<Round> | undefined;
  #packs = 0;
  #sealed: SealedUpload | undefined;
  #released = false;
  #failure: unknown;

  constructor(context: BlobUploadContext) {
    this.id = context.id;
    this.#context = context;
    this.#journal = context.journals?.open(context.id);
  }

  async put(content: ContentBody, options: ContentOptions = {}): Promise<PutResult> {
    if (this.#sealed !== undefined) throw new IngotError('usage', 'a sealed upload takes no more contents');
    const taken: Taken = { body: content, options };
    this.#taken.push(taken);
    this.#round ??= this.#first();
    return await this.#noting(async () => {
      const result = await (await this.#round)?.ingest.put(content, options);
      if (result === undefined) throw new IngotError('usage', 'the upload is over');
      [taken.digest, taken.sizeBytes] = [result.digest, result.sizeBytes];
      return result;
    });
  }

  async seal(options: ContentOptions = {}): Promise<SealedUpload> {
    if (this.#sealed !== undefined) return this.#sealed;
    return await this.#noting(async () => {
      this.#round ??= this.#first();
      let round = await this.#round;
      for (let n = 1; n <= MAX_ROUNDS; n += 1) {
        const { recipe, relied } = await this.#finish(round);
        if (await this.#rely(relied, options)) return this.#noteSealed(recipe);
        this.#round = this.#again(options);
        round = await this.#round;
      }
      throw new IngotError('unavailable', 'a collection kept condemning what was just written', { operation: 'push' });
    });
  }

  async release(): Promise<void> {
    const kept = this.#sealed?.root;
    for (const key of this.#roots.splice(0)) if (key !== kept) await this.#removeRoot(key);
    await this.#journal?.remove();
    const relied = new Set(this.#relied);
    for (const { packs, forget } of this.#left) if (packs.some((pack) => relied.has(pack))) await forget();
    this.#released = true;
  }

  // Who may create and not delete has published all the same; a collection takes the root.
  async #removeRoot(key: string): Promise<void> {
    try {
      await this.#context.blobs.delete(key);
    } catch (error) {
      if (!isIngotError(error, 'forbidden', 'refused')) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const round = await this.#round?.catch(() => undefined);
    await round?.ingest[Symbol.asyncDispose]();
    await round?.packs.settle();
    if (this.#released) return;
    try {
      // What is sealed may have been published although nobody heard so: an event can be on its way still. Its root stays
      // until a collection gives the upload up, by an event that comes before or after that one.
      if (this.#sealed === undefined) for (const key of this.#roots.splice(0)) await this.#context.blobs.delete(key);
      if (this.#sealed !== undefined || (this.#journal !== undefined && isPassing(this.#failure))) {
        await this.#journal?.leave();
        return;
      }
      // Nobody can name packs of an upload that was never sealed, and without a journal nobody resumes it.
      await this.#journal?.remove();
      for (const pack of this.#standing.splice(0)) await this.#context.blobs.delete(packKey(pack));
    } catch (error) {
      // What cannot be removed now only takes space a while longer: a collection removes it.
      if (!(error instanceof IngotError)) throw error;
    }
  }

  /** Looks at what is stored already, and begins the first pass. */
  async #first(): Promise<Round> {
    const { blobs, journals, signal } = this.#context;
    const options = signal === undefined ? {} : { signal };
    const { parameters } = this.#context;
    const [base, left, cuts] = await Promise.all([this.#context.base(), journals?.left() ?? [], parameters()]);
    [this.#base, this.#left, this.#parameters] = [base, left, cuts];
    const isCut = this.#taken.some(({ body }) => cutBytes(body, cuts) > 0 && !isKnown(body, base));
    const fill = isCut ? this.#fillIndex() : base.fill(this.#index, { ...options, all: false });
    const [absent] = await Promise.all([absentPacks(blobs, base.relied, options), fill]);
    this.#forget(absent);
    await this.#followMoved(base, absent, options);
    await this.#resume(
      left.flatMap(({ packs }) => packs),
      options,
    );
    return this.#begin();
  }

  /** Notes all pieces that earlier versions have: once, and only when a content has to be cut. */
  #fillIndex(): Promise<void> {
    const { signal } = this.#context;
    this.#filled ??= this.#base?.fill(this.#index, { ...(signal && { signal }), all: true });
    return this.#filled ?? Promise.resolve();
  }

  /** Notes where pieces of packs that are gone lie now, if these were moved. */
  async #followMoved(base: BaseContents, absent: ReadonlySet<string>, options: BlobOptions): Promise<void> {
    const moved = new MovedFiles(this.#context.blobs);
    await moved.load([...absent], options);
    if (![...absent].some((pack) => moved.get(pack) !== undefined)) return;
    const place = (piece: Piece): Piece | undefined => {
      if (!absent.has(piece.pack)) return piece;
      const [stop] = [...stops(piece, moved)].slice(-1);
      return stop && { ...piece, ...stop };
    };
    await base.fill(this.#index, { ...options, all: true, place });
  }

  /** Notes what an upload that was cut short has written. */
  async #resume(packs: readonly string[], options: BlobOptions): Promise<void> {
    const left = [...packs];
    const work = async (): Promise<void> => {
      for (let pack = left.shift(); pack !== undefined; pack = left.shift()) {
        const id = pack;
        const entries = await readPackFooter(this.#context.blobs, id, options).catch((error: unknown) => {
          if (isIngotError(error, 'content-not-found', 'integrity')) return [];
          throw error;
        });
        for (const { digest, offset, length, coding } of entries)
          this.#index.add(wordsOf(digest), { pack: id, offset, length, own: false, ...(coding && { coding }) });
      }
    };
    await Promise.all(Array.from({ length: FOOTERS_AT_ONCE }, work));
  }

  #begin(): Round {
    const { blobs, pace, coding, findPieces, signal } = this.#context;
    const { packBytes, writesAtOnce, blocks, readAhead } = pace;
    const [base, parameters] = [this.#base, this.#parameters];
    const packs = new PackWriter({
      blobs,
      packBytes,
      writesAtOnce,
      blocksHeld: BLOCKS_HELD,
      signal,
      nextPack: () => `${this.id}/${this.#packs++}`,
      onPack: (pack, bytes) => this.#notePack(pack, bytes),
    });
    const recipe = new RecipeWriter({
      packs,
      pages: base?.pages(this.#absent) ?? new Map(),
      recipes: base?.recipes(this.#absent) ?? [],
    });
    const find = (body: ContentBody): StoredContent | undefined => {
      const named = namedDigest(body);
      if (named === undefined || base === undefined) return undefined;
      return body.joined === undefined ? base.find(named, this.#absent) : base.join(body, named, this.#absent);
    };
    const hashesFirst = ({ sizeBytes }: ContentBody): boolean =>
      sizeBytes > parameters.maxBytes && base?.hasLongPiece(sizeBytes) === true;
    this.#counts.chunks = 0;
    const ingest = new Ingest({
      index: this.#index,
      packs,
      recipe,
      counts: this.#counts,
      parameters,
      blocks,
      readAhead,
      coding,
      ...(findPieces && { findPieces }),
      find,
      fillIndex: () => this.#fillIndex(),
      hashesFirst,
    });
    return { ingest, packs, recipe };
  }

  /** Takes everything once more, without what a collection took. */
  async #again({ signal }: ContentOptions): Promise<Round> {
    const before = await this.#round;
    await before?.ingest[Symbol.asyncDispose]();
    const round = this.#begin();
    const puts = this.#taken.map(({ body: { onBytes: _, ...body }, digest }) =>
      round.ingest.put({ ...body, ...(digest && { digest }) }, signal === undefined ? {} : { signal }),
    );
    for (const put of puts) put.catch(() => {});
    return round;
  }

  async #finish({ ingest, packs, recipe }: Round): Promise<ReturnType<RecipeWriter['finish']>> {
    await ingest.finish();
    const finished = recipe.finish();
    await packs.finish();
    await this.#journal?.settle();
    this.#relied = finished.relied;
    return finished;
  }

  /** Says on what this upload relies, then whether all of that will stay. */
  async #rely(packs: readonly string[], { signal }: ContentOptions): Promise<boolean> {
    const { blobs, now } = this.#context;
    const options = signal === undefined ? {} : { signal };
    await this.#writeRoot({ upload: this.id, at: now().toISOString(), packs }, options);
    const absent = await absentPacks(blobs, packs, options);
    this.#forget(absent);
    return absent.size === 0;
  }

  async #writeRoot(root: Omit<UploadRoot, 'modelId'>, options: BlobOptions): Promise<void> {
    const { blobs, purpose } = this.#context;
    if (purpose.keptAs !== undefined) {
      this.#roots.push(await writeKeptRoot(blobs, purpose.keptAs, root, options));
      return;
    }
    const { modelId } = purpose;
    const model = typeof modelId === 'string' ? modelId : await modelId();
    const key = uploadRootKey(this.id, this.#roots.length);
    this.#roots.push(key);
    await writeUploadRoot(blobs, key, { ...root, modelId: model }, options);
  }

  #forget(packs: ReadonlySet<string>): void {
    for (const pack of packs) this.#absent.add(pack);
    this.#index.forget(packs);
  }

  #notePack(pack: string, bytes: number): void {
    this.#standing.push(pack);
    this.#journal?.note(pack);
    this.#written.packs += 1;
    this.#written.bytes += bytes;
  }

  async #noteSealed(recipe: RecipeRef): Promise<SealedUpload> {
    const totalBytes = this.#taken.reduce((sum, { body, sizeBytes }) => sum + (sizeBytes ?? body.sizeBytes), 0);
    const { newBytes, newChunks, chunks } = this.#counts;
    this.#sealed = {
      recipe,
      newBytes,
      storedBytes: totalBytes - newBytes,
      newChunks,
      storedChunks: chunks - newChunks,
      packs: this.#written.packs,
      writtenBytes: this.#written.bytes,
      ...(this.#context.purpose.keptAs !== undefined && { root: this.#roots.at(-1) }),
    };
    return this.#sealed;
  }

  async #noting<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#failure ??= error;
      throw error;
    }
  }
}

/** Whether a content need not be read, as far as recipes tell. */
function isKnown(body: ContentBody, base: BaseContents): boolean {
  const named = namedDigest(body);
  if (body.onBytes !== undefined || named === undefined) return false;
  return (body.joined ?? [named]).every((digest) => base.has(digest));
}

function namedDigest({ digest, remembered }: ContentBody): Digest | undefined {
  return digest ?? remembered;
}

/** Whether the same push may work later: then what it has written is worth keeping. */
function isPassing(error: unknown): boolean {
  return isIngotError(error, 'interrupted', 'unavailable', 'timeout', 'overloaded', 'disk-full');
}
