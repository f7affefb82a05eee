import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { IngotError, systemErrorCode } from '@ingot/core/errors';
import { type Clock, pause } from '../clock.ts';

/** What {@link withDirectoryLock} needs besides the path. */
export interface DirectoryLockOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** Called once when somebody else holds it. */
  readonly onWait?: () => void;
}

/** Runs `action` while holding a lock that other processes of this machine respect; a dead holder's lock is taken over. */
export async function withDirectoryLock<Result>(
  path: string,
  { clock, signal, onWait }: DirectoryLockOptions,
  action: () => Promise<Result>,
): Promise<Result> {
  let told = false;
  while (!(await take(path))) {
    if (signal?.aborted) throw new IngotError('interrupted', 'waiting for an environment was interrupted');
    if (!told) onWait?.();
    told = true;
    await pause(clock, 200, signal);
  }
  try {
    return await action();
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

async function take(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 });
    await writeFile(join(path, 'pid'), String(process.pid));
    return true;
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    if (!(await isAbandoned(path))) return false;
    await rm(path, { recursive: true, force: true });
    return false;
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  const text = await readFile(join(path, 'pid'), 'utf8').catch(() => '');
  const pid = Number(text);
  if (!Number.isSafeInteger(pid) || pid <= 0) return false; // just made: its holder is about to write its number
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return systemErrorCode(error) === 'ESRCH';
  }
}
