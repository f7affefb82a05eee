/**
 * The server's *database* has two parts. The *index* is a projection of the store's logs: it may be lost, so its writes
 * need not reach the disk before they are acknowledged. What is only the server's *own* (runs, accounts, webhooks,
 * access events) lies apart, is durable when a transaction ends, and is what `backup` copies.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { IngotError } from '@ingot/core/errors';
import { Kysely, type Dialect } from 'kysely';
import type { IndexTables } from './index-tables.ts';
import { copyBeforeSteps } from './copy-before-steps.ts';
import { INDEX_MIGRATIONS, migrate, OWN_MIGRATIONS } from './migrations.ts';
import type { OwnTables } from './own-tables.ts';

/** An opened database, its tables up to date. Disposing it closes it. */
export interface Database extends AsyncDisposable {
  readonly kind: 'sqlite' | 'postgres';
  /** Where it lies, without secrets. */
  readonly address: string;
  /** Rebuilt from the store's logs by `reindex`. */
  readonly index: Kysely<IndexTables>;
  /** What no log holds. */
  readonly own: Kysely<OwnTables>;
  /**
   * Calls back when any server over the same database notifies a channel, or may have; undefined where no other can.
   * The notice may be lost: whoever needs to know looks now and then.
   */
  readonly listen?: (channel: string, heard: () => void) => AsyncDisposable;
}

/** Where a database lies. */
export interface DatabaseOptions {
  /** `postgres://…`. Default: two SQLite files in `directory`. */
  readonly address?: string | undefined;
  /** Directory of the server's files, made (0700) when it is not there. */
  readonly directory: string;
}

/**
 * Opens the database and brings its tables up to date.
 * @throws IngotError `usage` for an address that is no Postgres, `unavailable` when it does not answer, `refused` when a
 * newer release has written it.
 * @example
 * await using database = await openDatabase({ directory: '/var/lib/ingot' });
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { address } = options;
  const opened = address === undefined ? await openSqlite(options.directory) : await openPostgres(address);
  try {
    await migrate(opened.index, INDEX_MIGRATIONS);
    if (opened.kind === 'sqlite') await copyBeforeSteps(opened.own, OWN_MIGRATIONS, options.directory);
    await migrate(opened.own, OWN_MIGRATIONS);
    return opened;
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

async function openSqlite(directory: string): Promise<Database> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { sqliteDialect } = await import('./sqlite.ts');
  const index = await sqliteDialect(join(directory, 'index.sqlite'), 'off');
  const own = await sqliteDialect(join(directory, 'server.sqlite'), 'full');
  return databaseOf('sqlite', directory, index, own);
}

async function openPostgres(address: string): Promise<Database> {
  const { isPostgresAddress, listenPostgres, postgresDialect, withoutSecrets } = await import('./postgres.ts');
  if (!isPostgresAddress(address))
    throw new IngotError('usage', 'INGOT_DB is not the address of a Postgres database', {
      hint: 'INGOT_DB=postgres://USER:PASSWORD@HOST:5432/NAME ingot up',
    });
  const index = await postgresDialect(address, { schema: 'ingot_index', durable: false });
  const own = await postgresDialect(address, { schema: 'ingot', durable: true });
  const listen: Database['listen'] = (channel, heard) => listenPostgres(address, channel, heard);
  return { ...databaseOf('postgres', withoutSecrets(address), index, own), listen };
}

function databaseOf(kind: Database['kind'], address: string, indexDialect: Dialect, ownDialect: Dialect): Database {
  const index = new Kysely<IndexTables>({ dialect: indexDialect });
  const own = new Kysely<OwnTables>({ dialect: ownDialect });
  const close = async (): Promise<void> => {
    await Promise.all([index.destroy(), own.destroy()]);
  };
  return { kind, address, index, own, [Symbol.asyncDispose]: close };
}
