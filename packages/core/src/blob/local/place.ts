/**
 * Create-if-absent on a file system: a finished, flushed temporary file gets its final name in one step that fails when
 * the name is taken. `link` does that; where there are no hard links, renaming a directory onto a non-empty one does.
 */

import { dirname, join } from 'node:path';
import { IngotError, systemErrorCode } from '../../errors.ts';
import { type Directories, syncDirectory } from './directories.ts';
import type { FileSystem } from './file-system.ts';
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
  { useLinks, expendable }: PlaceOptions,
): Promise<'created' | 'exists'> {
  const parent = { directories, expendable };
  if (useLinks) {
    const linked = await withParent(
      target,
      parent,
      () => placeByLink(directories.files, temporary, target),
      (result) => (result === 'no-links' ? undefined : directories.files.unlink(temporary)),
    );
    if (linked !== 'no-links') return linked;
  }
  return withParent(target, parent, () => placeByDirectory(temporary, target, directories));
}

/** How a name is given. */
export interface PlaceOptions {
  readonly useLinks: boolean;
  /** Whether the name may be lost in a power cut. */
  readonly expendable: boolean;
}

// A parent directory may be pruned by a deleting process just before the name is made: make it again.
async function withParent<T>(
  target: string,
  { directories, expendable }: { readonly directories: Directories; readonly expendable: boolean },
  attempt: () => Promise<T>,
  afterwards: (result: T) => Promise<void> | undefined = () => undefined,
): Promise<T> {
  const parent = dirname(target);
  for (let tries = 1; ; tries += 1) {
    try {
      await (expendable ? directories.make(parent) : directories.ensure(parent));
      const result = await attempt();
      // A temporary name is in another directory: it goes while this one is flushed.
      await Promise.all([afterwards(result), expendable ? undefined : syncDirectory(directories.files, parent)]);
      return result;
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT' || tries === ATTEMPTS) throw error;
      directories.forget(parent);
    }
  }
}

async function placeByLink(
  files: FileSystem,
  temporary: string,
  target: string,
): Promise<'created' | 'exists' | 'no-links'> {
  try {
    await files.link(temporary, target);
  } catch (error) {
    const code = systemErrorCode(error) ?? '';
    if (NO_LINKS.includes(code)) return 'no-links';
    if (code !== 'EEXIST') throw error;
    return whoseIs(files, temporary, target);
  }
  return 'created';
}

// A network file system may have lost the reply to a link that was made, and then reports its own work as taken.
async function whoseIs(files: FileSystem, temporary: string, target: string): Promise<'created' | 'exists'> {
  const [ours, theirs] = await Promise.all([files.stat(temporary), files.stat(target)]);
  if (theirs.isDirectory()) return taken(files, target);
  return ours.ino !== 0 && ours.ino === theirs.ino && ours.dev === theirs.dev ? 'created' : 'exists';
}

async function placeByDirectory(
  temporary: string,
  target: string,
  directories: Directories,
): Promise<'created' | 'exists'> {
  const { files } = directories;
  if (await hasInnerFile(files, dirname(target)))
    throw new IngotError('usage', `${target} lies under a blob`, { operation: 'blob.write' });
  await markDirectoryForm(directories);
  const wrapped = `${temporary}.d`;
  await files.makeDirectory(wrapped);
  await files.rename(temporary, join(wrapped, INNER_FILE)).catch((error: unknown) => {
    // It was moved there by the attempt before this one.
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  });
  await syncDirectory(files, wrapped);
  await files.stat(join(wrapped, INNER_FILE));
  try {
    await files.rename(wrapped, target);
    // Had a sweep emptied it on the way, the name would stand for nothing.
    await files.stat(join(target, INNER_FILE));
    return 'created';
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) throw error;
    await files.remove(wrapped);
    return taken(files, target);
  }
}

async function markDirectoryForm({ files, root }: Directories): Promise<void> {
  const mark = join(root, DIRECTORY_FORM_MARK);
  try {
    await (await files.create(mark)).close();
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return;
    throw error;
  }
  await syncDirectory(files, root);
}

async function taken(files: FileSystem, target: string): Promise<'exists'> {
  const there = await files.stat(target);
  if (!there.isDirectory() || (await hasInnerFile(files, target))) return 'exists';
  throw new IngotError('usage', `${target} is a directory: other blobs lie under this key`, {
    operation: 'blob.write',
  });
}

async function hasInnerFile(files: FileSystem, directory: string): Promise<boolean> {
  try {
    await files.stat(join(directory, INNER_FILE));
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
