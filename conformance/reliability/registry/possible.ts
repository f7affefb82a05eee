/**
 * What one writer knows of a value that only it changes: what was acknowledged, or any of several when an answer did
 * not come.
 */
export class Possible<T> {
  #values: readonly T[];

  constructor(initial: T) {
    this.#values = [initial];
  }

  /** A change to this was acknowledged. */
  is(value: T): void {
    this.#values = [value];
  }

  /** A change to this was sent, and nobody knows what came of it. */
  mayBe(value: T): void {
    this.#values = [...this.#values, value];
  }

  /** Takes what was read for what it is from now on. Gives what is wrong with it; undefined: nothing. */
  read(value: T): string | undefined {
    const wrong = this.#values.includes(value) ? undefined : `is ${String(value)}, not ${this.#values.join(' or ')}`;
    this.#values = [value];
    return wrong;
  }
}
