/**
 * The file system under a local store: what a store asks of it, and nothing else. Failures are the system's own errors.
 */

import { type Dirent, type Stats, statSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { chmod, link, lstat, open, readdir, rename, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemErrorCode } from '../../errors.ts';
import { makeDirectory } from '../../make-directory.ts';
import { flushDirectory } from './flush-directory.ts';
import { createFile, type NewFile } from './new-file.ts';

/** An open file, as far as a store uses one. */
export type LocalFile = Pick<FileHandle, 'read' | 'write' | 'stat' | 'sync' | 'close'>;

/** What a local store asks of a file system. */
export interface FileSystem {
  /** Opens a file, or a directory, to read. */
  open(path: string): Promise<LocalFile>;
  /** Makes a file that is not there and opens it to write; fails with `EEXIST` when it is there. */
  create(path: string): Promise<NewFile>;
  /** Flushes a directory, so that the names in it survive a power cut. Default: it is opened, flushed and closed. */
  flushDirectory?: ((path: string) => Promise<void>) | undefined;
  /** Makes a directory with its parents, as far as they are not there; gives the outermost one it made. */
  makeDirectory(path: string): Promise<string | undefined>;
  stat(path: string): Promise<Stats>;
  /**
   * Looks at once whether something is there, for a path that the system was asked for a moment ago and has in its memory;
   * undefined: nothing is. Default: it is asked by way of a thread.
   */
  statAtOnce?: ((path: string) => Stats | undefined) | undefined;
  lstat(path: string): Promise<Stats>;
  readdir(path: string): Promise<Dirent[]>;
  link(path: string, newPath: string): Promise<void>;
  rename(path: string, newPath: string): Promise<void>;
  unlink(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  /** Removes a file or a directory with all that is in it; nothing happens when there is none. */
  remove(path: string): Promise<void>;
}

/** Modes of what a store makes. */
export interface FileModes {
  readonly directory: number;
  readonly file: number;
  /** Whether they hold whatever the umask says. */
  readonly force: boolean;
}

/** For the owner alone. */
export const PRIVATE_MODES: FileModes = { directory: 0o700, file: 0o600, force: false };

/** For the owner's group too: what is made in a directory belongs to the directory's group. */
export const GROUP_MODES: FileModes = { directory: 0o2770, file: 0o660, force: true };

/** The file system of this machine. */
export function nodeFileSystem(modes: FileModes): FileSystem {
  return {
    open: (path) => open(path, 'r'),
    create: async (path) => {
      const file = await createFile(path, modes.file);
      if (modes.force) await permitted(chmod(path, modes.file));
      return file;
    },
    flushDirectory,
    makeDirectory: async (path) => {
      const outermost = await makeDirectory(path, { mode: modes.directory & 0o777 });
      if (!modes.force || outermost === undefined) return outermost;
      for (let at = path; at.length >= outermost.length; at = dirname(at)) await permitted(chmod(at, modes.directory));
      return outermost;
    },
    stat: (path) => stat(path),
    statAtOnce: (path) => statSync(path, { throwIfNoEntry: false }),
    lstat: (path) => lstat(path),
    readdir: (path) => readdir(path, { withFileTypes: true }),
    link: (path, newPath) => link(path, newPath),
    rename: (path, newPath) => rename(path, newPath),
    unlink: (path) => unlink(path),
    rmdir: (path) => rmdir(path),
    remove: (path) => rm(path, { recursive: true, force: true }),
  };
}

// Some shares have no modes, or leave them to their server; a teammate may have made, or removed, the same directory.
async function permitted(change: Promise<void>): Promise<void> {
  try {
    await change;
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'ENOENT'].includes(systemErrorCode(error) ?? '')) throw error;
  }
}
