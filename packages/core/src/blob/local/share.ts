/**
 * What is different on a network share: a file that is busy or whose handle went stale is asked for again, a name that
 * is missing is looked for once more behind the client's memory of it, and a flush that the share does not know is none.
 */

import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { setTimeout as sleepFor } from 'node:timers/promises';
import { IngotError, systemErrorCode } from '../../errors.ts';
import type { BlobBody } from '../blob-store.ts';
import type { FileSystem, LocalFile } from './file-system.ts';

const PASSING: readonly string[] = ['EBUSY', 'ESTALE', 'EAGAIN', 'EINTR', 'ETXTBSY'];
const CANNOT_FLUSH: readonly string[] = ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];
const ATTEMPTS = 8;
const FIRST_WAIT_MS = 5;

/** Bodies up to this size are compared byte by byte after they were written. */
const COMPARED_BYTES = 1024 * 1024;

/** Puts the patience that a share needs before a file system. */
export function shareFileSystem(
  inner: FileSystem,
  sleep: (ms: number) => Promise<void> = (ms) => sleepFor(ms),
): FileSystem {
  const patiently = async <T>(work: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (!PASSING.includes(systemErrorCode(error) ?? '') || attempt === ATTEMPTS) throw error;
        await sleep(FIRST_WAIT_MS * 2 ** attempt);
      }
    }
  };
  const lookingTwice = async <T>(path: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await patiently(work);
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT' || !(await reopened(inner, dirname(path)))) throw error;
      return patiently(work);
    }
  };
  return {
    open: async (path) => lenient(await lookingTwice(path, () => inner.open(path))),
    create: async (path) => {
      const file = await patiently(() => inner.create(path));
      const sync = () => leniently(() => file.sync());
      return {
        write: (bytes, offset, length) => file.write(bytes, offset, length),
        stat: () => file.stat(),
        close: () => file.close(),
        sync,
      };
    },
    makeDirectory: (path) => patiently(() => inner.makeDirectory(path)),
    stat: (path) => lookingTwice(path, () => inner.stat(path)),
    lstat: (path) => patiently(() => inner.lstat(path)),
    readdir: (path) => patiently(() => inner.readdir(path)),
    link: (path, newPath) => patiently(() => inner.link(path, newPath)),
    rename: (path, newPath) => patiently(() => inner.rename(path, newPath)),
    unlink: (path) => patiently(() => inner.unlink(path)),
    rmdir: (path) => patiently(() => inner.rmdir(path)),
    remove: (path) => patiently(() => inner.remove(path)),
  };
}

/**
 * Notes the bytes of a body while they are written, and says afterwards whether a file holds them: all of them up to a
 * mebibyte, their number beyond.
 */
export class Written {
  readonly body: BlobBody;
  readonly #hash = createHash('sha256');
  readonly #isCompared: boolean;

  constructor(body: BlobBody) {
    this.#isCompared = body.sizeBytes <= COMPARED_BYTES;
    const note = (piece: Uint8Array) => this.#hash.update(piece);
    this.body = !this.#isCompared
      ? body
      : {
          sizeBytes: body.sizeBytes,
          open: async function* () {
            for await (const piece of body.open()) {
              note(piece);
              yield piece;
            }
          },
        };
  }

  /**
   * Reads back what was written.
   * @throws IngotError `unavailable` when the share gives other bytes than it was given.
   */
  async check(files: FileSystem, path: string): Promise<void> {
    const file = await files.open(path);
    try {
      const { size } = await file.stat();
      if (size !== this.body.sizeBytes) throw otherBytes(path, `${size} of ${this.body.sizeBytes} bytes`);
      if (this.#isCompared && (await digestOfFile(file, size)) !== this.#hash.digest('hex'))
        throw otherBytes(path, 'other bytes than were written');
    } finally {
      await file.close();
    }
  }
}

// Opening the directory makes the client ask the server, instead of what it remembers to be missing.
async function reopened(files: FileSystem, directory: string): Promise<boolean> {
  try {
    await (await files.open(directory)).close();
    return true;
  } catch {
    // There is no such directory either: then the first answer stands.
    return false;
  }
}

function lenient(file: LocalFile): LocalFile {
  return {
    read: file.read.bind(file),
    write: file.write.bind(file),
    stat: file.stat.bind(file),
    close: () => file.close(),
    sync: () => leniently(() => file.sync()),
  };
}

async function leniently(flush: () => Promise<void>): Promise<void> {
  try {
    await flush();
  } catch (error) {
    if (!CANNOT_FLUSH.includes(systemErrorCode(error) ?? '')) throw error;
  }
}

async function digestOfFile(file: LocalFile, sizeBytes: number): Promise<string> {
  const bytes = Buffer.allocUnsafe(sizeBytes);
  let done = 0;
  while (done < sizeBytes) {
    const { bytesRead } = await file.read(bytes, done, sizeBytes - done, done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return createHash('sha256').update(bytes.subarray(0, done)).digest('hex');
}

function otherBytes(path: string, what: string): IngotError {
  return new IngotError('unavailable', `the share gives ${what} of ${path}`, {
    operation: 'blob.write',
    details: { path },
  });
}
