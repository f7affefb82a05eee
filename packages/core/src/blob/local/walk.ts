import type { Dirent } from 'node:fs';
import { join } from 'node:path';
import { systemErrorCode } from '../../errors.ts';
import type { BlobEntry } from '../blob-store.ts';
import { stopIfInterrupted } from '../interrupt.ts';
import { compareKeys } from '../key.ts';
import type { FileSystem } from './file-system.ts';
import { decodeSegment, encodeSegment, INNER_FILE } from './names.ts';
import { DIRECTORY_FORM_MARK } from './place.ts';

const STATS_AT_ONCE = 64;

/** What a walk looks for. */
export interface WalkOptions {
  readonly prefix: string;
  readonly after: string | undefined;
  readonly signal: AbortSignal | undefined;
}

interface Found {
  /** The blob's key, or that of a directory with its closing `/`. */
  readonly key: string;
  readonly path: string;
}

/** Lists the blobs below a root in the order of their keys, holding one directory of each level in memory. */
export async function* walk(files: FileSystem, root: string, options: WalkOptions): AsyncIterable<BlobEntry> {
  const base = options.prefix.slice(0, options.prefix.lastIndexOf('/') + 1);
  const segments = base.split('/').slice(0, -1);
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) return;
  const directoryForm = await isThere(files, join(root, DIRECTORY_FORM_MARK));
  yield* walkDirectory(files, join(root, ...segments.map(encodeSegment)), base, directoryForm, options);
}

async function* walkDirectory(
  files: FileSystem,
  directory: string,
  base: string,
  directoryForm: boolean,
  options: WalkOptions,
): AsyncIterable<BlobEntry> {
  const found = (await entriesOf(files, directory, base, directoryForm)).filter(({ key }) => isWanted(key, options));
  found.sort((a, b) => compareKeys(a.key, b.key));
  for (let at = 0; at < found.length; ) {
    stopIfInterrupted(options.signal, 'blob.list');
    const entry = found[at];
    if (entry?.key.endsWith('/')) {
      yield* walkDirectory(files, entry.path, entry.key, directoryForm, options);
      at += 1;
      continue;
    }
    const blobs = run(found, at);
    at += blobs.length;
    for (const blob of await Promise.all(blobs.map((one) => describe(files, one)))) if (blob !== undefined) yield blob;
  }
}

function run(found: readonly Found[], start: number): readonly Found[] {
  let end = start;
  while (end < found.length && end - start < STATS_AT_ONCE && found[end]?.key.endsWith('/') === false) end += 1;
  return found.slice(start, end);
}

function isWanted(key: string, { prefix, after }: WalkOptions): boolean {
  if (!key.startsWith(prefix) && !(key.endsWith('/') && prefix.startsWith(key))) return false;
  if (after === undefined || compareKeys(key, after) > 0) return true;
  // Everything under a directory that sorts before `after` does too, unless `after` itself lies in it.
  return key.endsWith('/') && after.startsWith(key);
}

async function entriesOf(files: FileSystem, directory: string, base: string, directoryForm: boolean): Promise<Found[]> {
  const found: Found[] = [];
  for (const entry of await entriesIfPresent(files, directory)) {
    const segment = decodeSegment(entry.name);
    if (segment === undefined) continue;
    const path = join(directory, entry.name);
    if (entry.isFile()) found.push({ key: base + segment, path });
    else if (entry.isDirectory()) found.push(await classify(files, path, base + segment, directoryForm));
  }
  return found;
}

async function classify(files: FileSystem, path: string, key: string, directoryForm: boolean): Promise<Found> {
  const inner = join(path, INNER_FILE);
  return directoryForm && (await isThere(files, inner)) ? { key, path: inner } : { key: `${key}/`, path };
}

async function entriesIfPresent(files: FileSystem, directory: string): Promise<Dirent[]> {
  try {
    return await files.readdir(directory);
  } catch (error) {
    // Never made, removed meanwhile, or the prefix lies under a blob: nothing is listed there.
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return [];
    throw error;
  }
}

async function describe(files: FileSystem, { key, path }: Found): Promise<BlobEntry | undefined> {
  try {
    const stats = await files.stat(path);
    return { key, sizeBytes: stats.size, modifiedAt: stats.mtime };
  } catch (error) {
    // Deleted between the listing of its directory and now.
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function isThere(files: FileSystem, path: string): Promise<boolean> {
  try {
    await files.stat(path);
    return true;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return false;
    throw error;
  }
}
