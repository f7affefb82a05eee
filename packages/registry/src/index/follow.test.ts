import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobStore } from '@ingot/core/blob/blob-store';
import { bodyOf, readIfPresent } from '@ingot/core/blob/bytes';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { createBlobContentStore } from '@ingot/core/content/blob-content-store';
import { createStore } from '@ingot/core/content/store-format';
import { IngotError } from '@ingot/core/errors';
import { push } from '@ingot/core/push';
import { parseModelName, parseReference } from '@ingot/core/ref';
import { CHURN, draftOf, failsWith, numberOf, published } from '@ingot/core/registry/conformance/case';
import { openLogRegistry } from '@ingot/core/registry/open';
import type { Registry } from '@ingot/core/registry/registry';
import { afterEach, beforeEach, test } from 'vitest';
import { type Database, openDatabase } from '../database/database.ts';
import { type IndexedRegistry, openIndexedRegistry } from './indexed-registry.ts';
import { openServedIndex } from './served-index.ts';
import { fillVersionFiles } from './version-files.ts';

let directory = '';
let database: Database;
let inner: BlobStore;
let isAway = false;
let time = Date.parse('2026-05-01T00:00:00Z');

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ingot-index-'));
  database = await openDatabase({ directory });
  inner = createMemoryBlobStore({ now });
  isAway = false;
});

afterEach(async () => {
  await database[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const now = (): Date => new Date(time);

/** The store as the server sees it: it can go away. */
function served(): BlobStore {
  const here = async (): Promise<void> => {
    if (isAway) throw new IngotError('unavailable', 'the line is cut', { retryable: true });
  };
  return {
    ...inner,
    read: async function* (...args: Parameters<BlobStore['read']>) {
      await here();
      yield* inner.read(...args);
    },
    stat: (...args) => here().then(() => inner.stat(...args)),
    write: (...args) => here().then(() => inner.write(...args)),
    list: async function* (...args: Parameters<BlobStore['list']>) {
      await here();
      yield* inner.list(...args);
    },
  };
}

function server(blobs: BlobStore = served()): IndexedRegistry {
  const openRegistry: Parameters<typeof openIndexedRegistry>[0]['openRegistry'] = (onEvent) =>
    openLogRegistry({ blobs, actor: 'server', onEvent, clock: now });
  return openIndexedRegistry({ database, blobs, openRegistry, log: () => {}, now });
}

/** Somebody who writes to the store past the server. */
function other(): Registry {
  return openLogRegistry({ blobs: inner, actor: 'other', hints: true, clock: now });
}

test('a write that finds that others have written the same reads it at once', async () => {
  const { registry, watch } = server();
  await watch.sweep();
  await published(other(), 'a');
  const { id, isNew } = await registry.ensureModel(CHURN);
  assert.deepEqual([isNew, (await registry.model(CHURN)).id], [false, id]);
  await other().publish(CHURN, draftOf('b'));
  assert.equal((await registry.publish(CHURN, draftOf('b'))).existed, true);
  assert.equal(await numberOf(registry, 'churn'), 2);
});

test('what others write is found by its hints: models, versions, moves and new names', async () => {
  const { registry, watch } = server();
  await published(other(), 'a');
  assert.equal(await numberOf(registry, 'churn'), 1);
  const writer = other();
  await writer.publish(CHURN, draftOf('b'), { aliases: ['production'] });
  await writer.ensureModel(parseModelName('wine'));
  assert.equal(await numberOf(registry, 'churn'), 1, 'nothing is asked of the store for a model that was looked at');
  assert.equal(await watch.lookAtHints(), 2);
  assert.equal(await numberOf(registry, 'churn@production'), 2);
  assert.equal((await registry.model(parseModelName('wine'))).versions, 0);
  await writer.rename(CHURN, parseModelName('iris'));
  assert.equal(await watch.lookAtHints(), 1);
  assert.equal(await numberOf(registry, 'iris@production'), 2);
  await failsWith('model-not-found', () => registry.resolve(parseReference('churn')));
  assert.equal(await watch.lookAtHints(), 0);
});

test('what left no hint is found by the sweep, or by who asks for it', async () => {
  const { registry, watch, index } = server();
  await published(other(), 'a');
  await watch.sweep();
  const quiet = openLogRegistry({ blobs: inner, actor: 'quiet', clock: now });
  await quiet.publish(CHURN, draftOf('b'));
  assert.equal(await watch.lookAtHints(), 0);
  assert.equal(await index.reach(CHURN, 2, 0), true);
  assert.equal(await numberOf(registry, 'churn'), 2);
  await quiet.publish(CHURN, draftOf('c'));
  await watch.sweep();
  assert.equal(await numberOf(registry, 'churn'), 3);
});

test('a store that is away stops writes, not the answers of what is indexed', async () => {
  await published(server().registry, 'a');
  const { registry, watch } = server();
  isAway = true;
  assert.equal(await numberOf(registry, 'churn'), 1);
  assert.equal((await registry.version(parseReference('churn:1'))).publishedBy, 'server');
  await failsWith('unavailable', () => registry.publish(CHURN, draftOf('b')));
  await failsWith('unavailable', () => watch.lookAtHints());
  isAway = false;
  assert.equal((await registry.publish(CHURN, draftOf('b'))).version.number, 2);
});

test('a log that went back or says something else is refused and shown, and the others go on', async () => {
  const wine = parseModelName('wine');
  const { registry, watch, index } = server();
  await published(registry, 'a', 'b');
  await registry.ensureModel(wine);
  await registry.publish(wine, draftOf('w'));
  const { id } = await registry.model(CHURN);
  const key = `models/${id}/log/0000000002.json`;
  const kept = (await readIfPresent(inner, key, {})) ?? assert.fail('no such event');
  await inner.delete(key);
  await watch.sweep();
  assert.deepEqual(
    (await index.problems()).map(({ log, code }) => [log, code]),
    [[id, 'tampered']],
  );
  const again = server();
  const error = await failsWith('tampered', () => again.registry.resolve(parseReference('churn')));
  assert.match(error.message, /0000000002/);
  assert.equal(await numberOf(again.registry, 'wine'), 1);
  await inner.write(key, bodyOf(kept));
  await again.watch.sweep();
  assert.deepEqual(await index.problems(), []);
  assert.equal(await numberOf(again.registry, 'churn'), 2);
});

test('a reference as of some time means what it meant after the last event then', async () => {
  const { registry, index } = server();
  const at: Date[] = [];
  const mark = (): void => {
    at.push(new Date(time));
    time += 60_000;
  };
  await published(registry, 'a');
  await registry.setAlias(CHURN, 'production', 1);
  mark();
  await published(registry, 'b');
  await registry.setAlias(CHURN, 'production', 2);
  mark();
  await registry.retire(parseReference('churn:2'));
  await registry.removeAlias(CHURN, 'production');
  mark();
  const meant = async (text: string): Promise<(number | string)[]> =>
    Promise.all(
      [new Date(0), ...at].map((then) =>
        index.resolveAsOf(parseReference(text), then).then(
          ({ number }) => number,
          ({ code }: IngotError) => code,
        ),
      ),
    );
  assert.deepEqual(await meant('churn@production'), ['alias-not-found', 1, 2, 'alias-not-found']);
  assert.deepEqual(await meant('churn'), ['version-not-found', 1, 2, 1]);
  assert.deepEqual(await meant('churn:2'), ['version-not-found', 'version-not-found', 2, 2]);
});

test('the digests of files come from the recipes, afterwards', async () => {
  const blobs = served();
  const { registry } = server(blobs);
  await createStore(inner, { now });
  const contents = createBlobContentStore(blobs, { now });
  await writeFile(join(directory, 'model.txt'), 'weights');
  await push(join(directory, 'model.txt'), { registry, contents, name: 'churn' });
  await registry.publish(CHURN, draftOf('contents that nobody has'));
  const { index } = database;
  isAway = true;
  const options = { index, contents, log: () => {} };
  assert.equal(await fillVersionFiles(options), 0);
  isAway = false;
  assert.equal(await fillVersionFiles(options), 2);
  const files = await index.selectFrom('version_files').select(['number', 'path', 'size_bytes']).execute();
  assert.deepEqual(
    files.map(({ number, path, size_bytes }) => [number, path, size_bytes]),
    [[1, 'model.txt', 7]],
  );
  const known = await index.selectFrom('versions').select('files_known').orderBy('number').execute();
  assert.deepEqual(
    known.map(({ files_known }) => files_known),
    [1, 2],
  );
  assert.equal(await fillVersionFiles(options), 0);
});

test('a server that finds no index builds it before it answers, and does not start without a store then', async () => {
  await createStore(inner, { now });
  await published(other(), 'a', 'b');
  const blobs = served();
  const options = {
    database,
    blobs,
    contents: createBlobContentStore(blobs, { now }),
    openRegistry: (onEvent: Parameters<Parameters<typeof openIndexedRegistry>[0]['openRegistry']>[0]) =>
      openLogRegistry({ blobs, actor: 'server', onEvent, clock: now }),
    log: () => {},
    now,
  };
  isAway = true;
  await failsWith('unavailable', () => openServedIndex(options));
  isAway = false;
  {
    await using opened = await openServedIndex(options);
    isAway = true;
    const rows = await database.index.selectFrom('versions').select('number').execute();
    assert.equal(rows.length, 2);
    assert.equal(await numberOf(opened.registry, 'churn'), 2);
  }
  await using again = await openServedIndex(options);
  assert.equal(await numberOf(again.registry, 'churn'), 2);
});
