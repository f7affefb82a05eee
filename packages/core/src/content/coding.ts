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
const CODINGS = ['planes4-deflate'] as const;

/** The name of a coding, as pages and footers have it. */
export type Coding = (typeof CODINGS)[number];

/** No piece that is stored coded decodes to more than this. */
const MAX_CODED_BYTES = 16 * 1024 * 1024;

const PLANES = 4;
const HEADER_BYTES = PLANES * 5;
const AS_IT_IS = 0;
const DEFLATED = 1;

/** Says whether a text names a coding of this release. */
export function isCoding(text: string): text is Coding {
  return CODINGS.some((coding) => coding === text);
}

/** A piece as it will lie in its pack. */
export interface CodedPiece {
  readonly coding: Coding;
  readonly bytes: Uint8Array;
}

/** Codes pieces; undefined for a piece that a quick trial finds would hardly become smaller. */
export type Encoder = (bytes: Uint8Array) => CodedPiece | undefined;

/** Makes an encoder. Its text also runs in worker threads: it uses nothing but its arguments. */
export function createEncoder(deflate: typeof deflateRawSync, { Z_HUFFMAN_ONLY }: typeof constants): Encoder {
  const planeCount = 4;
  const headerBytes = planeCount * 5;
  const trialBytes = 1024;
  const largestBytes = 16 * 1024 * 1024;
  // A plane is deflated when a trial says it saves this share of it; a piece is coded when all in all this share is saved.
  const worthOfPlane = 0.08;
  const worthOfPiece = 0.02;
  // Weights have no repeated strings worth a search: only how often each byte occurs helps, and that is fast to code.
  const options = { strategy: Z_HUFFMAN_ONLY, level: 1, memLevel: 9 };
  const logs = Float64Array.from({ length: trialBytes + 1 }, (_, count) =>
    count === 0 ? 0 : count * Math.log2(count),
  );

  /** Estimates the entropy of a plane from some bytes in its middle. */
  const isWorth = (bytes: Uint8Array, plane: number): boolean => {
    const counts = new Uint16Array(256);
    const middle = Math.floor(bytes.length / 2 / planeCount) - trialBytes / 2;
    for (let n = 0, at = middle * planeCount + plane; n < trialBytes; n += 1, at += planeCount) {
      const byte = bytes[at] ?? 0;
      counts[byte] = (counts[byte] ?? 0) + 1;
    }
    let bits = trialBytes * Math.log2(trialBytes);
    for (const count of counts) bits -= logs[count] ?? 0;
    // Few samples look more regular than they are: of 1,024 random bytes each shows 7.8 bits.
    return bits / 8 < trialBytes * (1 - worthOfPlane);
  };
  let split = new Uint8Array(0);

  /** Splits all planes in one pass, word by word; they stay as they are until the next call. */
  const planesOf = (bytes: Uint8Array): readonly Uint8Array[] => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const words = Math.floor(bytes.length / planeCount);
    const rest = bytes.length % planeCount;
    const [second, third, fourth] = [words + 1, 2 * (words + 1), 3 * (words + 1)];
    if (split.length < fourth + words + 1) split = new Uint8Array(fourth + words + 1);
    for (let n = 0; n < words; n += 1) {
      const word = view.getUint32(n * planeCount, true);
      split[n] = word;
      split[second + n] = word >>> 8;
      split[third + n] = word >>> 16;
      split[fourth + n] = word >>> 24;
    }
    for (let plane = 0; plane < rest; plane += 1)
      split[plane * second + words] = bytes[words * planeCount + plane] ?? 0;
    return [0, second, third, fourth].map((at, plane) => split.subarray(at, at + words + (plane < rest ? 1 : 0)));
  };

  return (bytes) => {
    if (bytes.length < 2 * planeCount * trialBytes || bytes.length > largestBytes) return undefined;
    const worth = [0, 1, 2, 3].map((plane) => isWorth(bytes, plane));
    if (!worth.includes(true)) return undefined;
    const planes = planesOf(bytes).map((raw, plane) => {
      const smaller = worth[plane] === true ? deflate(raw, { ...options, chunkSize: raw.length + 1024 }) : raw;
      return smaller.length < raw.length ? { method: 1, stored: smaller } : { method: 0, stored: raw };
    });
    const length = planes.reduce((sum, { stored }) => sum + stored.length, headerBytes);
    if (length > bytes.length * (1 - worthOfPiece)) return undefined;
    const coded = new Uint8Array(length);
    const header = new DataView(coded.buffer);
    let at = headerBytes;
    for (const [plane, { method, stored }] of planes.entries()) {
      header.setUint8(plane * 5, method);
      header.setUint32(plane * 5 + 1, stored.length);
      coded.set(stored, at);
      at += stored.length;
    }
    return { coding: 'planes4-deflate', bytes: coded };
  };
}

/**
 * Codes a piece, or gives undefined when a quick trial finds that it would hardly become smaller.
 *
 * @example
 * const coded = encodePiece(weights)?.bytes ?? weights; // about 0.86 of the bytes of float32 weights
 */
export const encodePiece: Encoder = createEncoder(deflateRawSync, constants);

/**
 * Decodes a piece as it lies in its pack.
 * @param sizeBytes the length that the page or footer says the decoded bytes have.
 * @throws IngotError `refused` for a coding that this release does not know, `integrity` when the bytes are not of that coding and size.
 */
export function decodePiece(coding: string, stored: Uint8Array, sizeBytes: number): Uint8Array {
  if (!isCoding(coding)) {
    throw new IngotError(
      'refused',
      `a chunk is stored in the coding "${coding.slice(0, 40)}"; this release reads ${CODINGS.join(', ')}`,
      {
        hint: 'npm install -g ingot@latest',
      },
    );
  }
  if (sizeBytes > MAX_CODED_BYTES || stored.byteLength < HEADER_BYTES) throw damaged('it has an impossible size');
  const header = Buffer.from(stored.buffer, stored.byteOffset, HEADER_BYTES);
  const planes: Uint8Array[] = [];
  let at = HEADER_BYTES;
  for (let plane = 0; plane < PLANES; plane += 1) {
    const length = header.readUInt32BE(plane * 5 + 1);
    const bytes = stored.subarray(at, at + length);
    at += length;
    if (at > stored.byteLength) throw damaged('it ends too early');
    planes.push(readPlane(header.readUInt8(plane * 5), bytes, planeLength(sizeBytes, plane)));
  }
  if (at !== stored.byteLength) throw damaged('it has bytes behind its end');
  return mergePlanes(planes, sizeBytes);
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

function planeLength(sizeBytes: number, plane: number): number {
  return Math.ceil((sizeBytes - plane) / PLANES);
}

/** Puts planes together, word by word; in a last word that is not whole the later planes have no byte. */
function mergePlanes(planes: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const out = new Uint8Array(sizeBytes);
  const view = new DataView(out.buffer);
  const words = Math.floor(sizeBytes / PLANES);
  const [first = out, second = out, third = out, fourth = out] = planes;
  for (let n = 0; n < words; n += 1) {
    const low = (first[n] ?? 0) | ((second[n] ?? 0) << 8);
    view.setUint32(n * PLANES, low | ((third[n] ?? 0) << 16) | ((fourth[n] ?? 0) << 24), true);
  }
  for (let at = words * PLANES; at < sizeBytes; at += 1) out[at] = planes[at % PLANES]?.[words] ?? 0;
  return out;
}

function damaged(why: string, cause?: unknown): IngotError {
  return new IngotError('integrity', `a chunk is not what its coding says: ${why}`, { cause });
}
