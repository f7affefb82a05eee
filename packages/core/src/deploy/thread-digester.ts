import { Worker } from 'node:worker_threads';
import { createOciDigester } from '../oci/digest.ts';
import type { OciDigest } from '../oci/oci-place.ts';

/** Computes a SHA-256 beside other work. */
export interface ThreadDigester extends AsyncDisposable {
  /** Takes the next bytes, which are copied; waits while many are on their way. */
  update(bytes: Uint8Array): Promise<void> | undefined;
  /** The digest of everything so far; ends it. */
  finish(): Promise<OciDigest>;
}

/** Less than this is not worth a thread. */
const THREAD_BYTES = 64 * 1024 * 1024;
/** Bytes on their way to the thread. */
const MOST_AHEAD = 32 * 1024 * 1024;

/** Buffers go there and back, so that they need not be made anew for each piece. */
const PROGRAM = `
const { parentPort } = require('node:worker_threads');
const hash = require('node:crypto').createHash('sha256');
parentPort.on('message', (piece) => {
  if (piece === null) return parentPort.postMessage(hash.digest('hex'));
  hash.update(piece.bytes.subarray(0, piece.length));
  parentPort.postMessage(piece, [piece.bytes.buffer]);
});
`;

interface Piece {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly length: number;
}

const BUFFER_BYTES = 1024 * 1024;

/** Starts a digest over about so many bytes: on a thread of its own where they are many. */
export function startDigest(sizeBytes: number): ThreadDigester {
  if (sizeBytes >= THREAD_BYTES) return new OnThread();
  const digester = createOciDigester();
  return {
    update: (bytes) => {
      digester.update(bytes);
      return undefined;
    },
    finish: async () => digester.finish(),
    [Symbol.asyncDispose]: async () => {},
  };
}

class OnThread implements ThreadDigester {
  readonly #worker = new Worker(PROGRAM, { eval: true });
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  #held: Uint8Array<ArrayBuffer> | undefined;
  #used = 0;
  #ahead = 0;
  #failure: unknown;
  #hex: string | undefined;
  #wake: () => void = () => {};

  constructor() {
    this.#worker.on('message', (answer: Piece | string) => {
      if (typeof answer === 'string') this.#hex = answer;
      else {
        this.#ahead -= answer.length;
        this.#free.push(answer.bytes);
      }
      this.#wake();
    });
    this.#worker.on('error', (error) => {
      this.#failure = error;
      this.#wake();
    });
  }

  update(bytes: Uint8Array): Promise<void> | undefined {
    // Others may write to the buffer as soon as this returns.
    for (let at = 0; at < bytes.byteLength; ) {
      this.#held ??= this.#free.pop() ?? new Uint8Array(BUFFER_BYTES);
      const length = Math.min(BUFFER_BYTES - this.#used, bytes.byteLength - at);
      this.#held.set(bytes.subarray(at, at + length), this.#used);
      this.#used += length;
      at += length;
      if (this.#used === BUFFER_BYTES) this.#send();
    }
    return this.#ahead > MOST_AHEAD ? this.#until(() => this.#ahead <= MOST_AHEAD) : undefined;
  }

  #send(): void {
    if (this.#held === undefined) return;
    const piece: Piece = { bytes: this.#held, length: this.#used };
    this.#held = undefined;
    this.#used = 0;
    this.#ahead += piece.length;
    this.#worker.postMessage(piece, [piece.bytes.buffer]);
  }

  async finish(): Promise<OciDigest> {
    this.#send();
    this.#worker.postMessage(null);
    await this.#until(() => this.#hex !== undefined);
    return `sha256:${this.#hex}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
