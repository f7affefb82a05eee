import type { Digest } from '../digest.ts';

/** A row of a {@link PieceTable}: which file, and where in it. */
export interface PieceRow {
  readonly file: number;
  readonly offset: number;
}

const FIRST_ROWS = 1024;

/**
 * Where pieces lie in local files, by digest: 20 bytes a piece and as many for finding it, for a large model has
 * hundreds of thousands. Only 64 bits of each digest are kept, so what is found must be verified.
 */
export class PieceTable {
  #keys = new Uint32Array(FIRST_ROWS * 2);
  #files = new Uint32Array(FIRST_ROWS);
  #offsets = new Float64Array(FIRST_ROWS);
  /** Row numbers, from 1, at the places their keys hash to. */
  #slots = new Uint32Array(FIRST_ROWS * 2);
  #rows = 0;

  /** Notes where a piece lies; the first place that is noted stays. */
  add(digest: Digest, file: number, offset: number): void {
    if (this.#rows === this.#files.length) this.#grow();
    const [high, low] = keyOf(digest);
    const slot = this.#slotOf(high, low);
    if (this.#slots[slot] !== 0) return;
    const row = this.#rows;
    this.#keys[row * 2] = high;
    this.#keys[row * 2 + 1] = low;
    this.#files[row] = file;
    this.#offsets[row] = offset;
    this.#rows += 1;
    this.#slots[slot] = this.#rows;
  }

  /** Finds a piece. */
  find(digest: Digest): PieceRow | undefined {
    const [high, low] = keyOf(digest);
    const row = (this.#slots[this.#slotOf(high, low)] ?? 0) - 1;
    return row < 0 ? undefined : { file: this.#files[row] ?? 0, offset: this.#offsets[row] ?? 0 };
  }

  /** The slot of a key, or the free one where it would go. */
  #slotOf(high: number, low: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const row = (this.#slots[slot] ?? 0) - 1;
      if (row < 0 || (this.#keys[row * 2] === high && this.#keys[row * 2 + 1] === low)) return slot;
    }
  }

  #grow(): void {
    const size = this.#files.length * 2;
    this.#keys = copied(this.#keys, new Uint32Array(size * 2));
    this.#files = copied(this.#files, new Uint32Array(size));
    this.#offsets = copied(this.#offsets, new Float64Array(size));
    this.#slots = new Uint32Array(size * 2);
    for (let row = 0; row < this.#rows; row += 1)
      this.#slots[this.#slotOf(this.#keys[row * 2] ?? 0, this.#keys[row * 2 + 1] ?? 0)] = row + 1;
  }
}

function copied<T extends Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

function keyOf(digest: Digest): readonly [high: number, low: number] {
  return [Number.parseInt(digest.slice(7, 15), 16), Number.parseInt(digest.slice(15, 23), 16)];
}
