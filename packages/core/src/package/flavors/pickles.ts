import { gunzipSync, inflateSync } from 'node:zlib';
import { type PickleSummary, readPickle } from '../pickle-globals.ts';
import type { SourceFile } from '../source-file.ts';
import type { SniffedPickle } from './flavor.ts';

/** Files that pickle, joblib or cloudpickle wrote, by their names. */
export const PICKLE = /\.(?:pkl|pickle|joblib|sav|dill|cloudpickle)$/i;
const SNIFF_BYTES = 4 * 1024 * 1024;
const MAX_PICKLES = 8;

/** Reads what the first pickles among some files say of themselves. */
export async function sniffPickles(
  artifacts: readonly SourceFile[],
  read: (file: SourceFile, sizeBytes: number) => Promise<Buffer>,
): Promise<readonly SniffedPickle[]> {
  const found: SniffedPickle[] = [];
  for (const file of artifacts.filter(({ path }) => PICKLE.test(path)).slice(0, MAX_PICKLES)) {
    const summary = readPickle(inflateStart(await read(file, SNIFF_BYTES)));
    if (summary !== undefined) found.push({ path: file.path, summary });
  }
  return found;
}

/** joblib compresses with zlib or gzip; what fits into 4 MiB of output is enough. */
function inflateStart(bytes: Buffer): Uint8Array {
  const inflate = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync : bytes[0] === 0x78 ? inflateSync : undefined;
  if (inflate === undefined) return bytes;
  try {
    return inflate(bytes, { maxOutputLength: 16 * SNIFF_BYTES, finishFlush: 2 });
  } catch {
    // Not what it seemed, or larger than we look into: then nothing is known of it, which is never an error.
    return new Uint8Array();
  }
}

/** The class of a pickled object, as far as it is known. */
export function nameOf({ root }: PickleSummary): string {
  return root === undefined ? 'of the object' : `${root.module}.${root.name}`;
}
