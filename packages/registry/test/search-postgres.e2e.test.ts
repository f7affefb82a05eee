import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '@ingot/registry/database/database';
import { searchVersions } from '@ingot/registry/search/search-versions';
import { checkAgreement } from '@ingot/registry/search/testing/agreement';
import { fillIndex } from '@ingot/registry/search/testing/fill-index';
import { describe, test } from 'vitest';
import { needServer } from '../../core/test/servers/need-server.ts';
import { startPostgres } from '../../core/test/servers/postgres.ts';

const NOW = new Date('2026-11-21T12:00:00.000Z');

describe('searches over SQLite', () => {
  test('find what they find in memory, whatever is asked', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'ingot-search-'));
    {
      await using database = await openDatabase({ directory });
      const filled = await fillIndex(database, { versions: 120, seed: 3 });
      await checkAgreement(database, filled, { rounds: 150, seed: 5, now: NOW });
    }
    await rm(directory, { recursive: true });
  });
});

await needServer('postgres', startPostgres, (server) => {
  test('find what they find in memory, and take what looks like SQL as text', async () => {
    await using database = await openDatabase({ directory: tmpdir(), address: server.address });
    const filled = await fillIndex(database, { versions: 120, seed: 3 });
    await checkAgreement(database, filled, { rounds: 150, seed: 5, now: NOW });
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
});
