import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { keysOf } from '../blob/conformance/case.ts';
import { createLocalBlobStore } from '../blob/local.ts';
import { collect } from '../collect.ts';
import { type PushOptions, push } from '../push.ts';
import { parseModelName } from '../ref.ts';
import { openLogRegistry } from '../registry/open.ts';
import { createBlobContentStore } from './blob-content-store.ts';
import { noise } from './conformance.ts';
import { packKey } from './locator.ts';
import { createStore } from './store-format.ts';
import { weights } from './testing/weights.ts';

const READER = fileURLToPath(new URL('../../../../tools/ingot_reader.py', import.meta.url));
const ODD_NUMBERS = [
  0.1 + 0.2,
  1e21,
  123456789012345680000,
  1e-7,
  0.000001,
  5e-324,
  1.7976931348623157e308,
  -0,
  -1.5,
  100,
  2 ** 53,
  4.35,
  1e16,
];

let base = '';
let store = '';

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'ingot-reader-'));
  store = join(base, 'store');
  await fillStore();
});

afterAll(async () => {
  await rm(base, { recursive: true, force: true });
});

async function fillStore(): Promise<void> {
  await createStore(createLocalBlobStore(store));
  await writePackage('v1', 1);
  await writePackage('v2', 2);
  await writePackage('many', 3);
  await mkdir(join(base, 'many/shards/deep'), { recursive: true });
  for (let n = 0; n < 1100; n += 1) await writeFile(join(base, `many/shards/deep/${n}.txt`), `shard ${n}`);
  await writeFile(join(base, 'many/shards/run.sh'), '#!/bin/sh\n');
  await chmod(join(base, 'many/shards/run.sh'), 0o755);
  const churn = parseModelName('team/churn');
  await pushTo(churn, 'v1', {
    label: '1.0.0',
    metrics: Object.fromEntries(ODD_NUMBERS.map((number, n) => [`m${n}`, number])),
  });
  await pushTo(churn, 'v2', {
    tags: { ' "quoted"\u2028\n': '🦊 größe', '\ufffd': 'x', '🦊': 'y' },
    message: 'the \u0007 second',
  });
  await pushTo('many', 'many', { captured: { params: { 'z.a': [1, { b: null }], A: 1e-9, ä: 1 } } });
  const registry = openLogRegistry({ blobs: createLocalBlobStore(store), actor: 'test' });
  await registry.setAlias(churn, 'production', 1);
  await registry.setAlias(churn, 'staging', 2);
  await registry.retire({ name: churn, selector: { kind: 'version', number: 2 } });
  await registry.rename(churn, parseModelName('churn'));
}

async function writePackage(name: string, seed: number): Promise<void> {
  const directory = join(base, name);
  await mkdir(join(directory, 'folder/größe 🦊'), { recursive: true });
  await writeFile(join(directory, 'model.bin'), noise(2_500_000, seed));
  await writeFile(join(directory, 'folder/größe 🦊/notes.txt'), 'the same in all versions');
  await writeFile(join(directory, 'folder/empty'), '');
  await writeFile(join(directory, 'setup.sh'), '#!/bin/sh\n');
  await chmod(join(directory, 'setup.sh'), 0o755);
}

async function pushTo(name: string, directory: string, options: Partial<PushOptions>): Promise<void> {
  const blobs = createLocalBlobStore(store);
  const contents = createBlobContentStore(blobs, { packBytes: 1_000_000 });
  await using registry = openLogRegistry({ blobs, actor: 'test' });
  await push(join(base, directory), { registry, contents, name, ...options });
}

function read(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile('python3', ['-I', '-B', READER, ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

async function treeOf(directory: string): Promise<Map<string, { mode: number; bytes: Buffer }>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const tree = new Map<string, { mode: number; bytes: Buffer }>();
  for (const entry of entries.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name);
    tree.set(relative(directory, path), { mode: (await stat(path)).mode & 0o111, bytes: await readFile(path) });
  }
  return new Map([...tree].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function damagedCopy(name: string, damage: (directory: string) => Promise<void>): Promise<string> {
  const directory = join(base, name);
  await cp(store, directory, { recursive: true });
  await damage(directory);
  return directory;
}

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await rm(path);
  await writeFile(path, bytes);
}

async function churnLog(directory: string): Promise<string> {
  const id = (await readdir(join(directory, 'models'))).find((name) => name.startsWith('team-churn-'));
  assert.ok(id);
  return join(directory, 'models', id, 'log');
}

describe('the Python reader', () => {
  for (const [reference, source] of [
    ['churn:1', 'v1'],
    ['churn:1.0.0', 'v1'],
    ['churn@production', 'v1'],
    ['churn', 'v1'],
    ['churn:2', 'v2'],
    ['churn@staging', 'v2'],
    ['many', 'many'],
  ] as const) {
    test(`rebuilds ${reference} byte for byte`, async () => {
      const output = join(base, `out-${reference.replace(/\W/g, '-')}`);
      const { code, stderr } = await read(store, 'get', reference, '-o', output);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
      assert.deepEqual(await treeOf(output), await treeOf(join(base, source)));
    });
  }

  test('lists models, versions, labels, aliases and what is retired', async () => {
    const { stdout } = await read(store, 'ls');
    assert.match(
      stdout,
      /^churn:1 {2}1\.0\.0 {2}\S+Z {2}@production\nchurn:2 {2}- {2}\S+Z {2}@staging retired\nmany:1 {2}- {2}\S+Z\n$/,
    );
    const models: { name: string; aliases: object }[] = JSON.parse((await read(store, 'ls', '--json')).stdout);
    assert.deepEqual(
      models.map(({ name, aliases }) => ({ name, aliases })),
      [
        { name: 'churn', aliases: { production: 1, staging: 2 } },
        { name: 'many', aliases: {} },
      ],
    );
  });

  test('finds a whole store whole', async () => {
    assert.deepEqual(await read(store, 'check'), { code: 0, stdout: '3 versions, all whole\n', stderr: '' });
  });

  test('says what there is not, and leaves nothing behind', async () => {
    for (const reference of ['nothing', 'churn:9', 'churn@canary', 'churn:2.0.0']) {
      assert.equal((await read(store, 'get', reference, '-o', join(base, 'never'))).code, 3, reference);
    }
    assert.equal((await read(join(base, 'v1'), 'ls')).code, 3);
    await assert.rejects(stat(join(base, 'never')));
  });

  test('does not write into a directory that holds something', async () => {
    assert.equal((await read(store, 'get', 'churn:1', '-o', join(base, 'v1'))).code, 5);
  });

  test('refuses a bit flipped in a pack, and writes nothing', async () => {
    const directory = await damagedCopy('flipped', async (copy) => {
      for (const upload of await readdir(join(copy, 'packs'))) await flip(join(copy, packKey(`${upload}/1`)), 1000);
    });
    const { code, stderr } = await read(directory, 'get', 'churn:1', '-o', join(base, 'never'));
    assert.equal(code, 8);
    assert.match(stderr, /model\.bin .* is damaged in pack/);
    await assert.rejects(stat(join(base, 'never')));
    assert.equal((await read(directory, 'check')).code, 8);
  });

  test('refuses an event that was changed, one that is missing, and one put in its place', async () => {
    const changed = await damagedCopy('changed', async (copy) => {
      const path = join(await churnLog(copy), '0000000001.json');
      await writeFile(path, String(await readFile(path)).replace('"1.0.0"', '"9.9.9"'));
    });
    const missing = await damagedCopy('missing', async (copy) => rm(join(await churnLog(copy), '0000000002.json')));
    const replaced = await damagedCopy('replaced', async (copy) => {
      const log = await churnLog(copy);
      await cp(join(log, '0000000003.json'), join(log, '0000000002.json'));
    });
    for (const directory of [changed, missing, replaced])
      assert.equal((await read(directory, 'ls')).code, 8, directory);
  });

  test('reads a store written without hard links', async () => {
    const directory = join(base, 'no-links');
    const target = createLocalBlobStore(directory, { hardLinks: 'never' });
    const from = createLocalBlobStore(store);
    for await (const { key, sizeBytes } of from.list(''))
      await target.write(key, { sizeBytes, open: () => from.read(key) });
    assert.equal((await read(directory, 'check')).code, 0);
    assert.equal((await read(directory, 'get', 'churn:1', '-o', join(base, 'out-no-links'))).code, 0);
    assert.deepEqual(await treeOf(join(base, 'out-no-links')), await treeOf(join(base, 'v1')));
  });

  test('rebuilds coded pieces, also those that a collection has moved, and refuses one that is damaged', async () => {
    const directory = join(base, 'coded');
    const blobs = createLocalBlobStore(directory);
    await createStore(blobs);
    await writeWeights('w1', 1_500_000);
    await writeWeights('w2', 400_000);
    const contents = createBlobContentStore(blobs, { packBytes: 1_000_000, coding: 'planes4-deflate' });
    await using registry = openLogRegistry({ blobs, actor: 'test' });
    for (const version of ['w1', 'w2']) await push(join(base, version), { registry, contents, name: 'w' });
    assert.ok((await packBytes(directory)) < 1_900_000 * 0.9);
    for (const [n, version] of ['w1', 'w2'].entries()) await rebuilds(directory, `w:${n + 1}`, version);

    await registry.deleteVersion({ name: parseModelName('w'), selector: { kind: 'version', number: 1 } });
    // Everything is written again each time: what was moved is moved once more.
    for (let run = 0; run < 3; run += 1)
      await collect({ blobs, actor: 'test', graceMs: 0, repackBelow: 1, repackAtLeastBytes: 0 });
    const keys = await keysOf(blobs, 'packs/');
    const moved = keys.filter((key) => key.endsWith('.moved'));
    assert.ok(
      moved.length > 0 && moved.some((key) => key.includes('/gc-') && !keys.includes(key.replace(/moved$/, 'pack'))),
      String(keys),
    );
    await rebuilds(directory, 'w:2', 'w2');

    for (const key of keys.filter((key) => key.endsWith('.pack'))) await flip(join(directory, key), 5000);
    assert.equal((await read(directory, 'check')).code, 8);
  });
});

/** A package whose weights, of so many bytes, end as those of all others do. */
async function writeWeights(name: string, sizeBytes: number): Promise<void> {
  await mkdir(join(base, name), { recursive: true });
  await writeFile(join(base, name, 'model.bin'), weights(1_500_000, 1).subarray(1_500_000 - sizeBytes));
}

async function packBytes(directory: string): Promise<number> {
  let bytes = 0;
  for await (const { sizeBytes } of createLocalBlobStore(directory).list('packs/')) bytes += sizeBytes;
  return bytes;
}

async function rebuilds(directory: string, reference: string, source: string): Promise<void> {
  const output = await mkdtemp(join(base, 'rebuilt-'));
  const { code, stderr } = await read(directory, 'get', reference, '-o', output);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  assert.deepEqual(await treeOf(output), await treeOf(join(base, source)));
}
