import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kysely, sql } from 'kysely';
import { expect, test } from 'vitest';
import { copyBeforeSteps } from './copy-before-steps.ts';
import type { MigrationSteps } from './migration-steps.ts';
import { migrate } from './migrations.ts';
import { sqliteDialect } from './sqlite.ts';

const FIRST: MigrationSteps = {
  'a-1': { up: async (database) => database.schema.createTable('a').addColumn('x', 'text').execute() },
};
const BOTH: MigrationSteps = {
  ...FIRST,
  'a-2': { up: async (database) => database.schema.dropTable('a').execute() },
};

test('a database that steps will change is copied first, once, and the copy is as it was', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ingot-copy-'));
  const opened = async (path: string) =>
    new Kysely<{ a: { x: string } }>({ dialect: await sqliteDialect(path, 'full') });
  const database = await opened(join(directory, 'server.sqlite'));
  expect(await copyBeforeSteps(database, FIRST, directory)).toBeUndefined();
  await migrate(database, FIRST);
  await database.insertInto('a').values({ x: 'kept' }).execute();
  expect(await copyBeforeSteps(database, FIRST, directory)).toBeUndefined();
  const path = await copyBeforeSteps(database, BOTH, directory);
  await migrate(database, BOTH);
  expect(path).toBe(join(directory, 'server-before-a-2.sqlite'));
  expect((await stat(path ?? '')).mode & 0o777).toBe(0o600);
  const copy = await opened(path ?? '');
  expect(await copy.selectFrom('a').selectAll().execute()).toEqual([{ x: 'kept' }]);
  expect((await sql`select name from sqlite_master where name = 'a'`.execute(database)).rows).toEqual([]);
  expect(await copyBeforeSteps(database, BOTH, directory)).toBeUndefined();
  await copy.destroy();
  await database.destroy();
  await rm(directory, { recursive: true });
});
