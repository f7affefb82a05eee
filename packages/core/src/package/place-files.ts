import { availableParallelism } from 'node:os';
import { constants } from 'node:fs';
import { chmod, copyFile, link, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openHands } from '../content/restore-hands.ts';
import { IngotError, systemErrorCode } from '../errors.ts';
import { makeDirectory } from '../make-directory.ts';
import { makeDurable } from '../make-durable.ts';
import type { OnProgress } from '../progress.ts';
import type { HashedFile } from './manifest.ts';

/**
 * How files of the cache get into another directory. `reflink`: as copies that share their blocks until one is changed,
 * where the file system can; `hard`: as the very same files, which are read-only; `copy`: as bytes, verified on the way;
 * `auto`: `reflink` where that works, else `copy`.
 */
export type LinkMode = 'auto' | 'hard' | 'reflink' | 'copy';

/** All link modes. */
export const LINK_MODES: readonly LinkMode[] = ['auto', 'hard', 'reflink', 'copy'];

/** Options of {@link placeFiles}. */
export interface PlaceOptions {
  /** How the directory is called in messages, which may have another name while it is made. Default: its path. */
  readonly name?: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

const BATCH_FILES = 64;
const BATCH_BYTES = 64 * 1024 * 1024;
const THREAD_BYTES = 16 * 1024 * 1024;
const MOST_THREADS = 2;
/** What systems say when two files cannot share blocks, or have no second name. */
const CANNOT: readonly string[] = ['ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EINVAL', 'ENOSYS', 'ENOTTY', 'EPERM', 'EMLINK'];

/**
 * Gives a directory the files of a cached package, durable.
 * @throws IngotError `integrity` when a file that is copied has other bytes than its digest says; `usage` when the file
 * systems cannot do what was asked; `interrupted`; and the system's own errors.
 */
export async function placeFiles(
  from: string,
  to: string,
  files: readonly HashedFile[],
  mode: LinkMode,
  options: PlaceOptions = {},
): Promise<void> {
  const folders = new Set([to, ...files.map(({ path }) => dirname(join(to, path)))]);
  for (const folder of folders) await makeDirectory(folder);
  const how = mode === 'auto' ? await bestMode(from, to, files) : mode;
  if (how === 'copy') await copyAll(from, to, files, options);
  else for (const file of files) await linkOne(from, to, file, how, options);
  // A second name of a file that is durable needs no more than its directory.
  const written = how === 'hard' ? [] : files.map(({ path }) => join(to, path));
  await makeDurable(to, { files: written, directories: [...folders] });
}

async function bestMode(from: string, to: string, files: readonly HashedFile[]): Promise<'reflink' | 'copy'> {
  const [first] = files;
  if (first === undefined) return 'copy';
  const target = join(to, first.path);
  try {
    await copyFile(join(from, first.path), target, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
  } catch (error) {
    if (CANNOT.includes(systemErrorCode(error) ?? '')) return 'copy';
    throw error;
  }
  await unlink(target);
  return 'reflink';
}

async function linkOne(
  from: string,
  to: string,
  { path, mode, sizeBytes }: HashedFile,
  how: 'hard' | 'reflink',
  { name = to, signal, onProgress }: PlaceOptions,
): Promise<void> {
  stopIfAborted(signal);
  const [source, target] = [join(from, path), join(to, path)];
  try {
    if (how === 'hard') await link(source, target);
    else {
      await copyFile(source, target, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
      await chmod(target, mode);
    }
  } catch (error) {
    if (!CANNOT.includes(systemErrorCode(error) ?? '')) throw error;
    throw new IngotError('usage', `${name} cannot have ${how === 'hard' ? 'hard links to' : 'reflinks of'} the cache`, {
      operation: 'pull',
      hint: 'leave --link out, or use --link copy',
      cause: error,
    });
  }
  onProgress?.({
    phase: 'fetch',
    path,
    doneBytes: sizeBytes,
    totalBytes: sizeBytes,
    newBytes: 0,
    storedBytes: sizeBytes,
  });
}

async function copyAll(from: string, to: string, files: readonly HashedFile[], options: PlaceOptions): Promise<void> {
  const bytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const threads = bytes < THREAD_BYTES ? 0 : Math.min(MOST_THREADS, availableParallelism());
  await using hands = openHands(threads);
  const batches = batchesOf(files);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let batch = batches[next++]; batch !== undefined; batch = batches[next++]) {
      stopIfAborted(options.signal);
      const results = await hands.copy(
        batch.map(({ path, mode, sizeBytes, digest }) => {
          return {
            path: join(to, path),
            mode,
            sizeBytes,
            sha256: digest.slice('sha256:'.length),
            from: join(from, path),
            start: 0,
          };
        }),
      );
      for (const [n, file] of batch.entries()) copied(file, results[n]?.good === true, options);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, threads) }, work));
}

function copied({ path, sizeBytes }: HashedFile, isRight: boolean, { onProgress }: PlaceOptions): void {
  if (!isRight)
    throw new IngotError('integrity', `${path} in the cache has other bytes than its manifest says`, {
      operation: 'pull',
      hint: 'ingot cache verify',
      details: { path },
    });
  onProgress?.({
    phase: 'fetch',
    path,
    doneBytes: sizeBytes,
    totalBytes: sizeBytes,
    newBytes: 0,
    storedBytes: sizeBytes,
  });
}

function batchesOf(files: readonly HashedFile[]): readonly (readonly HashedFile[])[] {
  const batches: HashedFile[][] = [];
  let bytes = 0;
  for (const file of files) {
    const batch = batches.at(-1);
    if (batch === undefined || batch.length >= BATCH_FILES || bytes + file.sizeBytes > BATCH_BYTES) {
      batches.push([file]);
      bytes = file.sizeBytes;
    } else {
      batch.push(file);
      bytes += file.sizeBytes;
    }
  }
  return batches;
}

function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new IngotError('interrupted', 'pull was interrupted', { operation: 'pull', cause: signal.reason });
}
