import { chmod, type FileHandle, open } from 'node:fs/promises';
import { type Dialect, SqliteDialect } from 'kysely';
import { DurableCommits } from './durable-commits.ts';
import { durableSqliteDialect } from './durable-sqlite.ts';
import { openSqliteEngine, type SqliteEngine } from './sqlite-engine.ts';

/** When a transaction is on the disk: before it is answered (`full`), or some time later (`off`; a crash of the machine may lose the last ones, or the file). */
export type Durability = 'full' | 'off';

/** Opens an SQLite file for Kysely; only its owner may read it. */
export async function sqliteDialect(path: string, durability: Durability): Promise<Dialect> {
  const engine = await openSqliteEngine(path);
  engine.exec('pragma journal_mode = wal');
  engine.exec('pragma foreign_keys = on');
  engine.exec('pragma busy_timeout = 5000');
  engine.exec('pragma cache_size = -32000');
  if (path !== ':memory:') await chmod(path, 0o600);
  return durability === 'full' ? flushedByUs(engine, path) : flushedBySystem(engine);
}

function flushedBySystem(engine: SqliteEngine): Dialect {
  engine.exec('pragma synchronous = off');
  // Pages that many transactions change reach the file once.
  engine.exec('pragma wal_autocheckpoint = 8000');
  return new SqliteDialect({ database: engine });
}

function flushedByUs(engine: SqliteEngine, path: string): Dialect {
  // The engine flushes where its log goes over into the file, and we flush its log.
  engine.exec('pragma synchronous = normal');
  let log: Promise<FileHandle> | undefined;
  const commits = new DurableCommits(async () => {
    // It is there from the first commit on, for as long as the file is open.
    log ??= open(`${path}-wal`, 'r+');
    await (await log).datasync();
  });
  return durableSqliteDialect({ engine, commits, close: async () => (await log)?.close() });
}
