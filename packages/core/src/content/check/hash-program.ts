/**
 * What a hashing thread of a check does, as one function that needs nothing around it: its text is the program of a
 * worker thread, so that it runs from sources, from a bundle and in tests alike.
 */

import type * as crypto from 'node:crypto';
import type * as fs from 'node:fs';

/** Entries of a pack to be hashed, in the order in which they lie there. */
export interface HashJob {
  /** File of the pack; else `bytes` are the pack. */
  readonly path?: string;
  readonly bytes?: Uint8Array;
  readonly offsets: Float64Array;
  readonly lengths: Float64Array;
  /** 32 bytes an entry. */
  readonly digests: Uint8Array;
}

/** Places, in the job, of entries whose bytes have another digest or are not there. */
export type BadEntries = readonly number[];

/** Modules that the program needs. */
export interface HashModules {
  readonly fs: Pick<typeof fs, 'openSync' | 'readSync' | 'closeSync'>;
  readonly crypto: Pick<typeof crypto, 'createHash'>;
}

/** Makes what hashes a job; it reads a file once, from front to back. */
export function hashProgram({ fs, crypto }: HashModules): (job: HashJob) => BadEntries {
  const BLOCK_BYTES = 512 * 1024;
  const block = new Uint8Array(BLOCK_BYTES);

  function hashAll(job: HashJob, read: (at: number) => Uint8Array): number[] {
    const bad: number[] = [];
    let held = new Uint8Array(0) as Uint8Array;
    let heldAt = 0;
    for (let n = 0; n < job.offsets.length; n += 1) {
      const hash = crypto.createHash('sha256');
      let at = job.offsets[n] ?? 0;
      let left = job.lengths[n] ?? 0;
      while (left > 0) {
        if (at < heldAt || at >= heldAt + held.length) {
          held = read(at);
          heldAt = at;
          if (held.length === 0) break;
        }
        const from = at - heldAt;
        const to = Math.min(held.length, from + left);
        hash.update(held.subarray(from, to));
        left -= to - from;
        at += to - from;
      }
      const digest = hash.digest();
      const isRight = left === 0 && digest.equals(job.digests.subarray(n * 32, n * 32 + 32));
      if (!isRight) bad.push(n);
    }
    return bad;
  }

  return (job) => {
    const { path, bytes } = job;
    if (path === undefined) return hashAll(job, (at) => (bytes ?? new Uint8Array(0)).subarray(at));
    const file = fs.openSync(path, 'r');
    try {
      return hashAll(job, (at) => block.subarray(0, fs.readSync(file, block, 0, BLOCK_BYTES, at)));
    } finally {
      fs.closeSync(file);
    }
  };
}
