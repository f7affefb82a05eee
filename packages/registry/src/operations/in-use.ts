import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { openSqliteEngine } from '../database/sqlite-engine.ts';

/** Says that a directory of a server's files is in use, until it is disposed or the process ends, however it ends. */
export interface InUse extends Disposable {
  /** Whether somebody else used it when this began to. */
  readonly hasOthers: boolean;
}

const FILE = 'in-use.sqlite';
/** Whoever looks whether there are others holds the directory alone for a moment. */
const LOOK_MS = 500;

/**
 * Marks the SQLite files of a directory as used by a running server; several may use them.
 * @throws IngotError `conflict` while somebody works on them alone.
 */
export async function markInUse(directory: string): Promise<InUse> {
  const hasOthers = await useAlone(directory, '').then(
    (alone) => {
      alone[Symbol.dispose]();
      return false;
    },
    (error: unknown) => {
      if (isIngotError(error, 'conflict')) return true;
      throw error;
    },
  );
  const mark = await locked(directory, { statement: 'begin; select count(*) from marks', waitMs: LOOK_MS }, () =>
    busy(
      'the index or the database of this directory is being written anew',
      directory,
      'start the server when it is done',
    ),
  );
  return { hasOthers, [Symbol.dispose]: () => mark[Symbol.dispose]() };
}

/**
 * Makes sure that no server uses the SQLite files of a directory, and that none begins to.
 * @throws IngotError `conflict` while one does.
 */
export async function useAlone(directory: string, hint: string): Promise<Disposable> {
  return locked(directory, { statement: 'begin exclusive', waitMs: 0 }, () =>
    busy('a running server uses this directory', directory, hint),
  );
}

function busy(what: string, directory: string, hint: string): IngotError {
  return new IngotError('conflict', `${what}: ${directory}`, { hint, details: { state: directory } });
}

// The operating system lets go of the lock when the process ends; a file with its number would stay.
async function locked(
  directory: string,
  { statement, waitMs }: { readonly statement: string; readonly waitMs: number },
  refused: () => IngotError,
): Promise<Disposable> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const engine = await openSqliteEngine(join(directory, FILE));
  try {
    // The oldest kind of journal: there a reader keeps out who wants all of it.
    engine.exec(`pragma journal_mode = delete; pragma busy_timeout = ${waitMs}`);
    engine.exec('create table if not exists marks (mark integer)');
    engine.exec(statement);
  } catch (error) {
    engine.close();
    if (error instanceof Error && /\b(?:locked|busy)\b/i.test(error.message)) throw refused();
    throw error;
  }
  return { [Symbol.dispose]: () => engine.close() };
}
