import { IngotError } from '@ingot/core/errors';

/** Lets so many through at a time; the others wait in the order they came. */
export class Gate {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Does work when there is room. Throws `interrupted` when the signal fires while it waits. */
  async through<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#enter(signal);
    try {
      return await work();
    } finally {
      this.#inside -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #enter(signal: AbortSignal | undefined): Promise<void> {
    while (this.#inside >= this.#limit) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          signal?.removeEventListener('abort', left);
          resolve();
        };
        const left = (): void => {
          this.#waiting.splice(this.#waiting.indexOf(go), 1);
          resolve();
        };
        this.#waiting.push(go);
        signal?.addEventListener('abort', left, { once: true });
      });
      if (signal?.aborted === true) throw new IngotError('interrupted', 'nobody waits for this any more');
    }
    this.#inside += 1;
  }
}
