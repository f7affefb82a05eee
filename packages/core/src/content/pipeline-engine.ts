/**
 * An *engine* does the arithmetic of a push: it cuts blocks into pieces, computes the digests of pieces and of contents,
 * and codes pieces. A small push does it where it is; a large one in two threads, one for the pieces and one for the
 * contents, over memory that all threads share.
 */

import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { IngotError } from '../errors.ts';
import { type ChunkerParameters, createChunker } from './chunker.ts';
import { createGearScan } from './chunker-gear.ts';
import { createWasmScan, type GearMemory } from './chunker-wasm.ts';
import { type CodedPiece, createEncoder, encodePiece } from './coding.ts';
import type { Block } from './pipeline-blocks.ts';
import {
  createContentHasher,
  createCutter,
  createResponder,
  type Cuts,
  type Reply,
  type Request,
  type Segment,
} from './pipeline-thread.ts';

/** Some bytes of a block. */
export interface Span {
  readonly block: Block;
  readonly from: number;
  readonly to: number;
}

/** What is known of a block when it was worked on. */
export interface BlockResult {
  readonly cuts: Cuts;
  /** 32 bytes for each content that ends in the block and is `digested`. */
  readonly contents: Uint8Array;
}

/** Works on blocks in the order in which they come. */
export interface Engine extends AsyncDisposable {
  submit(block: Block, segments: readonly Segment[]): Promise<BlockResult>;
  /** Codes pieces, each given as its spans; undefined for those that are stored as they are. */
  code(pieces: readonly (readonly Span[])[]): Promise<readonly (CodedPiece | undefined)[]>;
}

/** The bytes of spans, copied only when there are several. */
function bytesOfSpans(spans: readonly Span[]): Uint8Array {
  const views = spans.map(({ block, from, to }) => block.bytes.subarray(from, to));
  return views.length === 1 && views[0] !== undefined ? views[0] : Buffer.concat(views);
}

/** Makes an engine that works in the calling thread. */
export function createInlineEngine(parameters: ChunkerParameters): Engine {
  const here = createGearScan();
  const cutter = createCutter(createHash, createChunker(here, parameters));
  const hasher = createContentHasher(createHash);
  return {
    submit: async (block, segments) => {
      here.use(block.bytes);
      const bytes = { bytes: block.bytes, offset: 0 };
      return { cuts: cutter(bytes, segments), contents: hasher(bytes, segments) };
    },
    code: async (pieces) => pieces.map((spans) => encodePiece(bytesOfSpans(spans))),
    [Symbol.asyncDispose]: async () => {},
  };
}

// Everything a thread needs is a function that uses nothing but its arguments, so its text is all that must get there.
const THREAD = `
const { parentPort, workerData } = require('node:worker_threads');
const { createHash } = require('node:crypto');
const { constants, deflateRawSync } = require('node:zlib');
const chunker = (${createChunker})((${createWasmScan})(workerData.shared), workerData.parameters);
const respond = (${createResponder})({
  memory: new Uint8Array(workerData.shared.memory.buffer),
  cutter: (${createCutter})(createHash, chunker),
  hasher: (${createContentHasher})(createHash),
  encode: (${createEncoder})(deflateRawSync, constants),
});
const owned = ({ coded = [] }) => coded.flatMap((piece) => (piece === undefined ? [] : [piece.bytes.buffer]));
parentPort.on('message', (request) => {
  const reply = respond(request);
  parentPort.postMessage(reply, owned(reply));
});
`;

type Ask = Request extends infer One ? (One extends Request ? Omit<One, 'id'> : never) : never;

/** A worker thread that answers requests in their order. */
class Thread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve: (reply: Reply) => void; reject: (error: unknown) => void }>();
  #asked = 0;
  #failure: unknown;

  constructor(shared: GearMemory, parameters: ChunkerParameters) {
    const resourceLimits = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 };
    this.#worker = new Worker(THREAD, {
      eval: true,
      workerData: { shared, parameters },
      execArgv: [],
      env: {},
      resourceLimits,
    });
    this.#worker.unref();
    this.#worker.on('message', (reply: Reply) => this.#settle(reply));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', (code) => this.#fail(new Error(`it ended with status ${code}`)));
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  ask(request: Ask): Promise<Reply> {
    if (this.#failure !== undefined) return Promise.reject(threadFailed(this.#failure));
    const id = this.#asked;
    this.#asked += 1;
    // Only while there is something to wait for does the thread keep the process alive.
    if (this.#waiting.size === 0) this.#worker.ref();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...request, id });
    });
  }

  async end(): Promise<void> {
    this.#failure = 'it was ended';
    await this.#worker.terminate();
  }

  #settle(reply: Reply): void {
    this.#waiting.get(reply.id)?.resolve(reply);
    this.#waiting.delete(reply.id);
    // A thread that is being ended is waited for, also when an answer of it was still on its way.
    if (this.#waiting.size === 0 && this.#failure === undefined) this.#worker.unref();
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(threadFailed(error));
    this.#waiting.clear();
  }
}

function threadFailed(cause: unknown): IngotError {
  return new IngotError('unexpected', `a thread of the push failed: ${String(cause)}`, { operation: 'push', cause });
}

function failed(reply: Reply): IngotError {
  return threadFailed(reply.kind === 'failure' ? reply.message : `it answered "${reply.kind}"`);
}

/**
 * Starts an engine of two threads over shared memory; blocks must lie in that memory.
 * @throws IngotError `unexpected` where threads cannot be started.
 */
export async function startThreadEngine(shared: GearMemory, parameters: ChunkerParameters): Promise<Engine> {
  const [pieces, contents] = [new Thread(shared, parameters), new Thread(shared, parameters)];
  await Promise.all([pieces, contents].map((thread) => thread.ask({ kind: 'code', pieces: [] })));
  return threadEngine(pieces, contents);
}

function threadEngine(pieces: Thread, contents: Thread): Engine {
  const cut = async (offset: number, segments: readonly Segment[]): Promise<Cuts> => {
    const reply = await pieces.ask({ kind: 'cut', offset, segments });
    if (reply.kind === 'cut') return reply.cuts;
    throw failed(reply);
  };
  const hash = async (offset: number, segments: readonly Segment[]): Promise<Uint8Array> => {
    if (!segments.some(({ digested }) => digested)) return new Uint8Array(0);
    const reply = await contents.ask({ kind: 'hash', offset, segments });
    if (reply.kind === 'hash') return reply.digests;
    throw failed(reply);
  };
  return {
    submit: async ({ offset }, segments) => {
      const [cuts, digests] = await Promise.all([cut(offset, segments), hash(offset, segments)]);
      return { cuts, contents: digests };
    },
    code: async (wanted) => {
      const ranges = wanted.map((spans) =>
        spans.flatMap(({ block, from, to }) => [block.offset + from, block.offset + to]),
      );
      const idler = pieces.waiting < contents.waiting ? pieces : contents;
      const reply = await idler.ask({ kind: 'code', pieces: ranges });
      if (reply.kind === 'code') return reply.coded;
      throw failed(reply);
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([pieces.end(), contents.end()]);
    },
  };
}
