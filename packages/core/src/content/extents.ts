/** Which bytes of a file are there: ranges that do not touch, in order. */
export class Extents {
  readonly #ranges: [from: number, to: number][] = [];

  /** Adds a range; `to` is exclusive. */
  add(from: number, to: number): void {
    if (from >= to) return;
    let at = this.#after(from);
    let [start, end] = [from, to];
    let count = 0;
    for (let next = this.#ranges[at]; next !== undefined && next[0] <= end; next = this.#ranges[at + count]) {
      start = Math.min(start, next[0]);
      end = Math.max(end, next[1]);
      count += 1;
    }
    at = Math.max(0, at);
    this.#ranges.splice(at, count, [start, end]);
  }

  /** Says whether all bytes of a range are there. */
  has(from: number, to: number): boolean {
    if (from >= to) return true;
    const range = this.#ranges[this.#after(from)];
    return range !== undefined && range[0] <= from && range[1] >= to;
  }

  /** How many bytes from the beginning on are there without a hole. */
  get prefix(): number {
    const first = this.#ranges[0];
    return first?.[0] === 0 ? first[1] : 0;
  }

  /** How many bytes are there. */
  get sizeBytes(): number {
    return this.#ranges.reduce((sum, [from, to]) => sum + to - from, 0);
  }

  /** The first range that ends at or behind an offset. */
  #after(offset: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle]?.[1] ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
