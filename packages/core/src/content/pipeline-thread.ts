/**
 * What the worker threads of a push do. These functions use nothing but their arguments: their text is what a thread is
 * started with, so that they work from the sources, from a bundle, and in any program that has Ingot as a library.
 */

import type { createHash, Hash } from 'node:crypto';
import type { Chunker } from './chunker.ts';
import type { CodedPiece, Encoder } from './coding.ts';

/** A part of a block: some bytes of one content. */
export interface Segment {
  /** Offsets in the block. */
  readonly from: number;
  readonly to: number;
  readonly begins: boolean;
  readonly ends: boolean;
  /** Whether the content is to be one piece however long it is. */
  readonly whole: boolean;
  /** Whether the content has several pieces, or may have, so that its own digest must be computed too. */
  readonly digested: boolean;
}

/** The pieces that end in a block. */
export interface Cuts {
  /** Offset behind each piece, in the block. */
  readonly ends: Uint32Array;
  /** 32 bytes for each. */
  readonly digests: Uint8Array;
}

/** The bytes of a block, and where they begin for the chunker. */
export interface BlockBytes {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/** Cuts blocks one after another; a piece or content may go on in the next block. */
export type Cutter = (block: BlockBytes, segments: readonly Segment[]) => Cuts;

/** Computes the digests of contents; gives 32 bytes for each content that ends in a block and is `digested`. */
export type ContentHasher = (block: BlockBytes, segments: readonly Segment[]) => Uint8Array;

/** Makes a cutter. */
export function createCutter(hashOf: typeof createHash, chunker: Chunker): Cutter {
  let hash: Hash | undefined;
  return ({ bytes, offset }, segments) => {
    const ends: number[] = [];
    const digests: Uint8Array[] = [];
    const end = (at: number): void => {
      ends.push(at);
      digests.push((hash ?? hashOf('sha256')).digest());
      hash = undefined;
    };
    for (const { from, to, begins, ends: last, whole } of segments) {
      if (begins && !whole) chunker.begin();
      for (let at = from; at < to; ) {
        const found = whole ? -1 : chunker.next(at + offset, to + offset);
        const next = found < 0 ? to : found - offset;
        hash = (hash ?? hashOf('sha256')).update(bytes.subarray(at, next));
        if (found >= 0) end(next);
        at = next;
      }
      if (last && hash !== undefined) end(to);
    }
    const joined = new Uint8Array(digests.length * 32);
    for (const [n, digest] of digests.entries()) joined.set(digest, n * 32);
    return { ends: Uint32Array.from(ends), digests: joined };
  };
}

/** Makes a content hasher. */
export function createContentHasher(hashOf: typeof createHash): ContentHasher {
  let hash = hashOf('sha256');
  return ({ bytes }, segments) => {
    const digests: Uint8Array[] = [];
    for (const { from, to, ends, digested } of segments) {
      if (!digested) continue;
      hash.update(bytes.subarray(from, to));
      if (!ends) continue;
      digests.push(hash.digest());
      hash = hashOf('sha256');
    }
    const joined = new Uint8Array(digests.length * 32);
    for (const [n, digest] of digests.entries()) joined.set(digest, n * 32);
    return joined;
  };
}

/** What a thread is asked: to cut a block, to compute digests of contents over it, or to code pieces. */
export type Request =
  | {
      readonly id: number;
      readonly kind: 'cut' | 'hash';
      readonly offset: number;
      readonly segments: readonly Segment[];
    }
  /** Each piece as ranges of the memory: from, to, from, to, … */
  | { readonly id: number; readonly kind: 'code'; readonly pieces: readonly (readonly number[])[] };

/** What it answers; a failure is the text of the error. */
export type Reply =
  | { readonly id: number; readonly kind: 'cut'; readonly cuts: Cuts }
  | { readonly id: number; readonly kind: 'hash'; readonly digests: Uint8Array }
  | { readonly id: number; readonly kind: 'code'; readonly coded: readonly (CodedPiece | undefined)[] }
  | { readonly id: number; readonly kind: 'failure'; readonly message: string };

/** The parts that a thread is made of. */
export interface ThreadParts {
  readonly memory: Uint8Array;
  readonly cutter: Cutter;
  readonly hasher: ContentHasher;
  readonly encode: Encoder;
}

/** Makes what answers the requests of a thread. */
export function createResponder({ memory, cutter, hasher, encode }: ThreadParts): (request: Request) => Reply {
  const joined = (ranges: readonly number[]): Uint8Array => {
    if (ranges.length === 2) return memory.subarray(ranges[0], ranges[1]);
    const parts: Uint8Array[] = [];
    for (let n = 0; n < ranges.length; n += 2) parts.push(memory.subarray(ranges[n], ranges[n + 1]));
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  };
  return (request) => {
    const { id, kind } = request;
    try {
      if (kind === 'code') return { id, kind, coded: request.pieces.map((ranges) => encode(joined(ranges))) };
      const block = { bytes: memory.subarray(request.offset), offset: request.offset };
      if (kind === 'cut') return { id, kind, cuts: cutter(block, request.segments) };
      return { id, kind, digests: hasher(block, request.segments) };
    } catch (error) {
      return { id, kind: 'failure', message: String(error) };
    }
  };
}
