import { chmod, cp, lstat, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { observed } from './blob/layers/observed.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { noise } from './content/conformance.ts';
import { createStore } from './content/store-format.ts';
import { IngotError } from './errors.ts';
import { openPackageCache } from './package/cache.ts';
import { type TestDirectory, testDirectory } from './package/testing/fixtures.ts';
import { pull, pullToCache } from './pull.ts';
import { push } from './push.ts';
import { openLogRegistry } from './registry/open.ts';

const WEIGHTS = noise(2_000_000, 1);

/** Two versions of a model, the second with 20,000 bytes of its weights changed, in a store that counts what is read. */
async function twoVersions(directory: TestDirectory) {
  const inner = createMemoryBlobStore();
  await createStore(inner);
  const counts = { bytes: 0, requests: 0 };
  let fail: (() => void) | undefined;
  const blobs = observed(inner, {
    before: ({ operation, key }) => {
      if (operation === 'read' && key.startsWith('packs/')) counts.requests += 1;
    },
    piece: ({ key }, bytes) => {
      if (key.startsWith('packs/')) counts.bytes += bytes.byteLength;
      fail?.();
      return bytes;
    },
  });
  const store = { registry: openLogRegistry({ blobs, actor: 'test' }), contents: createBlobContentStore(blobs) };
  await directory.write({ 'src/model.bin': WEIGHTS, 'src/notes/a.txt': 'a', 'src/run.sh': '#!/bin/sh\n' });
  await chmod(directory.join('src/run.sh'), 0o755);
  await push(directory.join('src'), { ...store, name: 'm' });
  const changed = Buffer.from(WEIGHTS);
  noise(20_000, 2).copy(changed, 900_000);
  await directory.write({ 'src/model.bin': changed });
  await push(directory.join('src'), { ...store, name: 'm' });
  counts.bytes = 0;
  return {
    store,
    counts,
    changed,
    failWith: (work: (() => void) | undefined) => {
      fail = work;
    },
  };
}

test('a version whose forerunner is in the cache is fetched by what differs', async () => {
  await using directory = await testDirectory();
  const { store, counts, changed } = await twoVersions(directory);
  await using cache = openPackageCache({ directory: directory.join('cache') });
  const first = await pullToCache('m:1', { ...store, cache });
  expect(first.bytes).toMatchObject({ total: WEIGHTS.byteLength + 11, found: 0 });
  counts.bytes = 0;
  const second = await pullToCache('m:2', { ...store, cache });
  expect(second.bytes.found).toBeGreaterThan(1_600_000);
  expect(second.bytes.fetched).toBeLessThan(400_000);
  expect(counts.bytes).toBeLessThan(400_000);
  expect((await readFile(join(second.path, 'model.bin'))).equals(changed)).toBe(true);
});

test('a version whose forerunner was pulled into a directory is fetched by what differs, unless that was changed', async () => {
  await using directory = await testDirectory();
  const { store, changed } = await twoVersions(directory);
  await using cache = openPackageCache({ directory: directory.join('cache') });
  await pull('m:1', { ...store, cache, output: directory.join('one') });
  const second = await pull('m:2', { ...store, cache, output: directory.join('two') });
  expect(second.bytes.fetched).toBeLessThan(400_000);
  expect((await readFile(directory.join('two/model.bin'))).equals(changed)).toBe(true);
  const edited = Buffer.from(WEIGHTS);
  edited[5] = 1 ^ (edited[5] ?? 0);
  const { mtime } = await stat(directory.join('one/model.bin'));
  await writeFile(directory.join('one/model.bin'), edited);
  await rm(directory.join('two'), { recursive: true });
  await utimes(directory.join('one/model.bin'), mtime, mtime);
  await pull('m:2', { ...store, cache, output: directory.join('two') });
  expect((await readFile(directory.join('two/model.bin'))).equals(changed)).toBe(true);
});

test('a package in the cache is written to a directory without asking the store, verified', async () => {
  await using directory = await testDirectory();
  const { store, counts } = await twoVersions(directory);
  await using cache = openPackageCache({ directory: directory.join('cache') });
  const { path } = await pullToCache('m:1', { ...store, cache });
  counts.requests = 0;
  const out = await pull('m:1', { ...store, cache, output: directory.join('out') });
  expect([counts.requests, out.bytes.fetched, out.bytes.found]).toEqual([0, 0, out.bytes.total]);
  expect((await stat(directory.join('out/run.sh'))).mode & 0o777).toBe(0o755);
  expect((await stat(directory.join('out/model.bin'))).mode & 0o777).toBe(0o644);
  expect((await pull('m:1', { ...store, cache, output: directory.join('out') })).existed).toBe(true);
  const file = join(path, 'model.bin');
  const { mtime } = await stat(file);
  const bytes = await readFile(file);
  bytes[77] = 1 ^ (bytes[77] ?? 0);
  await chmod(file, 0o644);
  await writeFile(file, bytes);
  await utimes(file, mtime, mtime);
  const again = await pull('m:1', { ...store, cache, output: directory.join('again') });
  expect((await readFile(directory.join('again/model.bin'))).equals(WEIGHTS)).toBe(true);
  expect(again.bytes.fetched).toBeGreaterThan(0);
});

test('hard links bring the package into the cache, are read-only, and leave the cache whole', async () => {
  await using directory = await testDirectory();
  const { store, counts } = await twoVersions(directory);
  await using cache = openPackageCache({ directory: directory.join('cache') });
  const out = await pull('m:1', { ...store, cache, output: directory.join('out'), link: 'hard' });
  const cached = await pullToCache('m:1', { ...store, cache });
  const [here, there] = await Promise.all([
    lstat(directory.join('out/model.bin')),
    lstat(join(cached.path, 'model.bin')),
  ]);
  expect([here.ino, here.mode & 0o777, here.nlink]).toEqual([there.ino, 0o444, 2]);
  expect([cached.existed, out.existed]).toEqual([true, false]);
  counts.requests = 0;
  await using other = openPackageCache({ directory: directory.join('cache') });
  expect((await pullToCache('m:1', { ...store, cache: other })).existed).toBe(true);
  expect(counts.requests).toBe(0);
});

test('reflinks that a file system cannot make are an error only when they were asked for', async () => {
  await using directory = await testDirectory();
  const { store } = await twoVersions(directory);
  await using cache = openPackageCache({ directory: directory.join('cache') });
  const options = { ...store, cache, output: directory.join('out') };
  const made = await pull('m:1', { ...options, link: 'reflink' }).catch((error: unknown) => error);
  if (made instanceof Error)
    expect(made).toMatchObject({
      code: 'usage',
      message: `${directory.join('out')} cannot have reflinks of the cache`,
      hint: expect.stringContaining('--link copy'),
    });
  expect((await readdir(directory.path)).filter((name) => name.endsWith('.pulling'))).toEqual([]);
  await rm(directory.join('out'), { recursive: true, force: true });
  await pull('m:1', { ...options, link: 'auto' });
  expect((await readFile(directory.join('out/model.bin'))).equals(WEIGHTS)).toBe(true);
});

test('a cache that was copied is read once and trusted again; one file changed in it is found', async () => {
  await using directory = await testDirectory();
  const { store, counts } = await twoVersions(directory);
  await using cache = openPackageCache({ directory: directory.join('cache') });
  const { path } = await pullToCache('m:1', { ...store, cache });
  await cp(directory.join('cache'), directory.join('copy'), { recursive: true, preserveTimestamps: true });
  counts.requests = 0;
  await using copy = openPackageCache({ directory: directory.join('copy') });
  const found = await pullToCache('m:1', { ...store, cache: copy });
  expect([found.existed, counts.requests]).toEqual([true, 0]);
  await cp(directory.join('cache'), directory.join('bad'), { recursive: true, preserveTimestamps: true });
  const file = path.replace(directory.join('cache'), directory.join('bad'));
  const { mtime } = await stat(join(file, 'model.bin'));
  await chmod(join(file, 'model.bin'), 0o644);
  await writeFile(join(file, 'model.bin'), noise(WEIGHTS.byteLength, 9));
  await utimes(join(file, 'model.bin'), mtime, mtime);
  await using bad = openPackageCache({ directory: directory.join('bad') });
  expect((await pullToCache('m:1', { ...store, cache: bad })).existed).toBe(false);
});

test('verifying finds a bit that the disk lost, removes the package, and says when the others were read', async () => {
  await using directory = await testDirectory();
  const { store } = await twoVersions(directory);
  let now = new Date('2026-01-01T00:00:00Z');
  await using cache = openPackageCache({ directory: directory.join('cache'), clock: () => now });
  const first = await pullToCache('m:1', { ...store, cache });
  await pullToCache('m:2', { ...store, cache });
  now = new Date('2026-02-01T00:00:00Z');
  expect((await cache.verify()).map(({ damaged }) => damaged)).toEqual([[], []]);
  expect((await cache.list()).map(({ verifiedAt }) => verifiedAt)).toEqual([now.toISOString(), now.toISOString()]);
  expect(await cache.verify({ before: now })).toEqual([]);
  const file = join(first.path, 'model.bin');
  const { mtime } = await stat(file);
  await chmod(file, 0o644);
  const bytes = await readFile(file);
  bytes[1_000_000] = 1 ^ (bytes[1_000_000] ?? 0);
  await writeFile(file, bytes);
  await utimes(file, mtime, mtime);
  expect((await cache.verify()).flatMap(({ damaged }) => damaged)).toEqual(['model.bin']);
  expect(await cache.list()).toHaveLength(1);
});

test('a pull that loses the network goes on where it was, and one that fails otherwise leaves nothing', async () => {
  await using directory = await testDirectory();
  const { store, failWith } = await twoVersions(directory);
  const output = directory.join('out');
  const left = async () => (await readdir(directory.path)).filter((name) => name.endsWith('.pulling')).length;
  for (const [code, stays] of [
    ['unavailable', 1],
    ['forbidden', 0],
  ] as const) {
    let pieces = 0;
    failWith(() => {
      pieces += 1;
      if (pieces > 6) throw new IngotError(code, 'away');
    });
    await expect(pull('m:1', { ...store, output })).rejects.toMatchObject({ code });
    expect(await left()).toBe(stays);
    failWith(undefined);
    await pull('m:1', { ...store, output });
    expect(await left()).toBe(0);
    await rm(output, { recursive: true });
  }
});
