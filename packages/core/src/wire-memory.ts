import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Buffers that were used up at once are looked for each time so many bytes came. */
const YOUNG_BYTES = 8 * 1024 * 1024;
/** Those that were waiting while that was done are only found by looking at all memory. */
const ALL_BYTES = 96 * 1024 * 1024;

/**
 * Keeps the memory of a long transfer flat. What comes over the wire lies in buffers of some 64 KiB that are used up soon,
 * but V8 looks for used-up ones only when tens of MiB of them have gathered; so it is told to, which takes one hundredth
 * of the time of a fast transfer. Where it cannot be told, transfers only need more memory.
 */
export class WireMemory {
  readonly #collect = collector();
  #young = 0;
  #all = 0;

  /** Says that bytes came. */
  came(bytes: number): void {
    this.#young += bytes;
    this.#all += bytes;
    if (this.#young < YOUNG_BYTES) return;
    this.#young = 0;
    const isAll = this.#all >= ALL_BYTES;
    if (isAll) this.#all = 0;
    this.#collect?.(isAll ? 'major' : 'minor');
  }
}

type Collect = (type: 'minor' | 'major') => void;

let known: Collect | undefined;

/** V8 gives its function to contexts that are made while a flag is set. */
function collector(): Collect | undefined {
  if (known !== undefined) return known;
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('globalThis.gc');
  setFlagsFromString('--no-expose-gc');
  if (typeof collect !== 'function') return undefined;
  known = (type) => void collect({ type });
  return known;
}
