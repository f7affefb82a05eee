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

const PROGRAM = `
const { parentPort } = require('node:worker_threads');
const hash = require('node:crypto').createHash('sha256');
parentPort.on('message', (bytes) => {
  if (bytes === null) parentPort.postMessage(hash.digest('hex'));
  else {
    hash.update(bytes);
    parentPort.postMessage(bytes.byteLength);
  }
});
`;

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
  #ahead = 0;
  #failure: unknown;
  #hex: string | undefined;
  #wake: () => void = () => {};

  constructor() {
    this.#worker.on('message', (answer: unknown) => {
      if (typeof answer === 'string') this.#hex = answer;
      else this.#ahead -= Number(answer);
      this.#wake();
    });
    this.#worker.on('error', (error) => {
      this.#failure = error;
      this.#wake();
    });
  }

  update(bytes: Uint8Array): Promise<void> | undefined {
    // Others may write to the buffer as soon as this returns.
    const copy = Uint8Array.from(bytes);
    this.#ahead += copy.byteLength;
    this.#worker.postMessage(copy, [copy.buffer]);
    return this.#ahead > MOST_AHEAD ? this.#until(() => this.#ahead <= MOST_AHEAD) : undefined;
  }

  async finish(): Promise<OciDigest> {
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
