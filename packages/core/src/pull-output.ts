import { createHash, randomBytes } from 'node:crypto';
import { readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Digest } from './digest.ts';
import { IngotError, systemErrorCode } from './errors.ts';
import { makeDirectory } from './make-directory.ts';
import { flush } from './make-durable.ts';
import { abandonedArrivals, type ArrivalPlace, beginArrival, claimArrival, sweepArrivals } from './package/arrival.ts';
import { canGoOn } from './package/cache-arrive.ts';
import type { OutputNotes } from './package/output-notes.ts';
import type { PackageFile } from './package/package.ts';
import { hashSource, type SourceFile } from './package/source-file.ts';
import { diskError } from './package/unpack.ts';
import { walkDirectory } from './package/walk.ts';

/** How directories are called in which pulls are made. */
const SUFFIX = '.pulling';

/** What stands where a pull is to write: `same` are exactly the files that are wanted. */
export type Found = 'nothing' | 'empty' | 'same' | 'other';

/** What looking at an output needs. */
export interface LookOptions {
  /** As the user wrote it, for messages. */
  readonly output: string;
  readonly signal?: AbortSignal | undefined;
  /** What was noted when it was made spares reading it. */
  readonly outputs?: OutputNotes | undefined;
}

/** Looks at what stands where a pull is to write. */
export async function lookAt(
  path: string,
  files: readonly Omit<PackageFile, 'open'>[],
  options: LookOptions,
): Promise<Found> {
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
  return (await isSame(path, files, options)) ? 'same' : 'other';
}

/** Compares sizes first, so that most other directories are known without reading a file. */
async function isSame(
  path: string,
  wanted: readonly Omit<PackageFile, 'open'>[],
  { signal, outputs }: LookOptions,
): Promise<boolean> {
  const expected = new Map(wanted.map((file) => [file.path, file]));
  const { files, problems } = await walkDirectory(path, { signal });
  if (problems.some(({ severity }) => severity === 'error') || files.length !== expected.size) return false;
  const differs = ({ path: name, sizeBytes, mode }: SourceFile): boolean =>
    expected.get(name)?.sizeBytes !== sizeBytes || expected.get(name)?.mode !== mode;
  if (files.some(differs)) return false;
  const known = await knownDigests(path, outputs);
  for (const file of files) {
    const digest = known(file) ?? (await hashSource(file, { signal }));
    if (digest !== expected.get(file.path)?.digest) return false;
  }
  return true;
}

/** What files of an output were when a pull made it, while size, time and inode are still those. */
async function knownDigests(
  path: string,
  outputs: OutputNotes | undefined,
): Promise<(file: SourceFile) => Digest | undefined> {
  const note = await outputs?.find(path);
  const noted = new Map(note?.files.map((file) => [file.path, file]));
  return ({ path: name, snapshot }) => {
    const file = noted.get(name);
    if (file === undefined || BigInt(file.sizeBytes) !== snapshot.size || file.ino === undefined) return undefined;
    const isSameTime = Math.abs(Number(snapshot.mtimeNs) / 1e6 - file.mtimeMs) < 0.001;
    return isSameTime && BigInt(file.ino) === snapshot.ino ? file.digest : undefined;
  };
}

/** What making an output needs. */
export interface WriteOptions {
  readonly manifest: Digest;
  readonly now: () => Date;
  /** Keeps notes on the output, when it stands. Gets the directory in which it was made. */
  readonly note?: ((arrived: string) => Promise<void>) | undefined;
}

/**
 * Makes a directory whole or not at all: beside it first, under a hidden name. What an interrupted call has written stays
 * there for the next one of the same package; what is left of others is removed.
 * @param write gets a directory in which it makes `files`.
 */
export async function writeWhole<T>(
  path: string,
  found: Found,
  options: WriteOptions,
  write: (directory: string) => Promise<T>,
): Promise<T> {
  const parent = dirname(path);
  const name = shortened(basename(path));
  const place: ArrivalPlace = { parent, prefix: `.${name}.`, suffix: SUFFIX, now: options.now };
  try {
    await makeDirectory(parent);
    await sweepArrivals(place, options.manifest);
    const claimed = await claimArrival(place, options.manifest);
    using arrival = claimed === 'busy' ? await beginArrival(place, options.manifest) : claimed;
    try {
      const written = await write(arrival.path);
      const aside = join(parent, `.${name}.${randomBytes(6).toString('hex')}.replaced`);
      await replace(path, join(arrival.path, 'files'), found, aside);
      await flush(parent);
      await options.note?.(arrival.path);
      await rm(arrival.path, { recursive: true, force: true });
      return written;
    } catch (error) {
      if (!canGoOn(error)) await rm(arrival.path, { recursive: true, force: true });
      throw error;
    }
  } catch (error) {
    throw diskError(error, path, 'pull');
  }
}

/** Finds what pulls that were cut short left in a directory: the next pull of the same package goes on with it. */
export async function abandonedPulls(directory: string, now: () => Date): Promise<readonly string[]> {
  const names = (await readdir(directory)).filter((name) => name.startsWith('.') && name.endsWith(SUFFIX));
  const prefixes = new Set(names.flatMap((name) => /^(\..+\.)[0-9a-f]{16}-/.exec(name)?.[1] ?? []));
  const places = [...prefixes].map((prefix): ArrivalPlace => ({ parent: directory, prefix, suffix: SUFFIX, now }));
  return (await Promise.all(places.map((place) => abandonedArrivals(place)))).flat();
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
