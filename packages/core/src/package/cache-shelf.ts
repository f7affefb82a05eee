import { randomBytes } from 'node:crypto';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalCopy } from '../content/local-contents.ts';
import { type Digest, isDigest } from '../digest.ts';
import { systemErrorCode } from '../errors.ts';
import type { ArrivalPlace } from './arrival.ts';
import { readRecord } from './cache-record.ts';
import { compareMarks } from './file-marks.ts';
import { notedCopy } from './page-notes.ts';

/** A package in a listing of the cache. */
export interface CacheEntry {
  readonly digest: Digest;
  readonly model: string | undefined;
  readonly sizeBytes: number;
  /** ISO 8601. */
  readonly usedAt: string;
  /** When all of its bytes were last found right, ISO 8601. */
  readonly verifiedAt: string;
  readonly path: string;
}

/** What a package is called while its files arrive, and while they are removed. */
const ARRIVING = '.arriving-';
const LEAVING = '.leaving-';
const LEFTOVER_MS = 24 * 60 * 60_000;

/** How the directories are called in which packages arrive. */
export function arrivalsOf(root: string, now: () => Date): ArrivalPlace {
  return { parent: root, prefix: ARRIVING, suffix: '', now };
}

/** Lists the packages of a cache, the most recently used first. */
export async function listCache(root: string): Promise<CacheEntry[]> {
  const entries: CacheEntry[] = [];
  for (const name of await names(root)) {
    const digest = `sha256:${name}`;
    const path = join(root, name);
    const record = isDigest(digest) ? await readRecord(path) : undefined;
    if (record === undefined || !isDigest(digest)) continue;
    const used = await stat(join(path, 'used')).catch(() => undefined);
    const { model, sizeBytes, fetchedAt, verifiedAt = fetchedAt } = record;
    entries.push({ digest, model, sizeBytes, usedAt: (used?.mtime ?? new Date(0)).toISOString(), verifiedAt, path });
  }
  return entries.sort((a, b) => (a.usedAt < b.usedAt ? 1 : -1));
}

/** What a cached package gives for finding pieces of other versions in it; undefined when it has no record. */
export async function copyInCache(path: string): Promise<LocalCopy | undefined> {
  const record = await readRecord(path);
  if (record === undefined) return undefined;
  const directory = join(path, 'files');
  const states = await compareMarks(directory, record.files);
  const usable = new Set(record.files.filter((_, n) => states[n] !== 'other').map((file) => file.path));
  return notedCopy(path, (name) => (usable.has(name) ? join(directory, name) : undefined));
}

/** Removes the package at a place: by one rename, so that nobody sees half of it. */
export async function discardFromCache(root: string, path: string): Promise<void> {
  const gone = join(root, `${LEAVING}${randomBytes(8).toString('hex')}`);
  try {
    await rename(path, gone);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return;
    throw error;
  }
  await rm(gone, { recursive: true, force: true });
}

/** Removes what crashed processes left behind, once it is old enough to belong to nobody who still runs. */
export async function sweepCache(root: string, now: Date): Promise<void> {
  for (const name of await names(root)) {
    if (!name.startsWith(ARRIVING) && !name.startsWith(LEAVING)) continue;
    const found = await stat(join(root, name)).catch(() => undefined);
    const old = found !== undefined && now.getTime() - found.mtimeMs > LEFTOVER_MS;
    if (old) await rm(join(root, name), { recursive: true, force: true });
  }
}

async function names(root: string): Promise<string[]> {
  try {
    return await readdir(root);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
