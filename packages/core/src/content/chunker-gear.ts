import { createHash } from 'node:crypto';

/**
 * The gear table: entry `b` is the first four bytes, as a big-endian number, of the SHA-256 of the ASCII text
 * `ingot-gear-1/b` with `b` in decimal. It is part of the format: another table cuts contents elsewhere.
 */
export const GEAR: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) =>
  createHash('sha256').update(`ingot-gear-1/${byte}`).digest().readUInt32BE(0),
);

/** Rolls the gear hash over bytes of one buffer. */
export interface GearScan {
  /** Starts the hash anew. */
  reset(): void;
  /** Rolls over the bytes from `from` on, and gives the offset behind the first one whose hash is below `threshold`; -1 when there is none before `to`. */
  scan(from: number, to: number, threshold: number): number;
}

/** A scan over a buffer that may be exchanged while the hash goes on: a content lies in many. */
export interface PlainGearScan extends GearScan {
  use(bytes: Uint8Array): void;
}

/** Makes the scan in plain JavaScript: where there is no WebAssembly, and for small pushes. */
export function createGearScan(first: Uint8Array = new Uint8Array(0), gear: Uint32Array = GEAR): PlainGearScan {
  let bytes = first;
  let hash = 0;
  return {
    use: (other) => {
      bytes = other;
    },
    reset: () => {
      hash = 0;
    },
    scan: (from, to, threshold) => {
      let h = hash;
      for (let at = from; at < to; at += 1) {
        h = ((h << 1) + (gear[bytes[at] ?? 0] ?? 0)) | 0;
        if (h >>> 0 < threshold) {
          hash = h;
          return at + 1;
        }
      }
      hash = h;
      return -1;
    },
  };
}
