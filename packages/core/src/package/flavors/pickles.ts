import { gunzipSync, inflateSync } from 'node:zlib';
import { type PickleSummary, readPickle } from '../pickle-globals.ts';
import { isXz, unpackXz } from '../foreign/xz.ts';
import type { SourceFile } from '../source-file.ts';
import type { SniffedPickle } from './flavor.ts';

/** Files that pickle, joblib or cloudpickle wrote, by their names; also those that were compressed. */
export const PICKLE = /\.(?:pkl|pickle|joblib|sav|dill|cloudpickle)(?:\.(?:gz|z|xz|lzma|bz2|lz4))?$/i;
const SNIFF_BYTES = 4 * 1024 * 1024;
const MAX_PICKLES = 8;

/** Reads what the first pickles among some files say of themselves. */
export async function sniffPickles(
  artifacts: readonly SourceFile[],
  read: (file: SourceFile, sizeBytes: number) => Promise<Buffer>,
): Promise<readonly SniffedPickle[]> {
  const found: SniffedPickle[] = [];
  for (const file of artifacts.filter(({ path }) => PICKLE.test(path)).slice(0, MAX_PICKLES)) {
    const summary = readPickle(await unpackStart(await read(file, SNIFF_BYTES)));
    if (summary !== undefined) found.push({ path: file.path, summary });
  }
  return found;
}

/** What is unpacked of a compressed pickle: what fits into 64 MiB is enough. */
const MAX_UNPACKED = 16 * SNIFF_BYTES;

/** joblib compresses with zlib, gzip or xz, and people with gzip and xz. */
async function unpackStart(bytes: Buffer): Promise<Uint8Array> {
  if (isXz(bytes)) return await unpackXzStart(bytes);
  const inflate = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync : bytes[0] === 0x78 ? inflateSync : undefined;
  if (inflate === undefined) return bytes;
  try {
    return inflate(bytes, { maxOutputLength: MAX_UNPACKED, finishFlush: 2 });
  } catch {
    // Not what it seemed, or larger than we look into: then nothing is known of it, which is never an error.
    return new Uint8Array();
  }
}

async function unpackXzStart(bytes: Buffer): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const piece of unpackXz(once(bytes), 'the pickle')) {
      pieces.push(piece);
      sizeBytes += piece.length;
      if (sizeBytes >= MAX_UNPACKED) break;
    }
  } catch {
    // Only its start was read, or it is damaged: what came before tells as much as it can.
  }
  return Buffer.concat(pieces);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** `BZh`, an `.lzma` header, an LZ4 frame: compressed in a way that is not looked into here. */
const SEALED = [Buffer.from('BZh'), Buffer.from([0x5d, 0x00, 0x00]), Buffer.from([0x04, 0x22, 0x4d, 0x18])];

/** How many bytes {@link isSealed} asks for. */
export const SEAL_BYTES = 4;

/** Whether a file begins like one that joblib compressed with bz2, lzma or lz4. */
export function isSealed(start: Buffer): boolean {
  return SEALED.some((magic) => start.subarray(0, magic.length).equals(magic));
}

/** The class of a pickled object, as far as it is known. */
export function nameOf({ root }: PickleSummary): string {
  return root === undefined ? 'of the object' : `${root.module}.${root.name}`;
}
