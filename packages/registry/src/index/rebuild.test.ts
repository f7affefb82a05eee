import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { openLogRegistry } from '@ingot/core/registry/open';
import { randomOf } from '@ingot/core/seeded-random';
import { afterEach, beforeEach, test } from 'vitest';
import { type Database, openDatabase } from '../database/database.ts';
import { openIndexedRegistry } from './indexed-registry.ts';
import { rebuildIndex } from './rebuild.ts';
import { indexRows } from './testing/index-rows.ts';
import { playHistory } from './testing/random-history.ts';

let directory = '';
let database: Database;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ingot-index-'));
  database = await openDatabase({ directory });
});

afterEach(async () => {
  await database[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const now = (): Date => new Date();

for (const seed of [1]) {
  test(`an index that followed a history by chance equals a rebuilt one and one that only watched (seed ${seed})`, async () => {
    const blobs = createMemoryBlobStore();
    const openRegistry = (onEvent: Parameters<Parameters<typeof openIndexedRegistry>[0]['openRegistry']>[0]) =>
      openLogRegistry({ blobs, actor: 'ana', onEvent });
    const indexed = openIndexedRegistry({ database, blobs, openRegistry, log: () => {}, now });
    await playHistory(indexed.registry, 150, randomOf(seed));
    const followed = await indexRows(database.index);
    assert.ok((followed.versions?.length ?? 0) > 10 && (followed.alias_moves?.length ?? 0) > 5);

    await using other = await openDatabase({ directory: join(directory, 'other') });
    const watching = openIndexedRegistry({ database: other, blobs, openRegistry, log: () => {}, now });
    await watching.watch.sweep();
    assert.deepEqual(await indexRows(other.index), followed);

    const report = await rebuildIndex({ index: database.index, blobs, now });
    assert.deepEqual(await indexRows(database.index), followed);
    assert.deepEqual(report.problems, []);
    assert.equal(report.events, followed.events?.length);
  });
}
