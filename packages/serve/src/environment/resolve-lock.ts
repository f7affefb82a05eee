import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findInstaller } from './installer.ts';
import { findInterpreter, type Interpreter } from './interpreter.ts';
import { lockLines } from './lock-lines.ts';
import { keepPinnedHashes } from './pinned-hashes.ts';
import { checkNamed, readRequirements } from './requirements.ts';
import { makeScratch } from './writable-directory.ts';

/** Where a lock is resolved, and for which Python. */
export interface ResolveLockOptions {
  /** `<cache>/environments`; made when missing. */
  readonly cacheDirectory: string;
  readonly python?: string | undefined;
  /** The interpreter whose installation the command was started from, where it was. */
  readonly startedFrom?: string | undefined;
  /** The version a package was made with; its minor version is tried first. */
  readonly wanted?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  readonly onLine?: (line: string) => void;
}

/** A resolved lock, and the interpreter that it holds for. */
export interface ResolvedLock {
  readonly interpreter: Interpreter;
  /** `name==version --hash=sha256:…`, one a distribution. */
  readonly lines: readonly string[];
}

/**
 * Resolves requirements with all that they need in turn to exact versions with the hashes of the index's files. Installs
 * nothing.
 * @throws IngotError `environment-failed`, `refused` (what is no named package), `interrupted`.
 */
export async function resolveLock(requirements: readonly string[], options: ResolveLockOptions): Promise<ResolvedLock> {
  const wanted = readRequirements(requirements);
  checkNamed(wanted);
  const { cacheDirectory, environment, python, startedFrom, signal, onLine = () => {} } = options;
  const interpreter = await findInterpreter({
    python,
    startedFrom,
    wanted: options.wanted,
    environment,
    preferActive: true,
    signal,
  });
  if (wanted.length === 0) return { interpreter, lines: [] };
  const directory = await makeScratch(cacheDirectory, '.lock-');
  try {
    const installer = await findInstaller(join(cacheDirectory, 'tools'), {
      interpreter,
      environment,
      allowSource: false,
      signal,
      onLine,
    });
    const [source, lock] = [join(directory, 'requirements.txt'), join(directory, 'lock.txt')];
    await writeFile(source, `${wanted.map(({ text }) => text).join('\n')}\n`, { mode: 0o600 });
    await installer.lock(source, lock, directory);
    return { interpreter, lines: lockLines(keepPinnedHashes(await readFile(lock, 'utf8'), wanted)) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
