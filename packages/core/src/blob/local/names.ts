/**
 * How keys become file names. Only `a-z 0-9 . _ -` stand for themselves; every other byte is percent-encoded, capitals
 * too, so that keys differing in case or in Unicode normalisation stay apart on file systems that fold them. A leading
 * dot is encoded, so hidden files (temporary ones, `.DS_Store`, `.nfs…`) can never be blobs.
 */

import { join } from 'node:path';
import { IngotError } from '../../errors.ts';

/** File in which a blob's bytes lie where the file system has no hard links and the blob is a directory. */
export const INNER_FILE = '.blob';

const MAX_FILE_NAME_BYTES = 255;
const PLAIN = /^[a-z0-9_-](?:[a-z0-9._-]*[a-z0-9_-])?$/;
const DEVICE = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/;

/**
 * Gives the path of a checked key below a directory.
 * @throws IngotError `usage` when a segment is too long for a file name.
 */
export function pathOfKey(root: string, key: string): string {
  return join(root, ...key.split('/').map(encodeSegment));
}

/** Writes one segment of a key as a file name. */
export function encodeSegment(segment: string): string {
  const name = PLAIN.test(segment) && !DEVICE.test(segment) ? segment : encodeOdd(segment);
  if (name.length <= MAX_FILE_NAME_BYTES) return name;
  throw new IngotError(
    'usage',
    `"${segment.slice(0, 60)}…" is too long for a file name (${name.length} of ${MAX_FILE_NAME_BYTES} bytes)`,
  );
}

function encodeOdd(segment: string): string {
  const bytes = Buffer.from(segment);
  const last = bytes.byteLength - 1;
  const device = DEVICE.test(segment);
  let name = '';
  for (const [index, byte] of bytes.entries()) {
    const edge = index === 0 || index === last;
    name += isPlain(byte, edge) && !(device && index === 0) ? String.fromCharCode(byte) : `%${hex(byte)}`;
  }
  return name;
}

function isPlain(byte: number, edge: boolean): boolean {
  if (byte === 0x2e) return !edge;
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte === 0x5f || byte === 0x2d;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

/** Reads a file name back, or gives undefined for one that no key has: hidden files and those others put there. */
export function decodeSegment(name: string): string | undefined {
  if (PLAIN.test(name)) return DEVICE.test(name) ? undefined : name;
  if (name.startsWith('.') || !/^(?:[a-z0-9._-]|%[0-9a-f]{2})+$/.test(name)) return undefined;
  const bytes = name.replace(/%([0-9a-f]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  const segment = Buffer.from(bytes, 'latin1').toString('utf8');
  if (segment.includes('/') || segment === '.' || segment === '..') return undefined;
  return encodeOdd(segment) === name ? segment : undefined;
}

/** How the segments of keys and the names of files stand for each other. */
export interface FileNames {
  /** The name under which a segment's file lies. */
  nameOf(segment: string): string;
  /** The segment that a name stands for; undefined for a name that is no blob's. */
  segmentOf(name: string): string | undefined;
}

/** Names of a store: safe on every file system. */
export const STORE_NAMES: FileNames = { nameOf: encodeSegment, segmentOf: decodeSegment };

/** Names that other people gave their files, as they are. For reading only. */
export const PLAIN_NAMES: FileNames = {
  nameOf: (segment) => segment,
  segmentOf: (name) => (/^\.{0,2}$|[/\\\0]/.test(name) ? undefined : name),
};
