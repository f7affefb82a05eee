/**
 * Makes a stream of numbers from 0 up to 1 that a seed decides (mulberry32), for trials that can be repeated; secrets and
 * names that must never repeat are another matter.
 *
 * @example
 * const random = randomOf(7);
 * random() === randomOf(7)(); // true
 */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
