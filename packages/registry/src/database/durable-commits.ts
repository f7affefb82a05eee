import { IngotError } from '@ingot/core/errors';

/** Brings what was written to the disk; the promise ends when it is there. */
export type FlushFile = () => Promise<void>;

/**
 * Tells writers when what they have written is on the disk. Writers of one turn of the event loop, and those that come
 * while the disk is busy, share one flush; the event loop never waits for it.
 */
export class DurableCommits {
  readonly #flush: FlushFile;
  #written = 0;
  #flushed = 0;
  #waiting: Waiting[] = [];
  #isRunning = false;
  #failure: IngotError | undefined;

  constructor(flush: FlushFile) {
    this.#flush = flush;
  }

  /** Notes that something was written. */
  note(): void {
    this.#written += 1;
  }

  /**
   * Ends when all that was noted is on the disk.
   * @throws IngotError `unavailable` once a flush has failed, from then on: what a system could not write it may hold for
   * written.
   */
  async settled(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#flushed === this.#written) return;
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ upTo: this.#written, resolve, reject });
      if (this.#isRunning) return;
      this.#isRunning = true;
      setImmediate(() => this.#run());
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const upTo = this.#written;
      try {
        await this.#flush();
        this.#flushed = upTo;
      } catch (error) {
        this.#failure = notOnDisk(error);
      }
      this.#answer();
    }
    this.#isRunning = false;
  }

  #answer(): void {
    const failure = this.#failure;
    const waiting = this.#waiting;
    this.#waiting = failure === undefined ? waiting.filter(({ upTo }) => upTo > this.#flushed) : [];
    for (const { upTo, resolve, reject } of waiting) {
      if (failure !== undefined) reject(failure);
      else if (upTo <= this.#flushed) resolve();
    }
  }
}

interface Waiting {
  readonly upTo: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

function notOnDisk(error: unknown): IngotError {
  const said = error instanceof Error ? error.message : String(error);
  return new IngotError('unavailable', `what the server wrote did not reach the disk: ${said}`, {
    hint: 'see to the disk, then start the server again',
    cause: error,
  });
}
