import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLocalBlobStore } from './blob/local.ts';
import { compileForChild } from './blob/testing/child.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { noise } from './content/conformance.ts';
import { createStore } from './content/store-format.ts';
import { openPackageCache } from './package/cache.ts';
import { type TestDirectory, testDirectory } from './package/testing/fixtures.ts';
import { type PulledBytes, pull, pullToCache } from './pull.ts';
import { abandonedPulls } from './pull-output.ts';
import { push } from './push.ts';
import { openLogRegistry } from './registry/open.ts';

const run = promisify(execFile);
const FILES: Readonly<Record<string, Buffer>> = {
  'src/model.bin': noise(3_000_000, 1),
  'src/one.bin': noise(300_000, 2),
  'src/deep/tokenizer.json': Buffer.from('{}'),
  'src/deep/a.txt': Buffer.from('a'.repeat(5000)),
  'src/setup.sh': Buffer.from('#!/bin/sh\n'),
};
const TOTAL = Object.values(FILES).reduce((sum, { byteLength }) => sum + byteLength, 0);
let build = '';
let puller = '';

beforeAll(async () => {
  build = await mkdtemp(join(tmpdir(), 'ingot-puller-'));
  puller = await compileForChild(new URL('./pull-child.ts', import.meta.url), build);
});

afterAll(async () => {
  await rm(build, { recursive: true, force: true });
});

interface Pulled {
  readonly path: string;
  readonly pieces: number;
  readonly bytes: PulledBytes;
}

/** Runs a process that pulls; undefined when it was killed. */
async function child(
  directory: TestDirectory,
  cache: string,
  fault: string,
  ...output: readonly string[]
): Promise<Pulled | undefined> {
  try {
    const { stdout } = await run(process.execPath, [puller, directory.join('store'), cache, fault, ...output]);
    return JSON.parse(stdout);
  } catch (error) {
    if (error instanceof Error && 'signal' in error && error.signal === 'SIGKILL') return undefined;
    throw error;
  }
}

async function storeIn(directory: TestDirectory) {
  await directory.write(FILES);
  await chmod(directory.join('src', 'setup.sh'), 0o755);
  const blobs = createLocalBlobStore(directory.join('store'));
  await createStore(blobs);
  const registry = openLogRegistry({ blobs, actor: 'test' });
  const contents = createBlobContentStore(blobs);
  await push(directory.join('src'), { registry, contents, name: 'm' });
  return { registry, contents };
}

async function expectWhole(path: string): Promise<void> {
  for (const [name, bytes] of Object.entries(FILES))
    expect((await readFile(join(path, name.slice('src/'.length)))).equals(bytes), name).toBe(true);
}

const isPackage = (name: string): boolean => /^[0-9a-f]{64}$/.test(name);

test('kill -9 on the way of a fetch leaves no half of a package, and the next fetch goes on and leaves nothing over', async () => {
  await using directory = await testDirectory();
  await storeIn(directory);
  const whole = await child(directory, directory.join('whole'), 'none');
  const pieces = whole?.pieces ?? 0;
  expect(pieces).toBeGreaterThan(40);
  for (let step = 1; step <= pieces; step += step < 8 ? 1 : 7) {
    const place = directory.join(`cache-${step}`);
    expect(await child(directory, place, `piece:${step}`)).toBeUndefined();
    const names = await readdir(join(place, 'packages')).catch((): string[] => []);
    expect(names.filter(isPackage)).toEqual([]);
    const found = await child(directory, place, 'none');
    await expectWhole(found?.path ?? '');
    expect(await readdir(join(place, 'packages'))).toHaveLength(1);
  }
});

test('a pull that was killed near its end goes on there: what it has is not fetched again', async () => {
  await using directory = await testDirectory();
  const store = await storeIn(directory);
  const pieces = (await child(directory, directory.join('calm'), 'none', directory.join('calm-out')))?.pieces ?? 0;
  expect(await child(directory, directory.join('cache'), `piece:${pieces - 8}`, directory.join('out'))).toBeUndefined();
  await expect(stat(directory.join('out'))).rejects.toThrow();
  const again = await child(directory, directory.join('cache'), 'none', directory.join('out'));
  expect(again?.bytes.total).toBe(TOTAL);
  expect(again?.bytes.found).toBeGreaterThan(TOTAL * 0.4);
  expect(again?.bytes.fetched).toBeLessThan(TOTAL * 0.6);
  await expectWhole(directory.join('out'));
  expect((await readdir(directory.path)).filter((name) => name.includes('.pulling'))).toEqual([]);
  expect((await pull('m', { ...store, output: directory.join('out') })).existed).toBe(true);
});

test('processes that fetch one package at once, some of them killed, end with one whole package, brought about once', async () => {
  await using directory = await testDirectory();
  await storeIn(directory);
  const place = directory.join('cache');
  const faults = ['none', 'read:1', 'none', 'piece:3', 'none', 'piece:20', 'none', 'none'];
  const found = (await Promise.all(faults.map((fault) => child(directory, place, fault)))).filter(
    (pulled) => pulled !== undefined,
  );
  expect(found.length).toBeGreaterThanOrEqual(5);
  expect(new Set(found.map(({ path }) => path)).size).toBe(1);
  await expectWhole(found[0]?.path ?? '');
  expect(found.reduce((sum, { bytes }) => sum + bytes.fetched, 0)).toBeLessThan(TOTAL * 1.5);
  expect(await readdir(join(place, 'packages'))).toHaveLength(1);
});

test('processes that pull into one directory at once end with one whole directory', async () => {
  await using directory = await testDirectory();
  await storeIn(directory);
  const output = directory.join('out');
  const pulls = await Promise.allSettled(
    Array.from({ length: 4 }, () => child(directory, directory.join('cache'), 'none', output)),
  );
  expect(pulls.some(({ status }) => status === 'fulfilled')).toBe(true);
  await expectWhole(output);
  expect((await readdir(directory.path)).sort()).toEqual(['cache', 'out', 'src', 'store']);
});

test('what a killed pull of another version left is removed', async () => {
  await using directory = await testDirectory();
  const store = await storeIn(directory);
  const output = directory.join('out');
  expect(await child(directory, directory.join('cache'), 'piece:10', output)).toBeUndefined();
  const left = (await readdir(directory.path)).filter((name) => name.endsWith('.pulling'));
  expect(left).toHaveLength(1);
  const now = () => new Date();
  expect(await abandonedPulls(directory.path, now)).toEqual(left.map((name) => directory.join(name)));
  await directory.write({ 'src/deep/tokenizer.json': '{"version": 2}' });
  await push(directory.join('src'), { ...store, name: 'm' });
  await using cache = openPackageCache({ directory: directory.join('cache') });
  await pull('m:2', { ...store, output, cache });
  expect(await abandonedPulls(directory.path, now)).toEqual([]);
  await pullToCache('m:1', { ...store, cache });
});
