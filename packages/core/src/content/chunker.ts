/**
 * Cuts contents into pieces where the bytes say so, so that an insertion moves only the cuts beside it. A gear hash rolls
 * over the bytes, `h = 2h + gear[byte]` modulo 2^32, and so depends on the last 32 of them. A piece ends behind the
 * first byte past `minBytes` whose hash is below `threshold`, or after `maxBytes`, or with its content.
 */

import type { JsonObject } from '../json.ts';
import { isCount } from './checked-json.ts';
import type { GearScan } from './chunker-gear.ts';

/** Where pieces are cut. */
export interface ChunkerParameters {
  /** No piece is cut at or before this length, so that a content of at most this many bytes is one piece. */
  readonly minBytes: number;
  readonly maxBytes: number;
  /** 2^32 divided by the average distance of cuts behind `minBytes`. */
  readonly threshold: number;
}

/**
 * What new stores use: pieces of 64 KiB on average, half of it fixed. Of the parameters with this average it stores
 * least for one changed region, for many, and for insertions alike; docs/decisions/0009 has the figures.
 */
export const CHUNKER: ChunkerParameters = { minBytes: 32 * 1024, maxBytes: 256 * 1024, threshold: 2 ** 17 };

const ALGORITHM = 'ingot-gear-1';
/** No piece is ever longer, whatever a store says: pieces are held in memory. */
const LONGEST_BYTES = 8 * 1024 * 1024;

/** How `ingot.json` says it. */
export function chunkerJson(parameters: ChunkerParameters = CHUNKER): JsonObject {
  return { algorithm: ALGORITHM, ...parameters };
}

/** Reads the parameters of a store. One that says nothing this release knows is written with those of new stores: it stays readable. */
export function parseChunker(json: JsonObject): ChunkerParameters {
  const { algorithm, minBytes, maxBytes, threshold } = json;
  const usable =
    algorithm === ALGORITHM && isCount(minBytes) && isCount(maxBytes) && isCount(threshold) && threshold <= 2 ** 32;
  if (!usable || minBytes < 1024 || maxBytes <= minBytes || maxBytes > LONGEST_BYTES) return CHUNKER;
  return { minBytes, maxBytes, threshold };
}

/** Finds the cuts of one content after another. */
export interface Chunker {
  /** Starts a content. */
  begin(): void;
  /**
   * Goes on over the content's bytes from `from` and gives the offset behind the next piece; -1 when none ends before `to`.
   * The next call goes on where this one stopped. The end of a content ends its last piece.
   */
  next(from: number, to: number): number;
}

/** Makes a chunker over a scan. Its text also runs in worker threads: it uses nothing but its arguments. */
export function createChunker(
  { reset, scan }: GearScan,
  { minBytes, maxBytes, threshold }: ChunkerParameters,
): Chunker {
  const windowBytes = 32;
  let length = 0;
  return {
    begin: () => {
      length = 0;
    },
    next: (from, to) => {
      let at = from;
      // Bytes before the window of the first possible cut decide nothing.
      const skipped = Math.min(to - at, Math.max(0, minBytes - windowBytes - length));
      at += skipped;
      length += skipped;
      if (length === minBytes - windowBytes) reset();
      const rolled = Math.min(to - at, Math.max(0, minBytes - length));
      if (rolled > 0) scan(at, at + rolled, 0);
      at += rolled;
      length += rolled;
      if (at === to) return -1;
      const end = Math.min(to, at + maxBytes - length);
      const cut = scan(at, end, threshold);
      if (cut < 0 && length + end - at < maxBytes) {
        length += end - at;
        return -1;
      }
      length = 0;
      return cut < 0 ? end : cut;
    },
  };
}
