import { chmod, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Kysely, sql } from 'kysely';
import type { MigrationSteps } from './migration-steps.ts';

/**
 * Copies an SQLite database into its directory before steps change it (`server-before-<step>.sqlite`), so that an older
 * release can go on with the copy. A database that is new, or has seen all steps, is not copied.
 * @returns the path of the copy; undefined where none was needed.
 */
export async function copyBeforeSteps<Tables>(
  database: Kysely<Tables>,
  steps: MigrationSteps,
  directory: string,
): Promise<string | undefined> {
  const done = await stepsOf(database);
  const first = Object.keys(steps)
    .sort()
    .find((name) => !done.has(name));
  if (done.size === 0 || first === undefined) return undefined;
  const path = join(directory, `server-before-${first}.sqlite`);
  const temporary = `${path}.part`;
  // What an earlier attempt left is older than what is there now.
  await rm(temporary, { force: true });
  await sql`vacuum into ${temporary}`.execute(database);
  await chmod(temporary, 0o600);
  await rename(temporary, path);
  return path;
}

async function stepsOf<Tables>(database: Kysely<Tables>): Promise<ReadonlySet<string>> {
  const tables = await sql<{ name: string }>`select name from sqlite_master where name = 'kysely_migration'`.execute(
    database,
  );
  if (tables.rows.length === 0) return new Set();
  const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(database);
  return new Set(rows.map(({ name }) => name));
}
