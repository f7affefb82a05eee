/**
 * Create-if-absent on a file system: a finished, flushed temporary file gets its final name in one step that fails when
 * the name is taken. `link` does that; where there are no hard links, renaming a directory onto a non-empty one does.
 */

import { link, mkdir, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { IngotError, systemErrorCode } from '../../errors.ts';
import { type Directories, syncDirectory } from './directories.ts';
import { INNER_FILE } from './names.ts';

/** Hidden file that says that some blobs of a store are directories. */
export const DIRECTORY_FORM_MARK = '.directory-blobs';

const NO_LINKS: readonly string[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV', 'EMLINK'];
const ATTEMPTS = 8;

/**
 * Gives a finished temporary file its final name, or says that the name is taken. Either way the temporary name is gone.
 * @throws IngotError `usage` when the name is that of a directory or lies under a blob.
 */
export async function place(
  temporary: string,
  target: string,
  directories: Directories,
  useLinks: boolean,
): Promise<'created' | 'exists'> {
  if (useLinks) {
    const linked = await withParent(target, directories, () => placeByLink(temporary, target));
    if (linked !== 'no-links') return linked;
  }
  return withParent(target, directories, () => placeByDirectory(temporary, target, directories));
}

// A parent directory may be pruned by a deleting process just before the name is made: make it again.
async function withParent<T>(target: string, directories: Directories, attempt: () => Promise<T>): Promise<T> {
  const parent = dirname(target);
  for (let tries = 1; ; tries += 1) {
    try {
      await directories.ensure(parent);
      const result = await attempt();
      await syncDirectory(parent);
      return result;
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT' || tries === ATTEMPTS) throw error;
      directories.forget(parent);
    }
  }
}

async function placeByLink(temporary: string, target: string): Promise<'created' | 'exists' | 'no-links'> {
  try {
    await link(temporary, target);
  } catch (error) {
    const code = systemErrorCode(error) ?? '';
    if (NO_LINKS.includes(code)) return 'no-links';
    if (code !== 'EEXIST') throw error;
    const result = await whoseIs(temporary, target);
    await unlink(temporary);
    return result;
  }
  await unlink(temporary);
  return 'created';
}

// A network file system may have lost the reply to a link that was made, and then reports its own work as taken.
async function whoseIs(temporary: string, target: string): Promise<'created' | 'exists'> {
  const [ours, theirs] = await Promise.all([stat(temporary), stat(target)]);
  if (theirs.isDirectory()) return taken(target);
  return ours.ino !== 0 && ours.ino === theirs.ino && ours.dev === theirs.dev ? 'created' : 'exists';
}

async function placeByDirectory(
  temporary: string,
  target: string,
  directories: Directories,
): Promise<'created' | 'exists'> {
  if (await hasInnerFile(dirname(target)))
    throw new IngotError('usage', `${target} lies under a blob`, { operation: 'blob.write' });
  await writeFile(join(directories.root, DIRECTORY_FORM_MARK), '');
  await syncDirectory(directories.root);
  const wrapped = `${temporary}.d`;
  await mkdir(wrapped, { recursive: true });
  await rename(temporary, join(wrapped, INNER_FILE)).catch((error: unknown) => {
    // It was moved there by the attempt before this one.
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  });
  await syncDirectory(wrapped);
  await stat(join(wrapped, INNER_FILE));
  try {
    await rename(wrapped, target);
    // Had a sweep emptied it on the way, the name would stand for nothing.
    await stat(join(target, INNER_FILE));
    return 'created';
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) throw error;
    await rm(wrapped, { recursive: true, force: true });
    return taken(target);
  }
}

async function taken(target: string): Promise<'exists'> {
  const there = await stat(target);
  if (!there.isDirectory() || (await hasInnerFile(target))) return 'exists';
  throw new IngotError('usage', `${target} is a directory: other blobs lie under this key`, {
    operation: 'blob.write',
  });
}

async function hasInnerFile(directory: string): Promise<boolean> {
  try {
    await stat(join(directory, INNER_FILE));
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
