import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemErrorCode } from './errors.ts';

const ATTEMPTS = 8;

/**
 * Makes a directory with all its parents, and gives the outermost one that was not there; undefined when all were.
 * Unlike `mkdir` with `recursive`, which says ENOENT on a full disk, it fails with the system's own reason.
 */
export async function makeDirectory(
  path: string,
  options: { readonly mode?: number } = {},
): Promise<string | undefined> {
  let outermost: string | undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      await mkdir(path, options);
      return outermost ?? path;
    } catch (error) {
      if (await isDirectory(path)) return outermost;
      // A parent may be removed again by whoever tidies up at the same time.
      const canHelp = systemErrorCode(error) === 'ENOENT' && dirname(path) !== path && attempt < ATTEMPTS;
      if (!canHelp) throw error;
      outermost = (await makeDirectory(dirname(path), options)) ?? outermost;
    }
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    // Why it could not be made says more than why it cannot be looked at.
    return false;
  }
}
