import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { open } from 'node:fs/promises';
import { openHands } from '../content/restore-hands.ts';
import { IngotError } from '../errors.ts';
import type { OnProgress } from '../progress.ts';
import type { HashedFile } from './manifest.ts';

const PIECE_BYTES = 8 * 1024 * 1024;
const MOST_THREADS = 4;
const THREAD_BYTES = 16 * 1024 * 1024;

/** Options of {@link verifyFiles}. */
export interface VerifyOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

/** Reads files and gives those whose bytes are not what their digests say, or that cannot be read. */
export async function verifyFiles<F extends Pick<HashedFile, 'path' | 'sizeBytes' | 'digest'>>(
  directory: string,
  files: readonly F[],
  { signal, onProgress }: VerifyOptions = {},
): Promise<readonly F[]> {
  const bytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const threads = bytes < THREAD_BYTES ? 0 : Math.min(MOST_THREADS, availableParallelism());
  await using hands = openHands(threads);
  const wrong: F[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let id = next++, file = files[id]; file !== undefined; id = next++, file = files[id]) {
      if (signal?.aborted === true)
        throw new IngotError('interrupted', 'verifying was interrupted', {
          operation: 'cache.verify',
          cause: signal.reason,
        });
      const found = await digestOfFile(join(directory, file.path), file, async (fd, from, to) => {
        await hands.hash(id, fd, from, to);
        onProgress?.({ phase: 'check', path: file?.path ?? '', doneBytes: to, totalBytes: file?.sizeBytes ?? 0 });
        return signal?.aborted !== true;
      });
      if (!found || `sha256:${await hands.digest(id)}` !== file.digest) wrong.push(file);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, threads) }, work));
  return wrong;
}

/** Gives the bytes of a file in ranges; false when it cannot be read, or has another size. */
async function digestOfFile(
  path: string,
  { sizeBytes }: Pick<HashedFile, 'sizeBytes'>,
  hash: (fd: number, from: number, to: number) => Promise<boolean>,
): Promise<boolean> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return false;
  try {
    if ((await file.stat()).size !== sizeBytes) return false;
    for (let from = 0; from < sizeBytes; from += PIECE_BYTES) {
      if (!(await hash(file.fd, from, Math.min(sizeBytes, from + PIECE_BYTES)))) break;
    }
    return true;
  } catch {
    // A disk that cannot give the bytes does not have them.
    return false;
  } finally {
    await file.close();
  }
}
