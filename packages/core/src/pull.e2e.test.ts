import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLocalBlobStore } from './blob/local.ts';
import { compileForChild } from './blob/testing/child.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { createStore } from './content/store-format.ts';
import { openPackageCache } from './package/cache.ts';
import { type TestDirectory, testDirectory } from './package/testing/fixtures.ts';
import { pullToCache } from './pull.ts';
import { push } from './push.ts';
import { openLogRegistry } from './registry/open.ts';

const run = promisify(execFile);
const FILES: Readonly<Record<string, Buffer>> = {
  'src/model.bin': Buffer.alloc(300_000, 'model'),
  'src/deep/tokenizer.json': Buffer.from('{}'),
  'src/setup.sh': Buffer.from('#!/bin/sh\n'),
};
let build = '';
let puller = '';

beforeAll(async () => {
  build = await mkdtemp(join(tmpdir(), 'ingot-puller-'));
  puller = await compileForChild(new URL('./pull-child.ts', import.meta.url), build);
});

afterAll(async () => {
  await rm(build, { recursive: true, force: true });
});

/** Runs a process that fetches; undefined when it was killed. */
async function child(directory: TestDirectory, cache: string, fault: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(process.execPath, [puller, directory.join('store'), cache, fault]);
    return JSON.parse(stdout).path;
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
    expect(await readFile(join(path, name.slice('src/'.length)))).toEqual(bytes);
}

const isPackage = (name: string): boolean => /^[0-9a-f]{64}$/.test(name);

test('kill -9 at every piece of a fetch leaves no half of a package, and what is left over is swept', async () => {
  await using directory = await testDirectory();
  const store = await storeIn(directory);
  let killed = 0;
  for (let step = 1; ; step++) {
    const place = directory.join(`cache-${step}`);
    if ((await child(directory, place, `piece:${step}`)) !== undefined) break;
    killed++;
    const names = await readdir(join(place, 'packages')).catch(() => []);
    expect(names.filter(isPackage)).toEqual([]);
    await using cache = openPackageCache({ directory: place });
    const found = await pullToCache('m', { ...store, cache });
    await expectWhole(found.path);
    for (const name of names) await utimes(join(place, 'packages', name), 0, 0);
    await cache.prune();
    expect(await readdir(join(place, 'packages'))).toHaveLength(1);
  }
  expect(killed).toBeGreaterThan(5);
});

test('processes that fetch one package at once, some of them killed, end with one whole package', async () => {
  await using directory = await testDirectory();
  await storeIn(directory);
  const place = directory.join('cache');
  const faults = ['none', 'read:1', 'none', 'piece:3', 'none', 'piece:6', 'none', 'none'];
  const paths = await Promise.all(faults.map((fault) => child(directory, place, fault)));
  const found = paths.filter((path) => path !== undefined);
  expect(found.length).toBeGreaterThanOrEqual(5);
  expect(new Set(found).size).toBe(1);
  await expectWhole(found[0] ?? '');
  const names = await readdir(join(place, 'packages'));
  expect(names.filter(isPackage)).toHaveLength(1);
  expect(names.length).toBeLessThanOrEqual(1 + faults.length - found.length);
});
