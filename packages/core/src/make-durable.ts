import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { release } from 'node:os';
import { promisify } from 'node:util';

/** From this many on it is faster to flush the whole file system than each file of its own. */
const MANY = 512;
const AT_ONCE = 32;

/**
 * Makes files and the names in directories durable: when this returns they survive a power cut. All must lie on one file
 * system below `root`.
 */
export async function makeDurable(
  root: string,
  { files, directories }: { readonly files: readonly string[]; readonly directories: readonly string[] },
): Promise<void> {
  if (files.length + directories.length >= MANY && (await flushFileSystem(root))) return;
  await inParallel(files);
  await inParallel(directories);
}

/** Makes what was written to a file durable, or the names in a directory. */
export async function flush(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function inParallel(paths: readonly string[]): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    for (let path = paths[next++]; path !== undefined; path = paths[next++]) await flush(path);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, paths.length) }, work));
}

/**
 * Asks the system to flush the file system of a directory, with the `sync` program, for Node has no call for it. False
 * where there is no such program, or where it would not tell of a failed write: Linux before 5.8.
 */
async function flushFileSystem(root: string): Promise<boolean> {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (process.platform !== 'linux' || major < 5 || (major === 5 && minor < 8)) return false;
  try {
    await promisify(execFile)('sync', ['-f', root]);
    return true;
  } catch {
    // Whatever was wrong, each file is flushed by itself, which says what and where.
    return false;
  }
}
