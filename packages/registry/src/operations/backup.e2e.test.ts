import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Database, openDatabase } from '../database/database.ts';
import { restoreBackup, writeBackup } from './backup.ts';

let directory: string;
const now = new Date('2026-12-01T00:00:00Z');

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ingot-backup-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const POLICY = {
  scope: 'team/',
  policy: '{"reasons":"required"}',
  updated_at: now.toISOString(),
  updated_by: 'ana — é',
};

async function filled(): Promise<Database> {
  const database = await openDatabase({ directory: join(directory, 'a') });
  await database.own.insertInto('governance_policies').values(POLICY).execute();
  const deliveries = Array.from({ length: 2500 }, (_, place) => ({
    id: `d${place}`,
    webhook_id: 'w',
    event_id: `e${place}`,
    event_type: 'alias.moved',
    payload: '{}',
    state: 'delivered',
    attempts: 1,
    next_at: 1_800_000_000_000 + place,
    leased_until: 0,
    created_at: 1,
    finished_at: null,
    status_code: 200,
    error: null,
  }));
  for (let from = 0; from < deliveries.length; from += 50)
    await database.own
      .insertInto('webhook_deliveries')
      .values(deliveries.slice(from, from + 50))
      .execute();
  return database;
}

test('a backup that is restored has every row, and only its owner may read it', async () => {
  const path = join(directory, 'own.backup');
  await using database = await filled();
  const written = await writeBackup(database, { path, release: '0.1.0', now });
  expect(written.tables).toMatchObject({ governance_policies: 1, webhook_deliveries: 2500 });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await using other = await openDatabase({ directory: join(directory, 'b') });
  const restored = await restoreBackup(other, path);
  expect(restored).toEqual(written);
  expect(await other.own.selectFrom('governance_policies').selectAll().execute()).toEqual([POLICY]);
  const all = (each: Database) => each.own.selectFrom('webhook_deliveries').selectAll().orderBy('id').execute();
  expect(await all(other)).toEqual(await all(database));
  await expect(restoreBackup(other, path)).rejects.toMatchObject({ code: 'conflict' });
});

test('a backup taken while a server writes is of one moment, and the server goes on', async () => {
  await using server = await filled();
  await using reader = await openDatabase({ directory: server.address });
  const path = join(directory, 'own.backup');
  let isDone = false;
  let count = 0;
  // Both rows come in one transaction: a backup has both or neither.
  const writing = (async () => {
    while (!isDone) {
      count += 1;
      const pair = count;
      await server.own.transaction().execute(async (change) => {
        const policy = { ...POLICY, scope: `m${pair}` };
        await change.insertInto('governance_policies').values(policy).execute();
        await change
          .insertInto('webhook_cursors')
          .values({ name: `m${pair}`, position: '' })
          .execute();
      });
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const { tables } = await writeBackup(reader, { path, release: '0.1.0', now });
  isDone = true;
  await writing;
  expect(count).toBeGreaterThan(1);
  expect(tables.webhook_cursors).toBe(Number(tables.governance_policies) - 1);
});

test('what is no whole backup, or of a newer release, changes nothing', async () => {
  const path = join(directory, 'own.backup');
  await using database = await filled();
  await writeBackup(database, { path, release: '0.1.0', now });
  const text = gunzipSync(await readFile(path)).toString();
  const lines = text.trimEnd().split('\n');
  const newer = JSON.stringify({ ...JSON.parse(lines[0] ?? ''), steps: ['2999-01-01-x-1'], release: '9.0.0' });
  for (const [content, code] of [
    [gzipSync(`${lines.slice(0, -1).join('\n')}\n`), 'integrity'],
    [gzipSync([newer, ...lines.slice(1)].join('\n')), 'refused'],
    [Buffer.from('hello'), 'integrity'],
    [(await readFile(path)).subarray(0, 600), 'integrity'],
  ] as const) {
    await writeFile(path, content);
    await using other = await openDatabase({ directory: await mkdtemp(join(directory, 'b-')) });
    await expect(restoreBackup(other, path)).rejects.toMatchObject({ code });
    await using again = await openDatabase({ directory: other.address });
    expect(await again.own.selectFrom('governance_policies').selectAll().execute()).toEqual([]);
  }
  await using empty = await openDatabase({ directory: join(directory, 'c') });
  await expect(restoreBackup(empty, join(directory, 'none'))).rejects.toMatchObject({ code: 'path-not-found' });
});
