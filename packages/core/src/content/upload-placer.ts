import { type Digest, digestOf } from '../digest.ts';
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
import { bytesOf, type PieceIndex } from './upload-index.ts';
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
  readonly onFailure: (error: unknown) => void;
}

interface FoundPiece {
  readonly digest: Uint8Array;
  /** Spans in earlier blocks are held until the piece is placed. */
  readonly spans: readonly Span[];
  readonly sizeBytes: number;
  coded?: CodedPiece;
}

interface Part {
  readonly segment: JobSegment;
  readonly pieces: readonly FoundPiece[];
  /** Digest of the content, when it ends here and has one of its own. */
  readonly digest: Uint8Array | undefined;
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

  /** Takes a block whose segments the engine works on; gives it back when all of it is placed. */
  take(block: Block, segments: readonly JobSegment[], engine: Engine): void {
    const result = segments.some(({ from, to }) => from < to)
      ? engine.submit(block, segments.map(plainSegment))
      : NOTHING;
    const assembled = Promise.all([result, this.#assembled]).then(([done]) => this.#assemble(block, segments, done));
    this.#assembled = assembled;
    const coded = assembled.then((block) => this.#code(block, engine));
    this.#placed = Promise.all([assembled, coded, this.#placed])
      .then(async ([{ parts, dense }]) => {
        for (const part of parts) await this.#place(part, dense);
        block.release();
      })
      .catch((error: unknown) => this.#context.onFailure(error));
    for (const promise of [assembled, coded]) promise.catch(() => {});
  }

  /** Waits until everything that was taken is placed. */
  async finish(): Promise<void> {
    await this.#placed;
  }

  #assemble(block: Block, segments: readonly JobSegment[], { cuts, contents }: BlockResult): Assembled {
    let [cut, content, newBytes] = [0, 0, 0];
    const parts = segments.map((segment): Part => {
      const pieces: FoundPiece[] = [];
      let at = segment.from;
      for (let end = cuts.ends[cut]; end !== undefined && end <= segment.to && end > at; end = cuts.ends[cut]) {
        const piece = this.#endPiece({ block, from: at, to: end }, cuts.digests.subarray(cut * 32, cut * 32 + 32));
        pieces.push(piece);
        if (this.#context.index.find(piece.digest) === undefined) newBytes += end - at;
        at = end;
        cut += 1;
      }
      if (at < segment.to) this.#carry({ block, from: at, to: segment.to });
      const own = segment.ends && segment.digested;
      return { segment, pieces, digest: own ? contents.subarray(content++ * 32, content * 32) : undefined };
    });
    return { parts, dense: newBytes >= BLOCK_BYTES / 2 };
  }

  #endPiece(last: Span, digest: Uint8Array): FoundPiece {
    const spans = [...this.#begun, last];
    this.#begun = [];
    return { digest, spans, sizeBytes: spans.reduce((sum, { from, to }) => sum + to - from, 0) };
  }

  #carry(span: Span): void {
    span.block.hold();
    this.#begun.push(span);
  }

  async #code({ parts }: Assembled, engine: Engine): Promise<void> {
    if (!this.#context.coding) return;
    const files = parts.filter(({ segment }) => segment.job.body.role === 'file').flatMap(({ pieces }) => pieces);
    const fresh = files.filter(({ digest }) => this.#context.index.find(digest) === undefined);
    if (fresh.length === 0) return;
    const coded = await engine.code(fresh.map(({ spans }) => spans));
    for (const [n, piece] of fresh.entries()) if (coded[n] !== undefined) piece.coded = coded[n];
  }

  async #place({ segment, pieces, digest }: Part, dense: boolean): Promise<void> {
    const { job, begins, ends, from, to } = segment;
    if (begins) this.#context.recipe.begin(job.body.role);
    for (const piece of pieces) await this.#placePiece(job, piece, dense);
    if (segment.stored !== undefined) await this.#placeStored(job, segment.stored);
    job.doneBytes += segment.stored === undefined ? to - from : job.body.sizeBytes;
    if (job.body.sizeBytes > 0) report(job);
    if (ends) this.#finishJob(job, this.#digestOf(segment, pieces, digest));
  }

  async #placePiece(job: Job, { digest, spans, sizeBytes, coded }: FoundPiece, dense: boolean): Promise<void> {
    const { index, packs, counts } = this.#context;
    const name = digestText(digest);
    const known = index.find(digest);
    const again = known !== undefined || index.wasOwn(digest);
    const how = coded === undefined ? {} : { coding: coded.coding, size: sizeBytes, bytes: coded.bytes };
    const place = known ?? { ...(await packs.add(name, spans, dense, how)), ...(coded && { coding: coded.coding }) };
    if (known === undefined) index.add(digest, { ...place, own: true });
    if (!again) {
      counts.newBytes += sizeBytes;
      counts.newChunks += 1;
    }
    this.#list(job, pieceAt(name, place, sizeBytes), again);
    for (const { block } of spans.slice(0, -1)) block.release();
  }

  async #placeStored(job: Job, { content, pieces }: StoredContent): Promise<void> {
    const known = content.chunks === 1 ? this.#context.index.find(bytesOf(content.digest)) : undefined;
    if (known !== undefined) return this.#list(job, pieceAt(content.digest, known, content.sizeBytes), true);
    for await (const some of pieces(job.options)) for (const piece of some) this.#list(job, piece, true);
  }

  #list(job: Job, piece: Piece, stored: boolean): void {
    this.#context.recipe.piece(piece);
    job.chunks += 1;
    if (stored) job.storedBytes += pieceSize(piece);
    else job.newBytes += pieceSize(piece);
    this.#context.counts.chunks += 1;
  }

  #digestOf({ job, stored }: JobSegment, pieces: readonly FoundPiece[], digest: Uint8Array | undefined): Digest {
    if (stored !== undefined) return stored.content.digest;
    const bytes = digest ?? pieces.at(-1)?.digest;
    return bytes === undefined || job.body.sizeBytes === 0 ? EMPTY : digestText(bytes);
  }

  #finishJob({ body, chunks, newBytes, storedBytes, resolve }: Job, digest: Digest): void {
    const { role, path, sizeBytes } = body;
    if (body.digest !== undefined && body.digest !== digest)
      throw sourceChanged(body, 'its bytes are others than before');
    this.#context.recipe.content({ role, ...(path === undefined ? {} : { path }), digest, sizeBytes, chunks });
    resolve({ digest, sizeBytes, newBytes, storedBytes });
  }
}

function report({ body, options, doneBytes, newBytes, storedBytes }: Job): void {
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

function digestText(bytes: Uint8Array): Digest {
  return `sha256:${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}` as Digest;
}
