import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import type { BlobStore } from '../blob/blob-store.ts';
import { bodyOf, collect } from '../blob/bytes.ts';
import { observed } from '../blob/layers/observed.ts';
import { createLocalBlobStore } from '../blob/local.ts';
import { createMemoryBlobStore } from '../blob/memory.ts';
import { digestOf } from '../digest.ts';
import { type TestDirectory, testDirectory } from '../package/testing/fixtures.ts';
import { noise } from './conformance.ts';
import type { Recipe } from './content-store.ts';
import { packKey } from './locator.ts';
import { type RestoreJournal, type RestoreOptions, type RestoreTarget, restoreContents } from './restore.ts';
import type { LocalPieces } from './restore-plan.ts';
import { movedKey, writeMoved } from './sweep/moved.ts';
import { type HandmadeFile, type KnownPieces, storeByHand } from './testing/handmade.ts';
import { weights } from './testing/weights.ts';

/** Every kind of file: many pieces, one piece, tiny, empty, twice the same, pieces that repeat, coded ones. */
const KINDS: readonly HandmadeFile[] = [
  { path: 'large.bin', bytes: noise(3_000_001, 1), cut: 65_536 },
  { path: 'one-piece.bin', bytes: noise(1_500_000, 2) },
  { path: 'small.bin', bytes: noise(20_000, 3) },
  { path: 'sub/tiny', bytes: noise(3, 4) },
  { path: 'empty', bytes: noise(0, 0) },
  { path: 'twin.bin', bytes: noise(20_000, 3) },
  { path: 'zeros.bin', bytes: Buffer.alloc(2_000_000), cut: 10_000 },
  { path: 'coded.bin', bytes: weights(400_000, 5), cut: 65_536, coded: true },
  { path: 'coded-small.bin', bytes: weights(10_000, 6), coded: true },
  { path: 'large-twin.bin', bytes: noise(3_000_001, 1), cut: 65_536 },
];

async function targetsIn(directory: TestDirectory, recipe: Recipe, folder = 'out'): Promise<RestoreTarget[]> {
  const targets: RestoreTarget[] = [];
  for (const { path = '', digest } of recipe.contents) {
    const target = directory.join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    targets.push({ digest, path: target, name: path, mode: 0o640 });
  }
  return targets;
}

async function expectFiles(targets: readonly RestoreTarget[], files: readonly HandmadeFile[]): Promise<void> {
  for (const [n, { bytes }] of files.entries()) {
    const { path } = targets[n] ?? { path: '' };
    expect((await readFile(path)).equals(bytes), path).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o640);
  }
}

async function restored(
  directory: TestDirectory,
  blobs: BlobStore,
  recipe: Recipe,
  options: RestoreOptions & { readonly folder?: string } = {},
) {
  const targets = await targetsIn(directory, recipe, options.folder);
  return { targets, ...(await restoreContents(blobs, recipe, targets, options)) };
}

for (const [kind, open] of [
  ['in memory', () => createMemoryBlobStore()],
  ['in a directory', (directory: TestDirectory) => createLocalBlobStore(directory.join('store'))],
] as const) {
  test(`every kind of file comes back from a store ${kind}, with its mode and what tells it again`, async () => {
    await using directory = await testDirectory();
    const blobs = open(directory);
    const recipe = await storeByHand(blobs, 'u', KINDS);
    const { targets, files } = await restored(directory, blobs, recipe);
    await expectFiles(targets, KINDS);
    const found = await Promise.all(targets.map(({ path }) => stat(path)));
    expect(files).toEqual(found.map(({ mtimeMs, ctimeMs, ino }) => ({ mtimeMs, ctimeMs, ino })));
  });
}

test('what is fetched is what the contents have, once each, in far fewer requests than pieces', async () => {
  await using directory = await testDirectory();
  const inner = createMemoryBlobStore();
  const recipe = await storeByHand(inner, 'u', KINDS);
  let [requests, bytes] = [0, 0];
  const blobs = observed(inner, {
    before: () => {
      requests += 1;
    },
    piece: (_, piece) => {
      bytes += piece.byteLength;
      return piece;
    },
  });
  const { fetchedBytes } = await restored(directory, blobs, recipe);
  const distinct = 3_000_001 + 1_500_000 + 20_000 + 3 + 10_000 + 400_000 + 10_000;
  expect(fetchedBytes).toBe(bytes);
  expect(bytes).toBeLessThan(distinct + 40_000);
  expect(requests).toBeLessThan(12);
});

test('thousands of small files are written by threads and come back right', async () => {
  await using directory = await testDirectory();
  const blobs = createMemoryBlobStore();
  const files = Array.from({ length: 3000 }, (_, n) => ({ path: `f${n % 10}/${n}`, bytes: noise(50 + (n % 700), n) }));
  const recipe = await storeByHand(blobs, 'u', files);
  const { targets, fetchedBytes } = await restored(directory, blobs, recipe);
  await expectFiles(targets, files);
  expect(fetchedBytes).toBeLessThan(files.reduce((sum, { bytes }) => sum + bytes.byteLength, 0) + 400_000);
});

test('a file of 40 MiB goes through threads that hash it, whatever the order in which its ranges come', async () => {
  await using directory = await testDirectory();
  const blobs = createMemoryBlobStore();
  const files = [
    { path: 'big', bytes: Buffer.concat(Array.from({ length: 40 }, (_, n) => noise(1_048_576, n))), cut: 300_000 },
  ];
  const recipe = await storeByHand(blobs, 'u', files, { packBytes: 3_000_000 });
  const { targets } = await restored(directory, blobs, recipe);
  await expectFiles(targets, files);
});

/** Flips a bit of a pack: for ever, or for the first read of it only. */
function flipping(inner: BlobStore, at: number, times: number): BlobStore {
  let left = times;
  return {
    address: inner.address,
    capabilities: inner.capabilities,
    stat: (key, options) => inner.stat(key, options),
    write: (key, body, options) => inner.write(key, body, options),
    delete: (key, options) => inner.delete(key, options),
    list: (prefix, options) => inner.list(prefix, options),
    async *read(key, options) {
      let offset = options?.range?.start ?? 0;
      for await (const bytes of inner.read(key, options)) {
        const copy = Buffer.from(bytes);
        const here = at - offset;
        offset += copy.byteLength;
        if (key === packKey('u/0') && here >= 0 && here < copy.byteLength && left > 0) {
          left -= 1;
          copy[here] = (copy[here] ?? 0) ^ 4;
        }
        yield copy;
      }
    },
  };
}

const PLACES = [
  ['the beginning of a large file', 0, 'large.bin'],
  ['the middle of a large file', 1_500_000, 'large.bin'],
  ['the end of a large file', 3_000_000, 'large.bin'],
  ['a file of one piece', 3_700_000, 'one-piece.bin'],
  ['a small file', 4_500_001 + 10_000, 'small.bin'],
  ['a piece that repeats', 4_520_004 + 5_000, 'zeros.bin'],
  ['the header of a coded piece', 4_530_004 + 2, 'coded.bin'],
  ['the bytes of a coded piece', 4_530_004 + 40_000, 'coded.bin'],
] as const;

for (const [place, at, name] of PLACES) {
  test(`a bit flipped in ${place} is found and named, and the file is never finished`, async () => {
    await using directory = await testDirectory();
    const inner = createMemoryBlobStore();
    const recipe = await storeByHand(inner, 'u', KINDS, { packBytes: 64_000_000 });
    const targets = await targetsIn(directory, recipe);
    const failing = restoreContents(flipping(inner, at, Number.POSITIVE_INFINITY), recipe, targets);
    await expect(failing).rejects.toMatchObject({ code: 'integrity', details: { pack: 'u/0' } });
    await expect(failing).rejects.toThrow(name);
  });

  test(`a bit flipped once in ${place} is fetched again`, async () => {
    await using directory = await testDirectory();
    const inner = createMemoryBlobStore();
    const recipe = await storeByHand(inner, 'u', KINDS, { packBytes: 64_000_000 });
    const { targets } = await restored(directory, flipping(inner, at, 1), recipe);
    await expectFiles(targets, KINDS);
  });
}

test('a pack that is cut off, or gone, is an error that names file and pack', async () => {
  await using directory = await testDirectory();
  const inner = createMemoryBlobStore();
  const recipe = await storeByHand(inner, 'u', KINDS, { packBytes: 1_000_000 });
  const bytes = await collect(inner.read(packKey('u/1')));
  await inner.delete(packKey('u/1'));
  const gone = restoreContents(inner, recipe, await targetsIn(directory, recipe, 'gone'));
  await expect(gone).rejects.toMatchObject({ code: 'content-not-found', details: { pack: 'u/1' } });
  await expect(gone).rejects.toThrow('large.bin');
  await inner.write(packKey('u/1'), bodyOf(bytes.subarray(0, 500_000)));
  const cut = restoreContents(inner, recipe, await targetsIn(directory, recipe, 'cut'));
  await expect(cut).rejects.toMatchObject({ code: 'integrity', details: { pack: 'u/1' } });
});

test('a pack that was moved is read from where it went, in however many parts', async () => {
  await using directory = await testDirectory();
  const blobs = createMemoryBlobStore();
  const recipe = await storeByHand(blobs, 'u', KINDS, { packBytes: 64_000_000 });
  const bytes = await collect(blobs.read(packKey('u/0')));
  const half = 65_536 * 20;
  await blobs.write(packKey('gc/0'), bodyOf(Buffer.concat([Buffer.alloc(77), bytes.subarray(half)])));
  await blobs.write(packKey('gc/1'), bodyOf(bytes.subarray(0, half)));
  await blobs.delete(packKey('u/0'));
  await writeMoved(blobs, 'u/0', [
    { offset: 0, length: half, pack: 'gc/1', newOffset: 0 },
    { offset: half, length: bytes.byteLength - half, pack: 'gc/0', newOffset: 77 },
  ]);
  expect(await blobs.stat(movedKey('u/0'))).toBeDefined();
  const { targets } = await restored(directory, blobs, recipe);
  await expectFiles(targets, KINDS);
});

const V1: readonly HandmadeFile[] = [
  { path: 'big.bin', bytes: noise(4_000_000, 11), cut: 50_000 },
  { path: 'same.bin', bytes: noise(30_000, 12) },
];

function secondVersion(): readonly HandmadeFile[] {
  const big = Buffer.from(V1[0]?.bytes ?? []);
  noise(100_000, 99).copy(big, 2_000_000);
  return [
    { path: 'big.bin', bytes: big, cut: 50_000 },
    { path: 'same.bin', bytes: V1[1]?.bytes ?? big },
  ];
}

/** Two versions in a store, the first also on this machine, and what finds its pieces there. */
async function twoVersions(directory: TestDirectory) {
  const blobs = createMemoryBlobStore();
  const known: KnownPieces = new Map();
  const first = await storeByHand(blobs, 'v1', V1, { known });
  const second = await storeByHand(blobs, 'v2', secondVersion(), { known });
  const places = new Map<string, { path: string; offset: number }>();
  for (const { path, bytes, cut = bytes.byteLength } of V1) {
    await mkdir(directory.join('here'), { recursive: true });
    await writeFile(directory.join('here', path), bytes);
    for (let at = 0; at < bytes.byteLength; at += cut)
      places.set(digestOf(bytes.subarray(at, at + cut)), { path: directory.join('here', path), offset: at });
  }
  const sources: LocalPieces = { find: (digest) => places.get(digest) };
  return { blobs, first, second, sources };
}

test('pieces that lie on this machine are not fetched', async () => {
  await using directory = await testDirectory();
  const { blobs, second, sources } = await twoVersions(directory);
  const { targets, fetchedBytes, foundBytes } = await restored(directory, blobs, second, { sources });
  await expectFiles(targets, secondVersion());
  expect(fetchedBytes).toBeLessThan(100_000 + 20_000);
  expect(foundBytes).toBe(3_930_000);
});

test('a source on this machine that changed, is cut off or is gone costs bytes, never correctness', async () => {
  for (const damage of ['changed', 'cut', 'gone'] as const) {
    await using directory = await testDirectory();
    const { blobs, second, sources } = await twoVersions(directory);
    const broken = Buffer.from(V1[0]?.bytes ?? []);
    broken[1_234_567] = 1 ^ (broken[1_234_567] ?? 0);
    const away: LocalPieces = {
      find: (digest) => {
        const place = sources.find(digest);
        return damage === 'gone' && place ? { ...place, path: `${place.path}.gone` } : place;
      },
    };
    if (damage !== 'gone') {
      await writeFile(directory.join('here/big.bin'), damage === 'cut' ? broken.subarray(0, 1_000_000) : broken);
      await writeFile(directory.join('here/same.bin'), 'short');
    }
    const { targets } = await restored(directory, blobs, second, { sources: away });
    await expectFiles(targets, secondVersion());
  }
});

/** A journal in memory. */
class Journal implements RestoreJournal {
  readonly lines: [number, number, number][] = [];
  written(target: number) {
    return this.lines.filter(([n]) => n === target).map(([, from, to]) => [from, to] as const);
  }
  add(target: number, from: number, to: number) {
    this.lines.push([target, from, to]);
  }
}

test('an interrupted restore is gone on with: what was written is not fetched again', async () => {
  await using directory = await testDirectory();
  const inner = createMemoryBlobStore();
  const files = [...KINDS, { path: 'more.bin', bytes: noise(5_000_000, 21), cut: 65_536 }];
  const recipe = await storeByHand(inner, 'u', files, { packBytes: 500_000 });
  const journal = new Journal();
  const stopped = new AbortController();
  let fetched = 0;
  const blobs = observed(inner, {
    piece: (_, bytes) => {
      fetched += bytes.byteLength;
      if (fetched > 6_000_000) stopped.abort();
      return bytes;
    },
  });
  const targets = await targetsIn(directory, recipe);
  await expect(restoreContents(blobs, recipe, targets, { journal, signal: stopped.signal })).rejects.toMatchObject({
    code: 'interrupted',
  });
  const { fetchedBytes } = await restoreContents(inner, recipe, targets, { journal });
  await expectFiles(targets, files);
  expect(fetchedBytes).toBeLessThan(7_500_000);
});

test('a journal that promises too much only costs bytes', async () => {
  await using directory = await testDirectory();
  const blobs = createMemoryBlobStore();
  const recipe = await storeByHand(blobs, 'u', KINDS);
  const targets = await targetsIn(directory, recipe);
  const journal = new Journal();
  journal.add(0, 0, 3_000_001);
  journal.add(1, 0, 1_500_000);
  await writeFile(targets[0]?.path ?? '', Buffer.alloc(3_000_001));
  await writeFile(targets[1]?.path ?? '', Buffer.alloc(9_000_000));
  await writeFile(targets[2]?.path ?? '', 'wrong');
  await restoreContents(blobs, recipe, targets, { journal });
  await expectFiles(targets, KINDS);
});

test('a file that stands where one is to be made is never overwritten', async () => {
  await using directory = await testDirectory();
  const blobs = createMemoryBlobStore();
  const recipe = await storeByHand(blobs, 'u', KINDS);
  for (const n of [0, 2]) {
    const targets = await targetsIn(directory, recipe, `out-${n}`);
    const path = targets[n]?.path ?? '';
    await writeFile(path, 'mine');
    await expect(restoreContents(blobs, recipe, targets)).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await readFile(path, 'utf8')).toBe('mine');
  }
});

test('an interrupted restore leaves no thread and no open file behind', async () => {
  await using directory = await testDirectory();
  const blobs = createMemoryBlobStore();
  const recipe = await storeByHand(blobs, 'u', KINDS);
  const before = (await readdir('/proc/self/fd')).length;
  const signal = AbortSignal.abort();
  await expect(restored(directory, blobs, recipe, { signal })).rejects.toMatchObject({ code: 'interrupted' });
  expect((await readdir('/proc/self/fd')).length).toBeLessThanOrEqual(before + 1);
});
