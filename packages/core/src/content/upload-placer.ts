import { type Digest, digestOf, digestOfHex } from '../digest.ts';
import type { StoredContent } from './base-contents.ts';
import type { CodedPiece } from './coding.ts';
import type { ContentBody, ContentOptions, PutResult } from './content-store.ts';
import type { PackWriter } from './pack-writer.ts';
import { BLOCK_BYTES, type Block } from './pipeline-blocks.ts';
import type { BlockResult, Engine, Span } from './pipeline-engine.ts';
import type { Segment } from './pipeline-thread.ts';
import type { Piece } from './recipe.ts';
import { pieceSize } from './recipe.ts';
import type { RecipeWriter } from './recipe-writer.ts';
import { type DigestWords, type PieceIndex, WORDS, wordsOf } from './upload-index.ts';
import { sourceChanged } from './upload-source.ts';

/** A content on its way through an upload. */
export interface Job {
  readonly body: ContentBody;
  readonly options: ContentOptions;
  resolve(result: PutResult): void;
  reject(error: unknown): void;
  doneBytes: number;
  newBytes: number;
  storedBytes: number;
  chunks: number;
}

/** Bytes of a job in a block; or, with `stored`, a content that need not be read. */
export interface JobSegment extends Segment {
  readonly job: Job;
  readonly stored?: StoredContent;
}

/** Gives the places of those of some pieces that are stored. Never throws for what it cannot find out. */
export type FindPieces = (digests: readonly Digest[]) => Promise<readonly Piece[]>;

/** What an upload has counted. */
export interface UploadCounts {
  newBytes: number;
  newChunks: number;
  /** All chunks that were listed, new or not. */
  chunks: number;
}

/** What a placer works with. */
export interface PlacerContext {
  readonly index: PieceIndex;
  readonly packs: PackWriter;
  readonly recipe: RecipeWriter;
  readonly counts: UploadCounts;
  /** Whether pieces are coded where that makes them smaller. */
  readonly coding: boolean;
  /** Says where pieces lie that no earlier version of the model has, as somebody knows who knows more. Default: nobody does. */
  readonly findPieces?: FindPieces;
  readonly onFailure: (error: unknown) => void;
}

interface FoundPiece extends DigestWords {
  readonly digest: Digest;
  /** Spans in earlier blocks are held until the piece is placed. */
  readonly spans: readonly Span[];
  readonly sizeBytes: number;
  coded?: CodedPiece;
}

interface Part {
  readonly segment: JobSegment;
  readonly pieces: readonly FoundPiece[];
  /** Digest of the content, when it ends here and has one of its own. */
  readonly digest: Digest | undefined;
}

interface Assembled {
  readonly parts: readonly Part[];
  /** Whether enough of the block is new that packs may hold it. */
  readonly dense: boolean;
}

const EMPTY = digestOf('');
const NOTHING: BlockResult = {
  cuts: { ends: new Uint32Array(0), digests: new Uint8Array(0) },
  contents: new Uint8Array(0),
};

/**
 * Decides, block by block and in order, what becomes of each piece: it is known already, or it goes into a pack; and
 * lists it in the recipe. While one block is being placed, the pieces of later ones may already be coded.
 */
export class Placer {
  readonly #context: PlacerContext;
  #assembled: Promise<unknown> = Promise.resolve();
  #placed: Promise<void> = Promise.resolve();
  /** Spans of a piece that goes on in the next block. */
  #begun: Span[] = [];

  constructor(context: PlacerContext) {
    this.#context = context;
  }

  /** Takes a block whose segments the engine works on; gives it back when all of it is placed, which is when the promise ends. */
  take(block: Block, segments: readonly JobSegment[], engine: Engine): Promise<void> {
    const result = segments.some(({ from, to }) => from < to)
      ? engine.submit(block, segments.map(plainSegment))
      : NOTHING;
    const asked = this.#ask(result);
    const assembled = Promise.all([asked, this.#assembled]).then(([done]) => this.#assemble(block, segments, done));
    this.#assembled = assembled;
    const coded = assembled.then((block) => this.#code(block, engine));
    this.#placed = Promise.all([assembled, coded, this.#placed])
      .then(async ([{ parts, dense }]) => {
        for (const part of parts) await this.#place(part, dense);
        block.release();
      })
      .catch((error: unknown) => this.#context.onFailure(error));
    for (const promise of [assembled, coded]) promise.catch(() => {});
    return this.#placed;
  }

  /** Waits until everything that was taken is placed. */
  async finish(): Promise<void> {
    await this.#placed;
  }

  /** Notes where pieces of the block lie that others have stored. Blocks are asked about at once, in whatever order they are answered. */
  #ask(result: BlockResult | Promise<BlockResult>): BlockResult | Promise<BlockResult> {
    const { findPieces, index } = this.#context;
    if (findPieces === undefined || result === NOTHING) return result;
    return Promise.resolve(result).then(async (done) => {
      const { digests: bytes } = done.cuts;
      const words = new Uint32Array(bytes.buffer, bytes.byteOffset, (bytes.byteLength / 32) * WORDS);
      const unknown = digestsIn(bytes).filter((_, n) => index.find({ words, from: n * WORDS }) === undefined);
      for (const { digest, ...place } of await findPieces([...new Set(unknown)]))
        if (index.find(wordsOf(digest)) === undefined) index.add(wordsOf(digest), { ...place, own: false });
      return done;
    });
  }

  #assemble(block: Block, segments: readonly JobSegment[], { cuts, contents }: BlockResult): Assembled {
    const { index } = this.#context;
    const digests = digestsIn(cuts.digests);
    const wholes = digestsIn(contents);
    const words = new Uint32Array(cuts.digests.buffer, cuts.digests.byteOffset, digests.length * WORDS);
    let [cut, content, newBytes] = [0, 0, 0];
    const parts = segments.map((segment): Part => {
      const pieces: FoundPiece[] = [];
      let at = segment.from;
      for (let end = cuts.ends[cut]; end !== undefined && end <= segment.to && end > at; end = cuts.ends[cut]) {
        const spans = [...this.#begun, { block, from: at, to: end }];
        this.#begun = [];
        const piece = { digest: digests[cut] ?? EMPTY, words, from: cut * WORDS, spans, sizeBytes: lengthOf(spans) };
        pieces.push(piece);
        if (index.find(piece) === undefined) newBytes += end - at;
        at = end;
        cut += 1;
      }
      if (at < segment.to) this.#carry({ block, from: at, to: segment.to });
      return { segment, pieces, digest: segment.ends && segment.digested ? wholes[content++] : undefined };
    });
    return { parts, dense: newBytes >= BLOCK_BYTES / 2 };
  }

  #carry(span: Span): void {
    span.block.hold();
    this.#begun.push(span);
  }

  async #code({ parts }: Assembled, engine: Engine): Promise<void> {
    if (!this.#context.coding) return;
    const files = parts.filter(({ segment }) => segment.job.body.role === 'file').flatMap(({ pieces }) => pieces);
    const fresh = files.filter((piece) => this.#context.index.find(piece) === undefined);
    if (fresh.length === 0) return;
    const coded = await engine.code(fresh.map(({ spans }) => spans));
    for (const [n, piece] of fresh.entries()) if (coded[n] !== undefined) piece.coded = coded[n];
  }

  async #place({ segment, pieces, digest }: Part, dense: boolean): Promise<void> {
    const { job, begins, ends, from, to } = segment;
    if (begins) this.#context.recipe.begin(job.body.role);
    for (const piece of pieces) {
      const full = this.#placePiece(job, piece, dense);
      if (full !== undefined) await full;
    }
    if (segment.stored !== undefined) await this.#placeStored(job, segment.stored);
    job.doneBytes += segment.stored === undefined ? to - from : job.body.sizeBytes;
    if (job.body.sizeBytes > 0) report(job);
    if (ends) this.#finishJob(job, this.#digestOf(segment, pieces, digest));
  }

  /** Gives a promise only when it waits for a pack to be closed: there are hundreds of thousands of pieces. */
  #placePiece(job: Job, piece: FoundPiece, dense: boolean): Promise<void> | undefined {
    const known = this.#context.index.find(piece);
    if (known !== undefined) return this.#listPiece(job, piece, known, true);
    const closing = this.#context.packs.room(piece.coded?.bytes.byteLength ?? piece.sizeBytes);
    if (closing === undefined) return this.#packPiece(job, piece, dense);
    return closing.then(() => this.#packPiece(job, piece, dense));
  }

  #packPiece(job: Job, piece: FoundPiece, dense: boolean): undefined {
    const { index, packs, counts } = this.#context;
    const { digest, spans, sizeBytes, coded } = piece;
    const place =
      coded === undefined
        ? packs.add(digest, spans, dense)
        : { ...packs.addBytes(digest, { ...coded, size: sizeBytes }), coding: coded.coding };
    const again = index.wasOwn(piece);
    index.add(piece, { ...place, own: true });
    if (!again) {
      counts.newBytes += sizeBytes;
      counts.newChunks += 1;
    }
    return this.#listPiece(job, piece, place, again);
  }

  #listPiece(
    job: Job,
    { digest, spans, sizeBytes }: FoundPiece,
    place: Omit<Piece, 'digest'>,
    stored: boolean,
  ): undefined {
    this.#list(job, pieceAt(digest, place, sizeBytes), stored);
    for (let n = 0; n < spans.length - 1; n += 1) spans[n]?.block.release();
    return undefined;
  }

  async #placeStored(job: Job, { content, parts }: StoredContent): Promise<void> {
    const { index, recipe, counts } = this.#context;
    const known = content.chunks === 1 ? index.find(wordsOf(content.digest)) : undefined;
    if (known !== undefined) return this.#list(job, pieceAt(content.digest, known, content.sizeBytes), true);
    for (const { pieces, whole } of parts) {
      if (whole !== undefined && recipe.isBetweenPages) {
        recipe.page(whole.page, whole.packs);
        job.chunks += whole.page.pieces;
        counts.chunks += whole.page.pieces;
      } else for (const piece of await pieces(job.options)) this.#list(job, piece, true);
    }
    job.storedBytes = content.sizeBytes;
  }

  #list(job: Job, piece: Piece, stored: boolean): void {
    this.#context.recipe.piece(piece);
    job.chunks += 1;
    if (stored) job.storedBytes += pieceSize(piece);
    else job.newBytes += pieceSize(piece);
    this.#context.counts.chunks += 1;
  }

  #digestOf({ job, stored }: JobSegment, pieces: readonly FoundPiece[], digest: Digest | undefined): Digest {
    if (stored !== undefined) return stored.content.digest;
    return job.body.sizeBytes === 0 && job.body.openEnded !== true ? EMPTY : (digest ?? pieces.at(-1)?.digest ?? EMPTY);
  }

  #finishJob({ body, chunks, doneBytes, newBytes, storedBytes, resolve }: Job, digest: Digest): void {
    const { role, path } = body;
    const sizeBytes = body.openEnded === true ? doneBytes : body.sizeBytes;
    if (body.digest !== undefined && body.digest !== digest)
      throw sourceChanged(body, 'its bytes are others than before');
    this.#context.recipe.content({ role, ...(path === undefined ? {} : { path }), digest, sizeBytes, chunks });
    resolve({ digest, sizeBytes, newBytes, storedBytes });
  }
}

/** Tells how far a content is. */
export function report({ body, options, doneBytes, newBytes, storedBytes }: Job): void {
  options.onProgress?.({
    phase: 'store',
    path: body.path ?? body.role,
    doneBytes,
    totalBytes: body.sizeBytes,
    newBytes,
    storedBytes,
  });
}

function plainSegment({ from, to, begins, ends, whole, digested }: Segment): Segment {
  return { from, to, begins, ends, whole, digested };
}

function pieceAt(digest: Digest, { pack, offset, length, coding }: Omit<Piece, 'digest'>, sizeBytes: number): Piece {
  return { digest, pack, offset, length, ...(coding === undefined ? {} : { coding, sizeBytes }) };
}

function lengthOf(spans: readonly Span[]): number {
  let length = 0;
  for (const { from, to } of spans) length += to - from;
  return length;
}

/** The digests in a list of 32 bytes each. */
function digestsIn(bytes: Uint8Array): readonly Digest[] {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
  return Array.from({ length: bytes.byteLength / 32 }, (_, n): Digest => digestOfHex(hex.slice(n * 64, n * 64 + 64)));
}
