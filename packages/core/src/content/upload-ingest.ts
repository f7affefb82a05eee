import { setImmediate as nextTurn } from 'node:timers/promises';
import { stopIfInterrupted } from '../blob/interrupt.ts';
import type { StoredContent } from './base-contents.ts';
import type { ChunkerParameters } from './chunker.ts';
import type { ContentBody, ContentOptions, PutResult } from './content-store.ts';
import { BLOCK_BYTES, type Block, type Blocks, heapBlocks } from './pipeline-blocks.ts';
import { createInlineEngine, type Engine } from './pipeline-engine.ts';
import { type Hands, takeHands } from './pipeline-hands.ts';
import { type Job, type JobSegment, Placer, type PlacerContext, report } from './upload-placer.ts';
import { digestOfSource, openSource, readNow } from './upload-source.ts';

/** Documents up to this size are one piece: they change as a whole. */
const WHOLE_BYTES = 8 * 1024 * 1024;
/** Files up to this size are read without waiting: a thousand waits cost more than the reading. */
const SMALL_BYTES = 256 * 1024;
/** Less than this to cut and to hash is done sooner than threads have started. */
const THREADS_BYTES = 16 * 1024 * 1024;
/** How many blocks an open pack may hold. So that all do not end up in one pack, and none is left to fill it. */
export const BLOCKS_HELD = 12;

/** What taking contents needs. */
export interface IngestContext extends Omit<PlacerContext, 'onFailure'> {
  readonly parameters: ChunkerParameters;
  /** Blocks of an upload: those of the packs that are under way or open, and what is being read and worked on. */
  readonly blocks: number;
  /** How many of them may be read and not placed yet. The others are for packs. */
  readonly readAhead: number;
  /** Finds a content that need not be read. */
  readonly find: (body: ContentBody) => StoredContent | undefined;
  /** Notes all pieces that are stored already. Waited for before the first content is cut. */
  readonly fillIndex: () => Promise<void>;
  /** Whether a content should be hashed before it is cut, because an old version has one of its size in one piece. */
  readonly hashesFirst: (body: ContentBody) => boolean;
}

/**
 * Takes contents one after another: reads each once, into blocks that an engine works on while the next ones are read.
 */
export class Ingest implements AsyncDisposable {
  readonly #context: IngestContext;
  readonly #placer: Placer;
  readonly #jobs: Job[] = [];
  readonly #open = new Set<Job>();
  #blocks: Blocks;
  #engine: Engine;
  #hands: Hands | undefined;
  #threads: 'not yet' | 'started' | 'impossible' = 'not yet';
  /** The block that is being filled. */
  #block: Block | undefined;
  #filled = 0;
  /** Blocks that were handed over and are not placed yet, in their order. */
  readonly #ahead: Promise<void>[] = [];
  #segments: JobSegment[] = [];
  /** Bytes of waiting contents that have to be cut and hashed. */
  #waitingBytes = 0;
  #running: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(context: IngestContext) {
    this.#context = context;
    this.#engine = createInlineEngine(context.parameters);
    this.#blocks = heapBlocks(context.blocks);
    this.#placer = new Placer({ ...context, onFailure: (error) => this.#fail(error) });
  }

  /** Takes a content; contents are listed in the order of the calls. */
  put(body: ContentBody, options: ContentOptions): Promise<PutResult> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure.error);
      const done = (result: PutResult): void => {
        this.#open.delete(job);
        resolve(result);
      };
      const job: Job = { body, options, resolve: done, reject, doneBytes: 0, newBytes: 0, storedBytes: 0, chunks: 0 };
      this.#open.add(job);
      this.#jobs.push(job);
      // Whoever shows progress knows all sizes from the beginning.
      if (body.sizeBytes > 0) report(job);
      this.#waitingBytes += this.#cutBytes(body);
      this.#running ??= this.#run();
    });
  }

  /** Waits until everything is placed. Throws what went wrong. */
  async finish(): Promise<void> {
    await this.#running;
    await this.#placer.finish();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running;
    const hands = this.#hands;
    if (hands === undefined) return await this.#engine[Symbol.asyncDispose]();
    // Given back, its threads work for another upload: whoever ends this one twice must not end them.
    [this.#hands, this.#engine] = [undefined, createInlineEngine(this.#context.parameters)];
    await this.#placer.finish();
    await hands.done(this.#failure !== undefined);
  }

  async #run(): Promise<void> {
    try {
      // What is put in the same turn is known before the first is read.
      await nextTurn();
      for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) {
        await this.#take(job);
        this.#waitingBytes -= this.#cutBytes(job.body);
        if (this.#failure !== undefined) return;
      }
      this.#submit();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#running = undefined;
    }
  }

  async #take(job: Job): Promise<void> {
    const { body, options } = job;
    stopIfInterrupted(options.signal, 'push');
    const stored = await this.#stored(job.body);
    if (stored !== undefined) return this.#addStored(job, stored);
    if (this.#cutBytes(body) > 0) await this.#context.fillIndex();
    if (body.readNow !== undefined && body.openEnded !== true && body.sizeBytes <= SMALL_BYTES)
      return await this.#readSmall(job);
    if (this.#threads === 'not yet' && this.#waitingBytes >= THREADS_BYTES) await this.#startThreads();
    await this.#read(job);
  }

  async #stored(body: ContentBody): Promise<StoredContent | undefined> {
    if (body.onBytes !== undefined || body.sizeBytes === 0) return undefined;
    const stored = this.#context.find(body);
    if (stored !== undefined || !this.#context.hashesFirst(body)) return stored;
    return this.#context.find({ ...body, digest: await digestOfSource(body) });
  }

  #addStored(job: Job, stored: StoredContent): void {
    const at = this.#filled;
    this.#segments.push({ job, stored, from: at, to: at, begins: true, ends: true, whole: false, digested: false });
  }

  async #readSmall(job: Job): Promise<void> {
    const { body } = job;
    if (BLOCK_BYTES - this.#filled < body.sizeBytes) await this.#submitAndWait(job);
    const { bytes } = await this.#currentBlock();
    const into = bytes.subarray(this.#filled, this.#filled + body.sizeBytes);
    readNow(body, into);
    this.#addSegment(job, into, true, true);
  }

  async #read(job: Job): Promise<void> {
    const { body, options } = job;
    const source = await openSource(body);
    try {
      let done = 0;
      do {
        stopIfInterrupted(options.signal, 'push');
        if (this.#filled === BLOCK_BYTES) await this.#submitAndWait(job);
        const block = await this.#currentBlock();
        const room = block.bytes.subarray(this.#filled);
        const count = await source.read(room);
        if (this.#failure !== undefined) return;
        this.#addSegment(job, room.subarray(0, count), done === 0, source.ended);
        done += count;
      } while (!source.ended);
    } catch (error) {
      await source.close().catch(() => {});
      throw error;
    }
    await source.close();
  }

  #addSegment(job: Job, bytes: Uint8Array, begins: boolean, ends: boolean): void {
    const { body } = job;
    if (bytes.byteLength > 0) body.onBytes?.(bytes);
    const from = this.#filled;
    const to = from + bytes.byteLength;
    this.#filled = to;
    const whole = isWhole(body);
    const last = this.#segments.at(-1);
    // Several reads of one content into a block are one segment.
    const goesOn = last?.job === job && !begins;
    if (goesOn) this.#segments.pop();
    this.#segments.push({
      job,
      from: goesOn ? last.from : from,
      to,
      begins: goesOn ? last.begins : begins,
      ends,
      whole,
      digested: this.#cutBytes(body) > 0,
    });
  }

  async #currentBlock(): Promise<Block> {
    while (this.#block === undefined && this.#ahead.length >= this.#context.readAhead) await this.#ahead.shift();
    this.#block ??= await this.#blocks.acquire();
    return this.#block;
  }

  /** Hands the block over, and lets others have their turn: reading small files does not wait for anything. */
  async #submitAndWait({ options }: Job): Promise<void> {
    this.#submit();
    await nextTurn();
    stopIfInterrupted(options.signal, 'push');
  }

  #submit(): void {
    const [block, segments] = [this.#block ?? NO_BLOCK, this.#segments];
    this.#block = undefined;
    this.#segments = [];
    this.#filled = 0;
    if (segments.length > 0) this.#ahead.push(this.#placer.take(block, segments, this.#engine));
  }

  async #startThreads(): Promise<void> {
    try {
      const hands = await takeHands(this.#context.blocks, this.#context.parameters);
      this.#submit();
      [this.#hands, this.#blocks, this.#engine, this.#threads] = [hands, hands.blocks, hands.engine, 'started'];
    } catch {
      // No threads or no shared memory: everything works without, only slower.
      this.#threads = 'impossible';
    }
  }

  #cutBytes(body: ContentBody): number {
    return cutBytes(body, this.#context.parameters);
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#blocks.end(error);
    for (const { reject } of this.#open) reject(this.#failure.error);
    this.#open.clear();
    this.#jobs.length = 0;
  }
}

/** Stands for the block of contents without bytes. */
const NO_BLOCK: Block = { bytes: new Uint8Array(0), offset: 0, hold: () => {}, release: () => {} };

/** How much of a content has to be cut and hashed as a whole. */
export function cutBytes(body: ContentBody, { minBytes }: ChunkerParameters): number {
  if (body.openEnded === true) return Math.max(body.sizeBytes, minBytes + 1);
  return isWhole(body) || body.sizeBytes <= minBytes ? 0 : body.sizeBytes;
}

function isWhole({ role, sizeBytes, openEnded }: ContentBody): boolean {
  return role !== 'file' && openEnded !== true && sizeBytes <= WHOLE_BYTES;
}
