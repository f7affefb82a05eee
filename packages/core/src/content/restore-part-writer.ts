import { isPlaced, type RestoreFile } from './restore-job.ts';
import type { RangePart } from './restore-ranges.ts';
import type { TransferEvents } from './restore-transfer.ts';

/**
 * Writes the bytes of a range, as they come, to all the places they are for. They are gathered in memory of its own: what
 * comes over the wire lies in many small buffers, and those that are kept for a while are kept for long by the collector.
 */
export class PartWriter {
  readonly #parts: readonly RangePart<RestoreFile>[];
  readonly #events: Pick<TransferEvents, 'onLanded'>;
  readonly #block: Uint8Array;
  #gathered = 0;
  #from: number;
  #first = 0;

  /**
   * @param start where in the pack the range begins.
   * @param block memory to gather in.
   */
  constructor(
    parts: readonly RangePart<RestoreFile>[],
    start: number,
    block: Uint8Array,
    events: Pick<TransferEvents, 'onLanded'>,
  ) {
    this.#parts = parts;
    this.#events = events;
    this.#block = block;
    this.#from = start;
  }

  /** Takes the next bytes of the range. */
  async take(bytes: Uint8Array): Promise<void> {
    // Gathered already, in our own memory, by who read it.
    if (bytes.buffer === this.#block.buffer) {
      this.#gathered = bytes.byteLength;
      return await this.finish();
    }
    for (let taken = 0; taken < bytes.byteLength; ) {
      const some = bytes.subarray(taken, taken + this.#block.byteLength - this.#gathered);
      this.#block.set(some, this.#gathered);
      this.#gathered += some.byteLength;
      taken += some.byteLength;
      if (this.#gathered === this.#block.byteLength) await this.finish();
    }
  }

  /** Writes what is gathered. */
  async finish(): Promise<void> {
    const bytes = this.#block.subarray(0, this.#gathered);
    const from = this.#from;
    const to = from + this.#gathered;
    this.#gathered = 0;
    this.#from = to;
    while ((endOf(this.#parts[this.#first]) ?? to) <= from && this.#first < this.#parts.length) this.#first += 1;
    for (let n = this.#first; n < this.#parts.length; n += 1) {
      const part = this.#parts[n];
      if (part === undefined || part.offset >= to) break;
      await this.#write(part, bytes, from, to);
    }
  }

  async #write(part: RangePart<RestoreFile>, bytes: Uint8Array, from: number, to: number): Promise<void> {
    const start = Math.max(from, part.offset);
    const end = Math.min(to, part.offset + part.length);
    if (start >= end || !isPlaced(part.file)) return;
    const at = part.at + start - part.offset;
    await part.file.large.put(bytes.subarray(start - from, end - from), at);
    this.#events.onLanded(part.file, at, end - start, 'store');
  }
}

function endOf(part: RangePart<RestoreFile> | undefined): number | undefined {
  return part && part.offset + part.length;
}
