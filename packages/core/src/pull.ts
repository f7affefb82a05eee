/**
 * A pull brings a version's files to this machine: into a directory of the user's choice, exactly as they were pushed,
 * or into the cache, where they may not be changed.
 */

import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Capture } from './capture.ts';
import type { ContentReader } from './content/content-store.ts';
import { LocalContents } from './content/local-contents.ts';
import { IngotError, isIngotError, systemErrorCode } from './errors.ts';
import { makeDirectory } from './make-directory.ts';
import type { CachedPackage, PackageCache } from './package/cache.ts';
import { journaled } from './package/cache-arrive.ts';
import type { OutputNote } from './package/output-notes.ts';
import type { PackageDescription } from './package/package.ts';
import { openPageNotes } from './package/page-notes.ts';
import { type LinkMode, placeFiles } from './package/place-files.ts';
import { openStoredPackage } from './package/stored-package.ts';
import { type Unpacked, unpackPackage } from './package/unpack.ts';
import type { OnProgress } from './progress.ts';
import { type Found, lookAt, writeWhole } from './pull-output.ts';
import { pullBases } from './pull-bases.ts';
import { formatReference, parseReference, type Reference } from './ref.ts';
import type { ResolvedVersion, VersionResolver } from './registry/registry.ts';

/** Options of {@link pull} and {@link pullToCache}. */
export interface PullSourceOptions {
  readonly registry: VersionResolver;
  readonly contents: ContentReader;
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** Options of {@link pull}. */
export interface PullOptions extends PullSourceOptions {
  /** The directory to make. */
  readonly output: string;
  /** Whether a directory that holds something else is replaced. Default: false. */
  readonly force?: boolean;
  /**
   * What this machine has: a package that is in it is taken from there, and the bytes of earlier versions are. Default:
   * everything comes from the store.
   */
  readonly cache?: PackageCache;
  /** How files come from the cache; `hard` and `reflink` bring the package there first. Default: `auto`. */
  readonly link?: LinkMode;
  /** Default: the system clock. */
  readonly clock?: () => Date;
}

/** Bytes of a pull. */
export interface PulledBytes {
  /** Of the package's files. */
  readonly total: number;
  /** That came from the store, with what says where they lie. */
  readonly fetched: number;
  /** Of the files, that were on this machine already. */
  readonly found: number;
}

/** What a pull brought. */
export interface PullResult {
  /** `churn:7`. */
  readonly ref: string;
  readonly resolved: ResolvedVersion;
  /** Where the files are. */
  readonly path: string;
  readonly files: readonly string[];
  readonly description: PackageDescription;
  readonly captured?: Capture;
  /** True when the directory already held exactly these files. */
  readonly existed: boolean;
  readonly bytes: PulledBytes;
}

/**
 * Writes exactly the pushed files into a directory, whole or not at all. What an interrupted pull has written is used by
 * the next one of the same version into the same directory.
 * @throws IngotError `conflict` when the directory holds something else, `disk-full`, and as resolving and reading do.
 * @example
 * await pull('churn@production', { registry, contents, output: './churn' });
 */
export async function pull(reference: string | Reference, options: PullOptions): Promise<PullResult> {
  const { registry, signal } = options;
  const resolved = await registry.resolve(typeof reference === 'string' ? parseReference(reference) : reference, {
    signal,
  });
  const cached = await fromCache(resolved, options);
  return cached === undefined
    ? await fromStore(resolved, options)
    : await placed(resolved, cached, options, { fetched: cached.arrived?.fetchedBytes ?? 0 });
}

/** The package when it is in the cache, or has to be there to be linked. */
async function fromCache(resolved: ResolvedVersion, options: PullOptions): Promise<CachedPackage | undefined> {
  const { cache, contents, link = 'auto', signal, onProgress } = options;
  if (cache === undefined) return undefined;
  const key = keyOf(resolved);
  const needed = link === 'hard' || link === 'reflink';
  if (!needed && (await cache.get(key)) === undefined) return undefined;
  return await cache.fetch(key, contents, { signal, onProgress });
}

async function placed(
  resolved: ResolvedVersion,
  cached: CachedPackage,
  options: PullOptions,
  { fetched }: Pick<PulledBytes, 'fetched'>,
): Promise<PullResult> {
  const { link = 'auto', signal, onProgress, clock = () => new Date() } = options;
  const path = resolve(options.output);
  const { files } = cached.description;
  const found = await lookAt(path, files, { ...options, outputs: options.cache?.outputs });
  refuseOther(found, resolved, options);
  if (found !== 'same')
    await writeWhole(path, found, { manifest: resolved.manifest, now: clock }, async (directory) => {
      const to = join(directory, 'files');
      await rm(to, { recursive: true, force: true });
      await placeFiles(cached.directory, to, files, link, { name: options.output, signal, onProgress });
    });
  const total = sizeOf(cached.description);
  const bytes = { total, fetched, found: Math.max(0, total - fetched) };
  return resultOf(resolved, path, cached.description, { captured: cached.captured, existed: found === 'same', bytes });
}

async function fromStore(resolved: ResolvedVersion, options: PullOptions): Promise<PullResult> {
  const { contents, cache, signal, onProgress, clock = () => new Date() } = options;
  const stored = await openStoredPackage(contents, resolved, { signal });
  const { description, recipe } = stored;
  const path = resolve(options.output);
  const found = await lookAt(path, description.files, { ...options, outputs: cache?.outputs });
  refuseOther(found, resolved, options);
  const total = sizeOf(description);
  const captured = stored.captured?.capture;
  if (found === 'same')
    return resultOf(resolved, path, description, {
      captured,
      existed: true,
      bytes: { total, fetched: 0, found: total },
    });
  const local = (await cache?.local(resolved.model)) ?? (await LocalContents.open([]));
  let unpacked: Unpacked | undefined;
  const write = async (directory: string): Promise<Unpacked> => {
    await using notes = await openPageNotes(directory, recipe);
    const to = await filesIn(directory);
    const { onPage } = notes;
    unpacked = await journaled(directory, (journal) =>
      unpackPackage(contents, stored, to, {
        journal,
        sources: local,
        known: local,
        onPage,
        ...(signal && { signal }),
        ...(onProgress && { onProgress }),
      }),
    );
    await notes.finish();
    return unpacked;
  };
  const note = async (arrived: string): Promise<void> => {
    const { manifest, model } = resolved;
    if (unpacked !== undefined)
      await noted(cache, { path, manifest, model, at: clock().toISOString(), files: unpacked.files }, arrived);
  };
  const { fetchedBytes, foundBytes } = await writeWhole(
    path,
    found,
    { manifest: resolved.manifest, now: clock, note },
    write,
  );
  const bytes = { total, fetched: fetchedBytes, found: foundBytes };
  return resultOf(resolved, path, description, { captured, existed: false, bytes });
}

async function filesIn(directory: string): Promise<string> {
  const path = join(directory, 'files');
  await makeDirectory(path);
  return path;
}

/** Tolerated: without the note the next pull only fetches more. */
async function noted(cache: PackageCache | undefined, note: OutputNote, from: string): Promise<void> {
  try {
    await cache?.outputs.add(note, from);
  } catch (error) {
    if (systemErrorCode(error) === undefined && !isIngotError(error)) throw error;
  }
}

function refuseOther(found: Found, resolved: ResolvedVersion, { output, force }: PullOptions): void {
  if (found !== 'other' || force === true) return;
  throw new IngotError('conflict', `${output} holds other files than ${refOf(resolved)}`, {
    operation: 'pull',
    hint: 'choose another directory with -o',
  });
}

function resultOf(
  resolved: ResolvedVersion,
  path: string,
  description: PackageDescription,
  rest: Pick<PullResult, 'existed' | 'bytes'> & { readonly captured: Capture | undefined },
): PullResult {
  const { captured, existed, bytes } = rest;
  return {
    ref: refOf(resolved),
    resolved,
    path,
    files: description.files.map((file) => file.path),
    description,
    ...(captured === undefined ? {} : { captured }),
    existed,
    bytes,
  };
}

function sizeOf({ files }: PackageDescription): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function keyOf({ manifest, recipe, model }: ResolvedVersion) {
  return { manifest, recipe, model };
}

/**
 * Brings a version into the cache, or finds it there, with the versions it is built on. The store is not asked when the
 * package is there.
 */
export async function pullToCache(
  reference: string | Reference,
  options: PullSourceOptions & { readonly cache: PackageCache },
): Promise<PullResult & { readonly package: CachedPackage }> {
  const { registry, contents, cache, signal, onProgress } = options;
  const resolved = await registry.resolve(typeof reference === 'string' ? parseReference(reference) : reference, {
    signal,
  });
  const found = await cache.fetch(keyOf(resolved), contents, { signal, onProgress });
  await pullBases(found, options);
  const { description, captured, arrived, directory } = found;
  const total = sizeOf(description);
  const bytes = { total, fetched: arrived?.fetchedBytes ?? 0, found: arrived?.foundBytes ?? total };
  const result = resultOf(resolved, directory, description, { captured, existed: arrived === undefined, bytes });
  return { ...result, package: found };
}

function refOf({ model, number }: ResolvedVersion): string {
  return formatReference({ name: model, selector: { kind: 'version', number } });
}
