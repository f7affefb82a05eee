import type { EndingReader } from '@ingot/core/content/content-store';
import type { IngotError } from '@ingot/core/errors';
import type { OpenBlocks, Received } from './incoming-body.ts';

const STREAMED_BYTES = 256 * 1024;

/** How a body of unknown length is begun. */
export interface BeginOptions {
  /** So many bytes are gathered. */
  readonly gathered: number;
  readonly most: number;
  /** The error for more. */
  tooLarge(most: number): IngotError;
}

/** Begins to read a body of which nobody knows how long it is: a small one is gathered, of a large one the rest is left. */
export async function beginBody(blocks: OpenBlocks, options: BeginOptions): Promise<Received> {
  const body = new BegunBody(blocks, options);
  const bytes = await body.gather();
  if (bytes !== undefined) return { bytes };
  return { stream: body.stream(), blocks: (onStop) => body.open(onStop) };
}

/** A body whose first bytes were read before it was known what becomes of it. */
class BegunBody {
  readonly #options: BeginOptions;
  readonly #rest: EndingReader;
  #first: Uint8Array = new Uint8Array(0);
  #came = 0;
  #stopped: IngotError | undefined;
  #onStop: 'fail' | ((why: IngotError) => void) = 'fail';

  constructor(blocks: OpenBlocks, options: BeginOptions) {
    this.#options = options;
    this.#rest = blocks((why) => {
      this.#stopped = why;
      if (this.#onStop !== 'fail') this.#onStop(why);
    });
  }

  /** Gives all of a small body; undefined when there is more. Throws as reading it does. */
  async gather(): Promise<Uint8Array | undefined> {
    const { gathered } = this.#options;
    const first = Buffer.allocUnsafeSlow(gathered + 1);
    try {
      this.#first = first.subarray(0, await this.#read(first));
    } catch (error) {
      await this.#rest.close();
      throw error;
    }
    if (!this.#rest.ended || this.#first.byteLength > gathered) return undefined;
    await this.#rest.close();
    return this.#first;
  }

  open(onStop: 'fail' | ((why: IngotError) => void)): EndingReader {
    this.#onStop = onStop;
    if (this.#stopped !== undefined && onStop !== 'fail') onStop(this.#stopped);
    const isOver = (): boolean =>
      this.#first.byteLength === 0 && this.#rest.ended && (this.#stopped === undefined || onStop !== 'fail');
    return {
      get ended() {
        return isOver();
      },
      read: async (into) => {
        if (this.#first.byteLength === 0) return await this.#read(into);
        const some = this.#first.subarray(0, into.byteLength);
        this.#first = this.#first.subarray(some.byteLength);
        into.set(some);
        return some.byteLength;
      },
      close: () => this.#rest.close(),
    };
  }

  async *stream(): AsyncGenerator<Uint8Array> {
    const reader = this.open('fail');
    try {
      while (!reader.ended) {
        const piece = Buffer.allocUnsafeSlow(STREAMED_BYTES);
        yield piece.subarray(0, await reader.read(piece));
      }
    } finally {
      await reader.close();
    }
  }

  async #read(into: Uint8Array): Promise<number> {
    const count = await this.#rest.read(into);
    this.#came += count;
    if (this.#stopped !== undefined && this.#onStop === 'fail') throw this.#stopped;
    if (this.#came > this.#options.most) throw this.#options.tooLarge(this.#options.most);
    return count;
  }
}
