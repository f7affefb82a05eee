import { lstat, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemErrorCode } from './errors.ts';

const ATTEMPTS = 8;
const RACES: readonly string[] = ['ENOENT', 'EEXIST'];

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
      const kind = await kindOf(path);
      if (kind === 'directory') return outermost;
      // Whoever tidies up at the same time may remove what was there, or a parent that was just made.
      const canHelp = kind === undefined && RACES.includes(systemErrorCode(error) ?? '') && attempt < ATTEMPTS;
      if (!canHelp || dirname(path) === path) throw error;
      outermost = (await makeDirectory(dirname(path), options)) ?? outermost;
    }
  }
}

// Why it could not be made says more than why it cannot be looked at: then it counts as not there.
async function kindOf(path: string): Promise<'directory' | 'other' | undefined> {
  const named = await lstat(path).catch(() => undefined);
  const meant = named?.isSymbolicLink() ? await stat(path).catch(() => named) : named;
  return meant && (meant.isDirectory() ? 'directory' : 'other');
}
