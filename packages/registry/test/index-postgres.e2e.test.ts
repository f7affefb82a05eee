import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { isIngotError } from '@ingot/core/errors';
import { parseModelName } from '@ingot/core/ref';
import { draftOf } from '@ingot/core/registry/conformance/case';
import { REGISTRY_CASES } from '@ingot/core/registry/conformance';
import { openLogRegistry } from '@ingot/core/registry/open';
import type { PublishResult, Registry } from '@ingot/core/registry/registry';
import { randomOf } from '@ingot/core/seeded-random';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { needServer } from '../../core/test/servers/need-server.ts';
import { startPostgres } from '../../core/test/servers/postgres.ts';
import { ProtectedMoves } from '../src/audit/protected-moves.ts';
import { type Database, openDatabase } from '../src/database/database.ts';
import { type IndexedRegistry, openIndexedRegistry } from '../src/index/indexed-registry.ts';
import { INDEX_COLUMNS } from '../src/index/migrations.ts';
import { rebuildIndex } from '../src/index/rebuild.ts';
import { indexRows } from '../src/index/testing/index-rows.ts';
import { playHistory } from '../src/index/testing/random-history.ts';

const CHURN = parseModelName('churn');
const now = (): Date => new Date();

await needServer('postgres', startPostgres, (postgres) => {
  let directory = '';
  let replicas: readonly Database[] = [];
  let opened: IndexedRegistry[] = [];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ingot-index-'));
    const open = (): Promise<Database> => openDatabase({ directory, address: postgres.address });
    replicas = await Promise.all([open(), open()]);
    for (const table of INDEX_COLUMNS.keys()) await sql`delete from ${sql.table(table)}`.execute(indexOf(0));
  });

  function indexOf(replica: number): Database['index'] {
    return replicas[replica % 2]?.index ?? assert.fail('no such replica');
  }

  afterEach(async () => {
    for (const one of opened) await one[Symbol.asyncDispose]();
    opened = [];
    for (const database of replicas) await database[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  /** Opens servers over one store, in turn over one and the other replica's connections. */
  function opener(blobs = createMemoryBlobStore()): () => Registry {
    let count = 0;
    return () => {
      count += 1;
      const database = replicas[count % 2] ?? assert.fail('no such replica');
      const openRegistry: Parameters<typeof openIndexedRegistry>[0]['openRegistry'] = (onEvent) =>
        openLogRegistry({ blobs, actor: 'test', onEvent });
      const indexed = openIndexedRegistry({ database, blobs, openRegistry, log: () => {}, now });
      opened.push(indexed);
      return indexed.registry;
    };
  }

  describe('replicas over one Postgres keep the contract of registries', () => {
    for (const { name, run } of REGISTRY_CASES) test(name, async () => run({ open: opener() }));
  });

  test('an index in Postgres equals a rebuilt one, and one in SQLite', async () => {
    const blobs = createMemoryBlobStore();
    const open = opener(blobs);
    await playHistory(open(), 120, randomOf(4));
    await playHistory(open(), 120, randomOf(5));
    const followed = await indexRows(indexOf(0));
    assert.deepEqual((await rebuildIndex({ index: indexOf(1), blobs, now })).problems, []);
    assert.deepEqual(await indexRows(indexOf(0)), followed);
    await using sqlite = await openDatabase({ directory });
    await rebuildIndex({ index: sqlite.index, blobs, now });
    assert.deepEqual(await indexRows(sqlite.index), followed);
  });

  test('a move that arrives while a flagged one is let count is what its alias names', async () => {
    const registry = opener()();
    await registry.ensureModel(CHURN);
    for (const text of ['a', 'b', 'c']) await registry.publish(CHURN, draftOf(text));
    const { modelId } = await registry.resolve({ name: CHURN, selector: { kind: 'latest' } });
    await registry.setAlias(CHURN, 'production', 1);
    await registry.setAlias(CHURN, 'production', 2);
    const { own, index } = replicas[0] ?? assert.fail();
    const said = { model_id: modelId, alias: 'production', at: now().toISOString(), actor: 'x' };
    const flagged = { ...said, seq: 5, digest: '', from_number: 1, to_number: 2, state: 'flagged' as const };
    await own.insertInto('audit_foreign_moves').values(flagged).execute();
    const accessLog = { record() {} };
    const written = { has: async () => true };
    const moves = new ProtectedMoves({ own, index, written, accessLog, now, random: (size) => new Uint8Array(size) });
    await moves.load();
    let accepting: Promise<void> | undefined;
    await indexOf(1)
      .transaction()
      .execute(async (projecting) => {
        await projecting.updateTable('logs').set({ seq: 6 }).where('log', '=', modelId).execute();
        const move = { ...said, seq: 6, from_number: 2, to_number: 3, reason: null };
        await projecting.insertInto('alias_moves').values(move).execute();
        const alias = projecting.updateTable('aliases').set({ number: 3, seq: 6 });
        await alias.where('model_id', '=', modelId).where('alias', '=', 'production').execute();
        accepting = moves.accept(modelId, 'production');
        const waiting = sql<{ count: number }>`select count(*) as count from pg_locks where not granted`;
        await expect.poll(async () => (await waiting.execute(indexOf(0))).rows[0]?.count, { interval: 5 }).toBe(1);
      });
    await accepting;
    const rows = await index.selectFrom('aliases').select(['alias', 'number', 'seq']).execute();
    assert.deepEqual(
      rows.map(({ alias, number, seq }) => [alias, Number(number), Number(seq)]),
      [['production', 3, 6]],
    );
  });

  test('32 clients of two servers see numbers and moves of an alias in one order', async () => {
    const open = opener();
    const servers = [open(), open()];
    await servers[0]?.ensureModel(CHURN);
    const moves: { readonly from: number | null; readonly to: number | null }[] = [];
    const numbers: number[] = [];
    const clients = Array.from({ length: 32 }, async (_, client) => {
      const server: Registry = servers[client % 2] ?? assert.fail('no such server');
      const other: Registry = servers[(client + 1) % 2] ?? assert.fail('no such server');
      for (let turn = 0; turn < 3; turn += 1) {
        const { version }: PublishResult = await server.publish(CHURN, draftOf(`${client} ${turn}`));
        numbers.push(version.number);
        // Whoever reads elsewhere after the answer sees what was written.
        const selector = { kind: 'version', number: version.number } as const;
        assert.equal((await other.resolve({ name: CHURN, selector })).manifest, version.manifest);
        assert.ok(((await other.resolve({ name: CHURN, selector: { kind: 'latest' } })).number ?? 0) >= version.number);
        moves.push(await server.setAlias(CHURN, 'production', version.number));
      }
    });
    await Promise.all(clients);
    assert.deepEqual(
      numbers.sort((a, b) => a - b),
      Array.from({ length: 96 }, (_, index) => index + 1),
    );
    // Every move but the first starts where exactly one other has ended.
    const ends = moves.map(({ to }) => to);
    const starts = moves.map(({ from }) => from).filter((from) => from !== null);
    assert.equal(new Set(starts).size, 95);
    const last = ends.filter((end) => !starts.some((start) => start === end));
    const selector = { kind: 'alias', alias: 'production' } as const;
    assert.deepEqual(last, [(await servers[1]?.resolve({ name: CHURN, selector }))?.number]);
  });

  test('a database that goes away is unavailable, and what was written meanwhile is there when it comes back', async () => {
    const blobs = createMemoryBlobStore();
    const registry = opener(blobs)();
    await registry.ensureModel(CHURN);
    await registry.publish(CHURN, draftOf('a'));
    await postgres.stop();
    const codes = await Promise.all(
      [() => registry.publish(CHURN, draftOf('b')), () => registry.model(CHURN)].map((act) =>
        act().then(
          () => 'answered',
          (error: unknown) => (isIngotError(error) ? error.code : String(error)),
        ),
      ),
    );
    assert.deepEqual(codes, ['unavailable', 'unavailable']);
    await postgres.start();
    const again = await registry.publish(CHURN, draftOf('b'));
    assert.deepEqual([again.existed, again.version.number], [true, 2]);
    assert.equal((await registry.resolve({ name: CHURN, selector: { kind: 'latest' } })).number, 2);
  });
});
