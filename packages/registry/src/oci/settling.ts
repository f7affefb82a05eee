/** Work that whoever asked for it has left, and that whoever asks next about the same waits for. */
export class Settling {
  readonly #left = new Map<string, Promise<void>>();

  /** Ends when what was left of something is done; at once when there is nothing. */
  async settled(id: string): Promise<void> {
    await this.#left.get(id);
  }

  /** Does work that calls `leave` when nobody waits for it any more. Throws as the work does. */
  async through<T>(id: string, work: (leave: () => void) => Promise<T>): Promise<T> {
    let end = (): void => {};
    const done = new Promise<void>((resolve) => {
      end = resolve;
    });
    try {
      return await work(() => this.#left.set(id, done));
    } finally {
      if (this.#left.get(id) === done) this.#left.delete(id);
      end();
    }
  }
}
