import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openDatabase } from '../database/database.ts';
import { OWN_MIGRATIONS } from '../database/migrations.ts';
import { PolicyStore } from '../governance/policy-store.ts';

const COMPAT = fileURLToPath(new URL('../../../../compat/', import.meta.url));
const released = (await readdir(COMPAT)).filter((name) => name.startsWith('server-'));

test.each(released)('the database of %s is brought up to date with all that is in it', async (name) => {
  const directory = await mkdtemp(join(tmpdir(), 'ingot-compat-'));
  const state = join(directory, 'state');
  await mkdir(state);
  await copyFile(join(COMPAT, name, 'server.sqlite'), join(state, 'server.sqlite'));
  await using database = await openDatabase({ directory: state });
  await using fresh = await openDatabase({ directory: join(directory, 'fresh') });
  const namesIn = async ({ own }: typeof database): Promise<string[]> =>
    (await own.introspection.getTables()).map((table) => table.name).sort();
  expect(await namesIn(database)).toEqual(await namesIn(fresh));
  const { policies } = await new PolicyStore({ own: database.own, now: () => new Date() }).read();
  expect(policies['team/']?.aliases?.production).toMatchObject({ approvals: 2, conditions: ['auc >= 0.95'] });
  const accounts = await database.own.selectFrom('accounts').select('name').execute();
  expect(accounts).toEqual([{ name: 'ana' }]);
  const webhooks = await database.own.selectFrom('webhooks').select(['id', 'created_at']).execute();
  expect(webhooks).toEqual([{ id: 'w1', created_at: 1_795_262_400_000 }]);
  expect(Object.keys(OWN_MIGRATIONS).length).toBeGreaterThan(8);
  await rm(directory, { recursive: true });
});
