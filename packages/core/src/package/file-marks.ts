import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { WrittenFile } from './unpack.ts';

/** Others get their turn after this many files. */
const TURN_FILES = 200;
/** Some programs copy times to about a millisecond only. */
const COPIED_TIME_MS = 2;

/** Whether a file is still what was written: `touched` means that only a look at its bytes can tell. */
export type FileState = 'same' | 'touched' | 'other';

/**
 * Compares files with what was noted when they were written: another size or time means another file; another inode or
 * change time alone comes from copies, links and changed permissions.
 */
export async function compareMarks(directory: string, files: readonly WrittenFile[]): Promise<readonly FileState[]> {
  const states: FileState[] = [];
  for (const [n, file] of files.entries()) {
    if (n % TURN_FILES === TURN_FILES - 1) await setImmediate();
    states.push(stateOf(join(directory, file.path), file));
  }
  return states;
}

function stateOf(path: string, file: WrittenFile): FileState {
  // One call that does not wait is ten times faster than one that does, and a package may have 100,000 files.
  const found = lookAt(path);
  if (found?.isFile() !== true || found.size !== file.sizeBytes) return 'other';
  if (Math.abs(found.mtimeMs - file.mtimeMs) > COPIED_TIME_MS) return 'other';
  const isMoved = file.ino !== undefined && found.ino !== file.ino;
  const isChanged = file.ctimeMs !== undefined && found.ctimeMs !== file.ctimeMs;
  return isMoved || isChanged || found.mtimeMs !== file.mtimeMs ? 'touched' : 'same';
}

function lookAt(path: string) {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    // What cannot be looked at is not here.
    return undefined;
  }
}

/** What tells of a file, now, that it is the same later. */
export function markOf(path: string): Pick<WrittenFile, 'mtimeMs' | 'ctimeMs' | 'ino'> {
  const { mtimeMs, ctimeMs, ino } = lstatSync(path);
  return { mtimeMs, ctimeMs, ino };
}
