import { createReadStream } from 'node:fs';
import { readdir, readlink, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { IngotError, systemErrorCode } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { isHiddenName, type PlaceEntry, type PlaceListing, type SourceFileFacts, type SourcePlace } from './place.ts';

const MAX_DEPTH = 64;

/** Reads a directory of this machine by plain file names. */
export function localPlace(root: string): SourcePlace {
  const at = (path: string): string => join(root, path);
  return {
    address: root,
    growsInPlace: true,
    isRemote: false,
    localPath: at,
    file: async (path) => {
      const found = await statOf(at(path));
      return found?.isFile() === true ? factsOf(path, found) : undefined;
    },
    list: (prefix, listing) => listLocal(root, prefix, listing),
    read: async function* (path, { signal, start = 0 } = {}) {
      try {
        yield* createReadStream(at(path), { start, signal, highWaterMark: 1024 * 1024 });
      } catch (error) {
        throw readError(error, at(path));
      }
    },
    linkTarget: async (path) => {
      try {
        return await readlink(at(path));
      } catch (error) {
        if (['EINVAL', 'ENOENT', 'ENOTDIR', 'UNKNOWN'].includes(systemErrorCode(error) ?? '')) return undefined;
        throw readError(error, at(path));
      }
    },
  };
}

async function* listLocal(root: string, prefix: string, listing: PlaceListing): AsyncGenerator<PlaceEntry> {
  const cut = prefix.lastIndexOf('/') + 1;
  yield* listDirectory(root, prefix.slice(0, cut), prefix.slice(cut), listing, 0);
}

async function* listDirectory(
  root: string,
  directory: string,
  start: string,
  listing: PlaceListing,
  depth: number,
): AsyncGenerator<PlaceEntry> {
  if (listing.signal?.aborted) throw new IngotError('interrupted', 'listing was interrupted');
  if (depth > MAX_DEPTH)
    throw new IngotError('invalid-package', `${join(root, directory)} lies more than ${MAX_DEPTH} directories deep`);
  const names = await namesIn(join(root, directory), depth === 0 && directory === '');
  for (const name of names.sort()) {
    if (!name.startsWith(start) || (isHiddenName(name) && start === '')) continue;
    const path = `${directory}${name}`;
    const found = await statOf(join(root, path));
    if (found?.isFile() === true) yield { kind: 'file', ...factsOf(path, found) };
    else if (found?.isDirectory() === true && !listing.enters(path)) yield { kind: 'directory', path };
    else if (found?.isDirectory() === true) yield* listDirectory(root, `${path}/`, '', listing, depth + 1);
  }
}

async function namesIn(path: string, isRoot: boolean): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    const code = systemErrorCode(error);
    if (isRoot && (code === 'ENOENT' || code === 'ENOTDIR')) throw await noDirectory(path, error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw readError(error, path);
  }
}

/** Says which part of a path is missing first, and what it may have been meant to be. */
async function noDirectory(path: string, cause: unknown): Promise<IngotError> {
  let missing = path;
  for (let above = dirname(path); above !== missing; above = dirname(above)) {
    const names = await readdir(above).catch(() => undefined);
    if (names === undefined) {
      missing = above;
      continue;
    }
    const meant = nearest(basename(missing), names);
    return new IngotError('store-not-found', `there is no directory ${missing}`, {
      details: { path },
      cause,
      ...(meant !== undefined && { nearest: join(above, meant, path.slice(missing.length)) }),
    });
  }
  return new IngotError('store-not-found', `there is no directory ${path}`, { details: { path }, cause });
}

/** A link that leads nowhere, and a file that vanishes meanwhile, are not there. */
async function statOf(path: string) {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemErrorCode(error) ?? '')) return undefined;
    throw readError(error, path);
  }
}

type Stats = NonNullable<Awaited<ReturnType<typeof statOf>>>;

function factsOf(path: string, stats: Stats): SourceFileFacts {
  return {
    path,
    sizeBytes: Number(stats.size),
    modifiedAt: new Date(Number(stats.mtimeMs)),
    revision: `${stats.size}-${stats.mtimeNs}-${stats.ino}`,
  };
}

function readError(error: unknown, path: string): unknown {
  const code = systemErrorCode(error);
  if (code === undefined) return error;
  if (code === 'ABORT_ERR') return new IngotError('interrupted', `reading ${path} was interrupted`, { cause: error });
  if (code === 'EACCES' || code === 'EPERM')
    return new IngotError('forbidden', `${path} may not be read`, { hint: `ls -ld ${path}`, cause: error });
  return new IngotError('unavailable', `${path} cannot be read (${code})`, { cause: error });
}
