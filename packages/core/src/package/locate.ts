import { realpath, stat } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import { isIngotError, systemErrorCode } from '../errors.ts';
import type { Problem } from './package.ts';
import { readFailure } from './read-failure.ts';
import { type SourceFile, snapshotOf } from './source-file.ts';
import { walkDirectory } from './walk.ts';

/** The files of what may be a package. */
export interface LocatedFiles {
  readonly files: readonly SourceFile[];
  readonly problems: readonly Problem[];
  /** File or directory name without extension. */
  readonly baseName: string;
}

/** Finds the files of a package: all of a directory, or the one that is named. What is wrong is a problem. */
export async function locateFiles(path: string, signal: AbortSignal | undefined): Promise<LocatedFiles> {
  const absolute = resolve(path);
  const none = (rule: string, message: string, fix: string): LocatedFiles => ({
    files: [],
    problems: [{ severity: 'error', rule, message, fix }],
    baseName: basename(absolute),
  });
  try {
    const stats = await stat(absolute, { bigint: true });
    if (stats.isDirectory()) {
      const { files, problems } = await walkDirectory(absolute, { signal });
      const empty: Problem = {
        severity: 'error',
        rule: 'package.empty',
        message: `${path} holds no files`,
        fix: 'put the trained model into it',
      };
      return {
        files,
        problems:
          files.length === 0 && problems.every(({ severity }) => severity !== 'error')
            ? [...problems, empty]
            : problems,
        baseName: basename(await realpath(absolute)),
      };
    }
    if (!stats.isFile())
      return none(
        'package.not-a-file',
        `${path} is neither a file nor a directory`,
        'name the model file or its directory',
      );
    const name = basename(absolute);
    const mode = (stats.mode & 0o100n) === 0n ? 0o644 : 0o755;
    const file = { path: name, absolute, sizeBytes: Number(stats.size), mode, snapshot: snapshotOf(stats) };
    return { files: [file], problems: [], baseName: basename(name, extname(name)) };
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === undefined || isIngotError(error)) throw error;
    const failure = readFailure(error, path);
    if (failure !== undefined) throw failure;
    if (code !== 'ENOENT' && code !== 'ENOTDIR')
      return none('path.unreadable', `${path} cannot be read (${code})`, 'check its permissions');
    // Words of a command line that are not UTF-8 come with this character in place of what they are.
    if (path.includes('\ufffd'))
      return none('path.not-utf8', `${path} cannot be read: its name is not valid UTF-8`, 'rename it');
    return none(
      'package.not-found',
      `there is no file or directory ${path}`,
      `check the path; it was looked for at ${absolute}`,
    );
  }
}
