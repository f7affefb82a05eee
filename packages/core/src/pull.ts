/**
 * A pull brings a version's files to this machine: into a directory of the user's choice, exactly as they were pushed,
 * or into the cache, where they may not be changed.
 */

import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Capture } from './capture.ts';
import type { ContentReader } from './content/content-store.ts';
import { IngotError, systemErrorCode } from './errors.ts';
import { makeDirectory } from './make-directory.ts';
import type { CachedPackage, PackageCache } from './package/cache.ts';
import type { ManifestDescription } from './package/manifest-read.ts';
import type { PackageDescription } from './package/package.ts';
import { hashSource } from './package/source-file.ts';
import { openStoredPackage } from './package/stored-package.ts';
import { diskError, syncDirectory, unpackPackage } from './package/unpack.ts';
import { walkDirectory } from './package/walk.ts';
import type { OnProgress } from './progress.ts';
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
}

/**
 * Writes exactly the pushed files into a directory, whole or not at all.
 * @throws IngotError `conflict` when the directory holds something else, `disk-full`, and as resolving and reading do.
 * @example
 * await pull('churn@production', { registry, contents, output: './churn' });
 */
export async function pull(reference: string | Reference, options: PullOptions): Promise<PullResult> {
  const { registry, contents, signal } = options;
  const resolved = await registry.resolve(typeof reference === 'string' ? parseReference(reference) : reference, {
    signal,
  });
  const stored = await openStoredPackage(contents, resolved, { signal });
  const path = resolve(options.output);
  const found = await lookAt(path, stored.description, options);
  if (found === 'other' && options.force !== true) {
    throw new IngotError('conflict', `${options.output} holds other files than ${refOf(resolved)}`, {
      operation: 'pull',
      hint: 'choose another directory with -o',
    });
  }
  if (found !== 'same')
    await writeWhole(path, found, (directory) => unpackPackage(contents, stored, directory, options));
  const { description } = stored;
  return {
    ref: refOf(resolved),
    resolved,
    path,
    files: description.files.map((file) => file.path),
    description,
    ...(stored.captured === undefined ? {} : { captured: stored.captured.capture }),
    existed: found === 'same',
  };
}

/** Brings a version into the cache, or finds it there. The store is not asked when the package is there. */
export async function pullToCache(
  reference: string | Reference,
  options: PullSourceOptions & { readonly cache: PackageCache },
): Promise<PullResult & { readonly package: CachedPackage }> {
  const { registry, contents, cache, signal, onProgress } = options;
  const resolved = await registry.resolve(typeof reference === 'string' ? parseReference(reference) : reference, {
    signal,
  });
  const key = { manifest: resolved.manifest, recipe: resolved.recipe, model: resolved.model };
  const before = await cache.get(key);
  const found = await cache.fetch(key, contents, { signal, onProgress });
  return {
    ref: refOf(resolved),
    resolved,
    path: found.directory,
    files: found.description.files.map((file) => file.path),
    description: found.description,
    ...(found.captured === undefined ? {} : { captured: found.captured }),
    existed: before !== undefined,
    package: found,
  };
}

function refOf({ model, number }: ResolvedVersion): string {
  return formatReference({ name: model, selector: { kind: 'version', number } });
}

type Found = 'nothing' | 'empty' | 'same' | 'other';

async function lookAt(path: string, description: ManifestDescription, options: PullOptions): Promise<Found> {
  let names: string[];
  try {
    names = await readdir(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return 'nothing';
    if (systemErrorCode(error) === 'ENOTDIR') {
      throw new IngotError('conflict', `${options.output} is a file, and a package is a directory`, {
        operation: 'pull',
        hint: 'choose a directory with -o',
      });
    }
    throw diskError(error, path, 'pull');
  }
  if (names.length === 0) return 'empty';
  return (await isSame(path, description, options)) ? 'same' : 'other';
}

/** Compares sizes first, so that most other directories are known without reading a file. */
async function isSame(path: string, description: ManifestDescription, { signal }: PullOptions): Promise<boolean> {
  const expected = new Map(description.files.map((file) => [file.path, file]));
  const { files, problems } = await walkDirectory(path, { signal });
  if (problems.some(({ severity }) => severity === 'error') || files.length !== expected.size) return false;
  if (
    files.some(
      (file) => expected.get(file.path)?.sizeBytes !== file.sizeBytes || expected.get(file.path)?.mode !== file.mode,
    )
  )
    return false;
  for (const file of files) {
    if ((await hashSource(file, { signal })) !== expected.get(file.path)?.digest) return false;
  }
  return true;
}

async function writeWhole(path: string, found: Found, write: (directory: string) => Promise<unknown>): Promise<void> {
  const parent = dirname(path);
  const suffix = randomBytes(6).toString('hex');
  const temporary = join(parent, `.${shortened(basename(path))}.${suffix}.pulling`);
  try {
    await makeDirectory(parent);
    await mkdir(temporary);
    await write(temporary);
    await replace(path, temporary, found, join(parent, `.${shortened(basename(path))}.${suffix}.replaced`));
    await syncDirectory(parent);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw diskError(error, path, 'pull');
  }
}

async function replace(path: string, temporary: string, found: Found, aside: string): Promise<void> {
  if (found === 'nothing') return await rename(temporary, path);
  if (found === 'empty') return await fillEmpty(path, temporary);
  await rename(path, aside);
  try {
    await rename(temporary, path);
  } catch (error) {
    await rename(aside, path);
    throw error;
  }
  await rm(aside, { recursive: true, force: true });
}

/** An empty directory is replaced; one that cannot be (a mount point, the working directory of a container) is filled. */
async function fillEmpty(path: string, temporary: string): Promise<void> {
  try {
    return await rename(temporary, path);
  } catch (error) {
    const code = systemErrorCode(error) ?? '';
    if (!['EBUSY', 'EXDEV', 'EPERM', 'EACCES'].includes(code)) throw error;
    if ((await stat(path)).dev !== (await stat(temporary)).dev) throw error;
  }
  for (const name of await readdir(temporary)) await rename(join(temporary, name), join(path, name));
  await rmdir(temporary);
}

/** File systems take names of 255 bytes; a long one is told apart by its digest. */
function shortened(name: string): string {
  return Buffer.byteLength(name) <= 100 ? name : createHash('sha256').update(name).digest('hex').slice(0, 16);
}
