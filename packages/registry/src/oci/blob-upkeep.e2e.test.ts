import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { collect as gathered } from '@ingot/core/blob/bytes';
import { collect } from '@ingot/core/collect';
import { createBlobContentStore } from '@ingot/core/content/blob-content-store';
import { FormatOnce } from '@ingot/core/content/store-format';
import { ociDigestOf } from '@ingot/core/oci/digest';
import { afterAll, beforeAll, test, vi } from 'vitest';
import { openArtifactContext } from '../artifacts/artifact-context.ts';
import { sweepRoots } from '../artifacts/holdings.ts';
import { type Database, openDatabase } from '../database/database.ts';
import type { BlobContext } from './blob-context.ts';
import { packStagedBlobs, stagedBlobBytes, sweepUnnamed } from './blob-upkeep.ts';
import { PushedBlobs } from './pushed-blobs.ts';
import { parseRepository } from './repository.ts';
import { Uploads } from './uploads.ts';

const NAME = parseRepository('churn');
const DAY_MS = 24 * 3600 * 1000;
const blobs = createMemoryBlobStore();
const format = new FormatOnce(blobs);
const named = new Set<string>();
let time = new Date('2026-11-22T12:00:00.000Z');
let directory = '';
let database: Database;
let context: BlobContext;
let pushed: PushedBlobs;
let uploads: Uploads;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ingot-upkeep-'));
  await format.create();
  database = await openDatabase({ directory });
  const store = { address: 'memory', blobs, format, contents: createBlobContentStore(blobs, { format }) };
  const services = { store, database, log: () => {}, now: () => time, random: randomBytes };
  context = {
    ...(await openArtifactContext(services, join(directory, 'scratch'))),
    models: { find: async () => undefined },
    references: { isReferenced: async (_name, digest) => named.has(digest) },
    largestBytes: 2 ** 30,
  };
  pushed = new PushedBlobs(context);
  uploads = new Uploads(context, pushed);
});

afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

function later(ms: number): void {
  time = new Date(time.getTime() + ms);
}

async function put(bytes: Uint8Array) {
  async function* stream() {
    yield bytes;
  }
  const digest = ociDigestOf(bytes);
  await uploads.put(NAME, digest, { stream: stream(), sizeBytes: bytes.byteLength });
  return digest;
}

async function roots(): Promise<number> {
  let count = 0;
  for await (const _ of blobs.list('roots/oci/')) count += 1;
  return count;
}

test('staged blobs move into one holding, and are read from there', async () => {
  const some = [randomBytes(100), randomBytes(0), randomBytes(3000)];
  const digests = await Promise.all(some.map(put));
  assert.equal(await stagedBlobBytes(context), 3100);
  assert.equal(await packStagedBlobs(context, time.toISOString()), 3);
  assert.deepEqual([await stagedBlobBytes(context), await roots()], [0, 1]);
  for (const [n, digest] of digests.entries()) {
    const blob = await pushed.find(NAME, digest);
    assert.deepEqual(await gathered(blob?.read() ?? assert.fail()), some[n]);
    assert.notEqual(blob?.recipe, undefined);
  }
  for (const digest of digests) await pushed.delete(NAME, digest);
  assert.equal(await roots(), 0);
});

test('an upload for which nothing came in a day is gone, with what it had', async () => {
  const { id } = await uploads.begin(NAME);
  async function* stream() {
    yield randomBytes(400_000);
  }
  await uploads.append(NAME, id, { stream: stream(), sizeBytes: 400_000 });
  later(DAY_MS - 1000);
  assert.equal(await uploads.expire(), 0);
  later(2000);
  assert.deepEqual([await uploads.expire(), await roots()], [1, 0]);
  await assert.rejects(uploads.status(NAME, id), { code: 'not-found' });
});

test('who asks how far an upload is after its connection broke is told all that came', async () => {
  const { id } = await uploads.begin(NAME);
  async function* stream() {
    yield randomBytes(400_000);
    throw new Error('reset');
  }
  const line = new EventEmitter();
  const [isWritten, isAsked] = [once(line, 'written'), once(line, 'asked')];
  const write = blobs.write.bind(blobs);
  const slow = vi.spyOn(blobs, 'write').mockImplementation(async (...args) => {
    line.emit('written');
    await isAsked;
    return await write(...args);
  });
  const failed = assert.rejects(uploads.append(NAME, id, { stream: stream(), sizeBytes: 800_000 }), {
    code: 'interrupted',
  });
  await isWritten;
  const status = uploads.status(NAME, id);
  await nextTurn();
  line.emit('asked');
  assert.equal((await status).sizeBytes, 400_000);
  await failed;
  slow.mockRestore();
});

test('a blob that no manifest names goes when nobody has asked for it in a week, and not before', async () => {
  const [lost, kept, asked] = [await put(randomBytes(300_000)), await put(randomBytes(10)), await put(randomBytes(20))];
  named.add(kept);
  later(7 * DAY_MS - 1000);
  assert.equal(await sweepUnnamed(context, pushed), 0);
  assert.notEqual(await pushed.shown(NAME, asked), undefined);
  later(2000);
  assert.equal(await sweepUnnamed(context, pushed), 1);
  assert.equal(await pushed.find(NAME, lost), undefined);
  assert.notEqual(await pushed.find(NAME, asked), undefined);
  assert.notEqual(await pushed.find(NAME, kept), undefined);
});

test('a root that a server left that died before its row was written is swept', async () => {
  await using upload = await context.store.contents.openUpload({
    keptAs: { kind: 'oci', id: 'left', owner: context.owner },
  });
  await upload.seal();
  assert.equal(await sweepRoots({ ...context, now: () => new Date() }), 0);
  assert.equal(await sweepRoots({ ...context, now: () => new Date(Date.now() + 2 * DAY_MS) }), 1);
});

test('what is lent while it is let go is there afterwards', async () => {
  const bytes = randomBytes(300_000);
  const digest = await put(bytes);
  const other = parseRepository('other');
  const [lent] = await Promise.all([pushed.mount(other, digest, NAME, () => true), pushed.drop(NAME, digest)]);
  const blob = await pushed.find(other, digest);
  assert.equal(blob !== undefined, lent);
  if (blob !== undefined) assert.deepEqual(await gathered(blob.read()), bytes);
});

test('a collection leaves what a blob needs, and takes it when the blob is gone', async () => {
  const bytes = randomBytes(2_000_000);
  const digest = await put(bytes);
  const collected = async (): Promise<number> =>
    (await collect({ blobs, actor: 'test', graceMs: 0, exclusive: true })).deletedBytes;
  await collected();
  const blob = await pushed.find(NAME, digest);
  assert.deepEqual(await gathered(blob?.read() ?? assert.fail()), bytes);
  await pushed.delete(NAME, digest);
  assert((await collected()) >= bytes.byteLength);
});
