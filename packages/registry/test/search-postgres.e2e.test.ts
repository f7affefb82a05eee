import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IngotError } from '@ingot/core/errors';
import type { VersionRecord } from '@ingot/core/registry/registry';
import { Deployments } from '@ingot/registry/deployments/deployments';
import { listDeployments } from '@ingot/registry/deployments/list-deployments';
import { aliasesOf, versionFacts } from '@ingot/registry/http/mlflow/registry-rows';
import { searchVersions as searchMlflowVersions } from '@ingot/registry/http/mlflow/registry-search';
import { INDEX_COLUMNS } from '@ingot/registry/index/migrations';
import { indexedLineage } from '@ingot/registry/lineage/indexed-lineage';
import { readLineage } from '@ingot/registry/lineage/lineage';
import { type Database, openDatabase } from '@ingot/registry/database/database';
import { searchVersions } from '@ingot/registry/search/search-versions';
import { checkAgreement } from '@ingot/registry/search/testing/agreement';
import { type Filled, fillIndex } from '@ingot/registry/search/testing/fill-index';
import { sql } from 'kysely';
import { describe, test } from 'vitest';
import { needServer } from '../../core/test/servers/need-server.ts';
import { startPostgres } from '../../core/test/servers/postgres.ts';

const NOW = new Date('2026-11-21T12:00:00.000Z');

/** A page of versions has the tags and aliases of each, whatever characters they hold. */
async function checkPages(database: Database, filled: readonly Filled[]): Promise<void> {
  const { items } = await searchMlflowVersions(database, {
    filter: undefined,
    orderBy: [],
    limit: 1000,
    cursor: undefined,
  });
  const models = [...new Set(items.map(({ model_id }) => model_id))];
  const named = await aliasesOf(database, models);
  const said = (await versionFacts(database, items)).map(({ modelId, number, tags }) => [
    `${modelId} ${number}`,
    {
      tags: Object.fromEntries(tags.map(({ key, value }) => [key, value])),
      aliases: named.filter((one) => one.model_id === modelId && one.number === number).map(({ alias }) => alias),
    },
  ]);
  const records = filled.map(({ record }) => record).filter(({ status }) => status !== 'deleted');
  const wanted = records.map(({ modelId, number, tags = {}, aliases }) => [
    `${modelId} ${number}`,
    { tags, aliases: [...aliases].sort() },
  ]);
  assert.deepEqual(Object.fromEntries(said), Object.fromEntries(wanted));
}

describe('searches over SQLite', () => {
  test('find what they find in memory, whatever is asked', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'ingot-search-'));
    {
      await using database = await openDatabase({ directory });
      const filled = await fillIndex(database, { versions: 120, seed: 3 });
      await checkAgreement(database, filled, { rounds: 150, seed: 5, now: NOW });
      await checkPages(database, filled);
    }
    await rm(directory, { recursive: true });
  });
});

await needServer('postgres', startPostgres, (server) => {
  test('find what they find in memory, and take what looks like SQL as text', async () => {
    await using database = await openDatabase({ directory: tmpdir(), address: server.address });
    const filled = await fillIndex(database, { versions: 120, seed: 3 });
    await checkAgreement(database, filled, { rounds: 150, seed: 5, now: NOW });
    await checkPages(database, filled);
    for (const evil of ["'; drop table versions; --", "' or 1=1 --", '\\', '%', '\0', '\ud800', "''", '$1', '{}']) {
      const quoted = `'${evil.replaceAll("'", "''")}'`;
      for (const field of ['name', 'tags.team', 'tags."x\0y"', 'params.depth', 'digest', 'package', 'package:a'])
        for (const operator of ['=', 'LIKE', 'ILIKE'])
          await searchVersions(database, {
            filter: field === 'package:a' && operator === '=' ? quoted : `${field} ${operator} ${quoted}`,
            limit: 10,
            readable: undefined,
            now: NOW,
          });
    }
    const all = { filter: 'status IS NOT NULL', limit: 1000, now: NOW };
    const { items } = await searchVersions(database, { ...all, readable: undefined });
    assert.equal(items.length, 120);
    const mine = await searchVersions(database, { ...all, readable: ['m1', "'"] });
    assert.deepEqual([...new Set(mine.items.map(({ modelId }) => modelId))], ['m1']);
    for (const extreme of ['1e300', '-1e300', '9007199254740993', '1e-300', '2.5'])
      for (const field of ['version', 'metrics.auc', 'params.depth', 'files', 'size'])
        if (field !== 'size' || extreme === '2.5')
          await searchVersions(database, { ...all, filter: `${field} >= ${extreme}`, readable: undefined });
  });

  test('lineage and what runs where are the same over Postgres', async () => {
    await using database = await openDatabase({ directory: tmpdir(), address: server.address });
    const { rows } = await sql<{ n: number }>`select count(*) as n from versions`.execute(database.index);
    assert.ok((rows[0]?.n ?? 0) > 0, 'the test before has filled the index');
    const filled = await fillIndex(await emptied(database), { versions: 40, seed: 9 });
    const [first, second] = filled.map(({ record }) => record).filter(({ model }) => model === 'churn');
    assert.ok(first !== undefined && second !== undefined);
    const index = { resolveAsOf: () => Promise.reject(new IngotError('model-not-found', 'no')) };
    const reader = indexedLineage({ database, index, mayRead: () => true, now: () => NOW });
    const graph = await readLineage(first, reader, { direction: 'both', depth: 3 });
    const children = filled.filter(
      ({ record }) => record.status !== 'deleted' && record.lineage?.parents?.includes('churn:1') === true,
    );
    const ids = graph.edges.filter(({ from, kind }) => from === graph.root && kind === 'parent of').map(({ to }) => to);
    assert.deepEqual(
      ids.sort(),
      children.map(({ record: { modelId, number } }) => `version:${modelId}:${number}`).sort(),
    );

    const deployments = new Deployments({ database, now: () => NOW });
    const version = ({ model, number, manifest }: VersionRecord) => ({
      model,
      number,
      manifest,
      since: '2026-11-01T00:00:00Z',
    });
    const machine = {
      id: 'server-a',
      host: 'box',
      address: 'http://box',
      release: '1',
      startedAt: '2026-11-01T00:00:00Z',
    };
    const by = { reporter: 'ana', mayRead: () => true };
    await deployments.report({ server: machine, versions: [version(first)] }, by);
    const ended = { ...version(first), until: '2026-11-10T00:00:00Z' };
    const again = { server: machine, versions: [ended, { ...version(second), since: '2026-11-10T00:00:00Z' }] };
    await deployments.report(again, by);
    assert.deepEqual(await deployments.report(again, by), { noted: 2, ignored: [] });
    const listed = { limit: 1, now: NOW, models: [first.modelId], from: Date.parse('2026-10-01T00:00:00Z') };
    const page = await listDeployments(database, listed);
    assert.deepEqual(
      page.items.map(({ number, isLive }) => [number, isLive]),
      [[second.number, true]],
    );
    const rest = await listDeployments(database, { ...listed, after: page.next });
    assert.deepEqual(
      rest.items.map(({ number, until }) => [number, until]),
      [[first.number, '2026-11-10T00:00:00.000Z']],
    );
    assert.equal(rest.next, undefined);
    const live = await listDeployments(database, { ...listed, live: true, number: first.number });
    assert.deepEqual(live.items, []);
  });
});

/** The same database, without what another test has put into its index. */
async function emptied(database: Database): Promise<Database> {
  for (const table of INDEX_COLUMNS.keys()) await sql`delete from ${sql.table(table)}`.execute(database.index);
  return database;
}
