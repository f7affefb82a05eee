import { chmod } from 'node:fs/promises';
import { type Dialect, SqliteDialect } from 'kysely';
import { openSqliteEngine } from './sqlite-engine.ts';

/** When a transaction is on the disk: as it ends (`full`), or some time later (`off`; a crash of the machine may lose the last ones, or the file). */
export type Durability = 'full' | 'off';

/** Opens an SQLite file for Kysely; only its owner may read it. */
export async function sqliteDialect(path: string, durability: Durability): Promise<Dialect> {
  const engine = await openSqliteEngine(path);
  engine.exec('pragma journal_mode = wal');
  engine.exec(`pragma synchronous = ${durability}`);
  engine.exec('pragma foreign_keys = on');
  engine.exec('pragma busy_timeout = 5000');
  // Pages that many transactions change reach the file once.
  if (durability === 'off') engine.exec('pragma wal_autocheckpoint = 8000');
  engine.exec('pragma cache_size = -32000');
  if (path !== ':memory:') await chmod(path, 0o600);
  return new SqliteDialect({ database: engine });
}
