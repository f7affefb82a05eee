import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { needServer } from '../../core/test/servers/need-server.ts';
import { startPostgres } from '../../core/test/servers/postgres.ts';
import { type Database, openDatabase } from '../src/database/database.ts';
import { restoreBackup, writeBackup } from '../src/operations/backup.ts';
import { DeliveryQueue } from '../src/webhooks/delivery-queue.ts';

const now = (): Date => new Date('2026-12-01T00:00:00Z');
const random = (size: number): Uint8Array => crypto.getRandomValues(new Uint8Array(size));
const WEBHOOK = {
  id: 'w',
  name: 'ci',
  url: 'https://ci.example/',
  format: 'cloudevents',
  events: '["*"]',
  models: null,
  description: null,
  secret: null,
  status: 'active',
  disabled_because: null,
  failures: 0,
  created_at: 1_800_000_000_000,
  created_by: 'ana',
  updated_at: 1,
  previous_secret: null,
  previous_until: null,
};

await needServer('postgres', startPostgres, (postgres) => {
  let directory = '';
  let database: Database;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ingot-operations-'));
    database = await openDatabase({ directory, address: postgres.address });
    for (const { name } of await ownTables()) await sql`delete from ${sql.table(name)}`.execute(database.own);
    await database.own.insertInto('webhooks').values(WEBHOOK).execute();
  });

  async function ownTables() {
    const tables = await database.own.introspection.getTables();
    return tables.filter(({ name, schema }) => schema === 'ingot' && !name.startsWith('kysely_'));
  }

  afterEach(async () => {
    await database[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  test('servers that take deliveries at the same time get each one once', async () => {
    const { own } = database;
    const queues = Array.from({ length: 8 }, () => new DeliveryQueue({ own, kind: 'postgres', now, random }));
    const deliveries = Array.from({ length: 200 }, (_, place) => ({
      webhookId: 'w',
      eventId: `e${place % 100}`,
      eventType: 'alias.moved',
      payload: '{}',
    }));
    for (const delivery of deliveries) await queues[0]?.add([delivery]);
    const taken: string[] = [];
    await Promise.all(
      queues.map(async (queue) => {
        for (let some = await queue.take(5); some.length > 0; some = await queue.take(5))
          taken.push(...some.map(({ event_id }) => event_id));
      }),
    );
    expect([taken.length, new Set(taken).size]).toEqual([100, 100]);
  });

  test('a backup goes from Postgres to SQLite and back without a difference', async () => {
    const first = join(directory, 'first.backup');
    const written = await writeBackup(database, { path: first, release: '0.1.0', now: now() });
    expect(written.tables.webhooks).toBe(1);
    await using small = await openDatabase({ directory: join(directory, 'sqlite') });
    expect(await restoreBackup(small, first)).toEqual(written);
    expect(await small.own.selectFrom('webhooks').selectAll().execute()).toEqual([WEBHOOK]);
    const second = join(directory, 'second.backup');
    await writeBackup(small, { path: second, release: '0.1.0', now: now() });
    await database.own.deleteFrom('webhooks').execute();
    expect(await restoreBackup(database, second)).toEqual(written);
    expect(await database.own.selectFrom('webhooks').selectAll().execute()).toEqual([WEBHOOK]);
  });
});
