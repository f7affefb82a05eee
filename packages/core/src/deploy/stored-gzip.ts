/**
 * Gzip that holds its bytes as they are. Every tool reads it, which cannot be said of layers that are bare tars, and
 * weights, which barely compress, cost no time. Its length follows from theirs, and its bytes from nothing else.
 * Source: RFC 1952; RFC 1951, section 3.2.4.
 */

import * as zlib from 'node:zlib';
import { crc32 as slowCrc32 } from '../package/foreign/crc.ts';

/** Method deflate; no name, no time; the system is not known. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
const BLOCK_BYTES = 65_535;
const BLOCK_HEADER_BYTES = 5;
const TRAILER_BYTES = 8;
/** Blocks that are handed on together. */
const BLOCKS = 16;

/** The bytes of {@link storedGzip} of so many bytes. */
export function storedGzipSize(sizeBytes: number): number {
  const blocks = Math.max(1, Math.ceil(sizeBytes / BLOCK_BYTES));
  return HEADER.length + blocks * BLOCK_HEADER_BYTES + sizeBytes + TRAILER_BYTES;
}

/** Frames bytes, of which there must be just so many, as gzip. */
export async function* storedGzip(
  bytes: AsyncIterable<Uint8Array>,
  sizeBytes: number,
): AsyncGenerator<Uint8Array, void> {
  yield HEADER;
  let [left, crc] = [sizeBytes, 0];
  let out = roomFor(left);
  let [used, blockLeft] = [0, 0];
  if (sizeBytes === 0) used = beginBlock(out, 0, 0, true);
  for await (const piece of bytes) {
    crc = crc32(piece, crc);
    for (let at = 0; at < piece.byteLength; ) {
      if (blockLeft === 0) {
        if (used === out.length) {
          yield out;
          out = roomFor(left);
          used = 0;
        }
        blockLeft = Math.min(BLOCK_BYTES, left);
        used = beginBlock(out, used, blockLeft, blockLeft === left);
      }
      const some = Math.min(blockLeft, piece.byteLength - at);
      if (some === 0) return; // More than was said, which whoever counts them tells.
      out.set(piece.subarray(at, at + some), used);
      [used, at, blockLeft, left] = [used + some, at + some, blockLeft - some, left - some];
    }
  }
  yield out.subarray(0, used);
  const trailer = Buffer.alloc(TRAILER_BYTES);
  trailer.writeUInt32LE(crc >>> 0, 0);
  trailer.writeUInt32LE(sizeBytes % 2 ** 32, 4);
  yield trailer;
}

function roomFor(left: number): Buffer {
  const blocks = Math.min(BLOCKS, Math.max(1, Math.ceil(left / BLOCK_BYTES)));
  return Buffer.allocUnsafeSlow(blocks * BLOCK_HEADER_BYTES + Math.min(left, blocks * BLOCK_BYTES));
}

function beginBlock(out: Buffer, at: number, length: number, isLast: boolean): number {
  out[at] = isLast ? 1 : 0;
  out.writeUInt16LE(length, at + 1);
  out.writeUInt16LE(length ^ 0xffff, at + 3);
  return at + BLOCK_HEADER_BYTES;
}

/** Node has its own since 20.15, which is ten times as fast. */
const crc32: (bytes: Uint8Array, before: number) => number = 'crc32' in zlib ? zlib.crc32 : slowCrc32;
