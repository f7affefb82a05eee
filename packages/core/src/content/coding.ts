/**
 * A *coding* is how a piece lies in its pack when its bytes do not lie there as they are. The digest and `sizeBytes` of
 * a piece are always those of its decoded bytes; `length` is what lies in the pack.
 *
 * `planes4-deflate` is for float32 weights. Byte `i` of the piece belongs to *plane* `i mod 4`; a plane is all its bytes
 * in order. The coded form is, for each of the four planes, one byte that says how it is stored (0: as it is, 1: raw
 * deflate, RFC 1951) and its stored length (4 bytes, big-endian); then the four planes.
 */

import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { IngotError } from '../errors.ts';

/** The codings that this release writes and reads. */
export const CODINGS = ['planes4-deflate'] as const;

/** The name of a coding, as pages and footers have it. */
export type Coding = (typeof CODINGS)[number];

/** No piece that is stored coded decodes to more than this. */
export const MAX_CODED_BYTES = 16 * 1024 * 1024;

const PLANES = 4;
const HEADER_BYTES = PLANES * 5;
const AS_IT_IS = 0;
const DEFLATED = 1;

const TRIAL_BYTES = 2048;
/** A plane is deflated when a trial saves this share of it; a piece is coded when all in all this share is saved. */
const WORTH_OF_PLANE = 0.06;
const WORTH_OF_PIECE = 0.02;
/** Weights have no repeated strings worth a search: only how often each byte occurs helps, and that is fast to code. */
const HUFFMAN = { strategy: constants.Z_HUFFMAN_ONLY, level: 1, memLevel: 9 } as const;

/** Says whether a text names a coding of this release. */
export function isCoding(text: string): text is Coding {
  return CODINGS.some((coding) => coding === text);
}

/** A piece as it will lie in its pack. */
export interface CodedPiece {
  readonly coding: Coding;
  readonly bytes: Uint8Array;
}

/**
 * Codes a piece, or gives undefined when a quick trial finds that it would hardly become smaller.
 *
 * @example
 * const coded = encodePiece(weights)?.bytes ?? weights; // about 0.86 of the bytes of float32 weights
 */
export function encodePiece(bytes: Uint8Array): CodedPiece | undefined {
  if (bytes.byteLength < PLANES * TRIAL_BYTES || bytes.byteLength > MAX_CODED_BYTES) return undefined;
  const worth = [0, 1, 2, 3].map((plane) => isWorth(bytes, plane));
  if (!worth.includes(true)) return undefined;
  const planes = splitPlanes(bytes).map((plane, n) => storedPlane(plane, worth[n] === true));
  const length = planes.reduce((sum, { stored }) => sum + stored.byteLength, HEADER_BYTES);
  if (length > bytes.byteLength * (1 - WORTH_OF_PIECE)) return undefined;
  const header = Buffer.alloc(HEADER_BYTES);
  for (const [n, { method, stored }] of planes.entries()) {
    header.writeUInt8(method, n * 5);
    header.writeUInt32BE(stored.byteLength, n * 5 + 1);
  }
  return { coding: 'planes4-deflate', bytes: Buffer.concat([header, ...planes.map(({ stored }) => stored)], length) };
}

interface StoredPlane {
  readonly method: number;
  readonly stored: Uint8Array;
}

function storedPlane(plane: Uint8Array, worth: boolean): StoredPlane {
  const deflated = worth ? deflateRawSync(plane, HUFFMAN) : undefined;
  return deflated !== undefined && deflated.byteLength < plane.byteLength
    ? { method: DEFLATED, stored: deflated }
    : { method: AS_IT_IS, stored: plane };
}

/** Estimates from the entropy of some bytes in the middle of a plane whether deflating it is worth while. */
function isWorth(bytes: Uint8Array, plane: number): boolean {
  const counts = new Uint16Array(256);
  const first = Math.floor(bytes.byteLength / 2 / PLANES) * PLANES - (TRIAL_BYTES / 2) * PLANES + plane;
  for (let n = 0; n < TRIAL_BYTES; n += 1) {
    const byte = bytes[first + n * PLANES] ?? 0;
    counts[byte] = (counts[byte] ?? 0) + 1;
  }
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= count * Math.log2(count / TRIAL_BYTES);
  // Few samples of many values look a little more regular than they are: 2,048 random bytes show 7.9 bits each.
  return bits / 8 < TRIAL_BYTES * (1 - WORTH_OF_PLANE);
}

function splitPlanes(bytes: Uint8Array): readonly Uint8Array[] {
  const planes = [0, 1, 2, 3].map((plane) => new Uint8Array(planeLength(bytes.byteLength, plane)));
  for (const [plane, target] of planes.entries()) {
    for (let n = 0, at = plane; n < target.length; n += 1, at += PLANES) target[n] = bytes[at] ?? 0;
  }
  return planes;
}

function planeLength(sizeBytes: number, plane: number): number {
  return Math.ceil((sizeBytes - plane) / PLANES);
}

/**
 * Decodes a piece as it lies in its pack.
 * @param sizeBytes the length that the page or footer says the decoded bytes have.
 * @throws IngotError `refused` for a coding that this release does not know, `integrity` when the bytes are not of that coding and size.
 */
export function decodePiece(coding: string, stored: Uint8Array, sizeBytes: number): Uint8Array {
  if (!isCoding(coding)) {
    throw new IngotError(
      'refused',
      `a piece is stored in the coding "${coding.slice(0, 40)}"; this release reads ${CODINGS.join(', ')}`,
      {
        hint: 'npm install -g ingot@latest',
      },
    );
  }
  if (sizeBytes > MAX_CODED_BYTES || stored.byteLength < HEADER_BYTES) throw damaged('it has an impossible size');
  const header = Buffer.from(stored.buffer, stored.byteOffset, HEADER_BYTES);
  const out = new Uint8Array(sizeBytes);
  let at = HEADER_BYTES;
  for (let plane = 0; plane < PLANES; plane += 1) {
    const length = header.readUInt32BE(plane * 5 + 1);
    const bytes = stored.subarray(at, at + length);
    at += length;
    if (at > stored.byteLength) throw damaged('it ends too early');
    mergePlane(out, plane, readPlane(header.readUInt8(plane * 5), bytes, planeLength(sizeBytes, plane)));
  }
  if (at !== stored.byteLength) throw damaged('it has bytes behind its end');
  return out;
}

function readPlane(method: number, bytes: Uint8Array, length: number): Uint8Array {
  const plane = method === DEFLATED ? inflated(bytes, length) : method === AS_IT_IS ? bytes : undefined;
  if (plane === undefined) throw damaged(`a part of it is stored in the unknown way ${method}`);
  if (plane.byteLength !== length) throw damaged('a part of it has another length');
  return plane;
}

function inflated(bytes: Uint8Array, length: number): Uint8Array {
  try {
    return inflateRawSync(bytes, { maxOutputLength: Math.max(1, length) });
  } catch (cause) {
    throw damaged('a part of it cannot be inflated', cause);
  }
}

function mergePlane(out: Uint8Array, plane: number, bytes: Uint8Array): void {
  for (let n = 0, at = plane; n < bytes.length; n += 1, at += PLANES) out[at] = bytes[n] ?? 0;
}

function damaged(why: string, cause?: unknown): IngotError {
  return new IngotError('integrity', `a piece is not what its coding says: ${why}`, { cause });
}
