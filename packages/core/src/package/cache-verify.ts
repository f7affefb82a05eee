import { join } from 'node:path';
import type { VerifiedEntry, VerifyCacheOptions } from './cache.ts';
import { readRecord, writeRecord } from './cache-record.ts';
import { type CacheEntry, discardFromCache } from './cache-shelf.ts';
import { markOf } from './file-marks.ts';
import { verifyFiles } from './verify-files.ts';

/**
 * Reads a cached package and notes in its record that it is whole, or removes it. Undefined when it is gone.
 * @throws IngotError `interrupted`.
 */
export async function verifyEntry(
  root: string,
  entry: CacheEntry,
  now: () => Date,
  options: VerifyCacheOptions,
): Promise<VerifiedEntry | undefined> {
  const record = await readRecord(entry.path);
  if (record === undefined) return undefined;
  const directory = join(entry.path, 'files');
  const verifiedAt = now().toISOString();
  const marks = record.files.map((file) => marked(directory, file));
  const damaged = (await verifyFiles(directory, record.files, options)).map(({ path }) => path);
  if (damaged.length > 0) {
    await discardFromCache(root, entry.path);
    return { ...entry, damaged };
  }
  // Files whose times changed but whose bytes did not are known by their new times from now on.
  await writeRecord(entry.path, { ...record, files: marks, verifiedAt });
  return { ...entry, verifiedAt, damaged };
}

function marked<F extends { readonly path: string }>(directory: string, file: F): F {
  try {
    return { ...file, ...markOf(join(directory, file.path)) };
  } catch {
    // What is not there is found damaged.
    return file;
  }
}
