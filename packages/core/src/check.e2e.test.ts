import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { BlobStore } from './blob/blob-store.ts';
import { bodyOf, collect as bytesOf } from './blob/bytes.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import { check } from './check.ts';
import { damageError } from './check-report.ts';
import { repair } from './check-repair.ts';
import { collect } from './collect.ts';
import { randomOf } from './seeded-random.ts';
import { pushOnce } from './collect-trial-push.ts';
import { createStore, detachStore, openStore } from './content/store-format.ts';
import { publishList } from './content/sweep/condemned.ts';
import { movedKey } from './content/sweep/moved.ts';
import type { ProgressEvent } from './progress.ts';
import { parseModelName } from './ref.ts';
import { openLogRegistry } from './registry/open.ts';

const CHURN = parseModelName('churn');

/** A store with versions, aliases, heads, and whatever `events` more make; ids follow from a counter. */
async function storeOf(versions: number, events = 0): Promise<BlobStore> {
  const blobs = createMemoryBlobStore();
  await createStore(blobs);
  const registry = openLogRegistry({ blobs, actor: 'test' });
  const random = randomOf(7);
  for (let n = 1; n <= versions; n += 1) {
    const upload = `upload-${n}`;
    const tools = { blobs, registry, name: CHURN, upload, random, packsOfTheDead: [], now: () => new Date() };
    await pushOnce({ ...tools, releasesEarly: false });
  }
  for (let n = 0; n < events; n += 1) await registry.setAlias(CHURN, 'production', 1 + (n % versions));
  return blobs;
}

async function keysOf(blobs: BlobStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of blobs.list('')) keys.push(key);
  return keys;
}

async function replace(blobs: BlobStore, key: string, bytes: Uint8Array): Promise<void> {
  await blobs.delete(key);
  await blobs.write(key, bodyOf(bytes));
}

function flipped(bytes: Uint8Array, bit: number): Buffer {
  const other = Buffer.from(bytes);
  other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return other;
}

describe('a check', () => {
  test('of a whole store finds nothing, and says how much it looked at', async () => {
    const blobs = await storeOf(5, 10);
    const structure = await check({ blobs });
    assert.deepEqual([structure.ok, structure.damage, structure.checked.bytes], [true, [], 0]);
    const all = await check({ blobs, readData: true, threads: 0 });
    assert.equal(all.ok, true);
    assert.equal(damageError(all), undefined);
    assert.deepEqual([all.checked.logs, all.checked.versions, all.checked.packs], [2, 5, 5]);
    assert.ok(all.checked.bytes > 1000);
  });

  test('names the versions whose history is damaged, also those that no event tells of any more', async () => {
    const blobs = await storeOf(4, 1);
    const logged = (await keysOf(blobs)).filter((key) => key.includes('models/') && key.includes('/log/'));
    const second = logged.find((key) => key.endsWith('0000000002.json')) ?? '';
    await replace(blobs, second, flipped(await bytesOf(blobs.read(second)), 400));
    const { versions, notes } = await check({ blobs });
    assert.deepEqual(
      versions.map(({ ref, hurt }) => `${ref} ${hurt}`),
      [1, 2, 3, 4].map((number) => `churn:${number} history`),
    );
    // What only the damaged event names is not told to be waste.
    assert.ok(notes.every(({ what }) => !what.includes('ingot gc')));
    const names = (await keysOf(blobs)).find((key) => key.startsWith('names/log/')) ?? '';
    await blobs.delete(names);
    await blobs.write(names, bodyOf('x'));
    assert.match((await check({ blobs })).versions[0]?.ref ?? '', /^churn-[0-9a-f]+:1$/);
  });

  test('remarks on files that others put into a store, wherever they lie', async () => {
    const blobs = await storeOf(1);
    for (const key of ['a.txt', 'models.txt', 'other/b', 'zebra', 'packs/readme']) await blobs.write(key, bodyOf('x'));
    const { ok, notes } = await check({ blobs });
    assert.equal(ok, true);
    assert.deepEqual(
      notes.map(({ what, count }) => [what, count]),
      [
        ['files that are none of a store', 4],
        ['files among the packs that are none', 1],
      ],
    );
  });

  test('finds one flipped bit in every one of 1,000 objects', async () => {
    const blobs = await storeOf(60, 1100);
    const keys = await keysOf(blobs);
    assert.ok(keys.length > 1000 && keys.some((key) => key.includes('/segments/')), String(keys.length));
    const random = randomOf(3);
    for (const key of keys) {
      const bytes = await bytesOf(blobs.read(key));
      await replace(blobs, key, flipped(bytes, Math.floor(random() * bytes.byteLength * 8)));
    }
    const { damage, ok } = await check({ blobs, readData: true, threads: 0 });
    assert.equal(ok, false);
    const found = new Set(damage.map(({ key }) => key));
    assert.deepEqual(
      keys.filter((key) => !found.has(key)),
      [],
    );
  });

  test('finds any flipped bit of a store that is whole but for it, and names what it is in', async () => {
    const blobs = await storeOf(3, 9);
    // Something of everything: a moved file, a list, roots of an upload and of another kind.
    await publishList(blobs, 'gc-left', ['upload-9/0'], {});
    await collect({ blobs, actor: 'test', graceMs: 0, repackBelow: 1.1, repackAtLeastBytes: 0 });
    await publishList(blobs, 'gc-left-again', ['upload-9/0'], {});
    const keys = await keysOf(blobs);
    assert.ok(keys.some((key) => key.endsWith('.moved')));
    assert.equal((await check({ blobs, readData: true, threads: 0 })).ok, true);
    const random = randomOf(11);
    for (const key of keys) {
      const bytes = await bytesOf(blobs.read(key));
      for (let n = 0; n < 12; n += 1) {
        const bit = Math.floor(random() * bytes.byteLength * 8);
        await replace(blobs, key, flipped(bytes, bit));
        const { damage } = await check({ blobs, readData: true, threads: 0 });
        assert.ok(
          damage.some((found) => found.key === key),
          `bit ${bit} of ${key}: ${JSON.stringify(damage)}`,
        );
      }
      await replace(blobs, key, bytes);
    }
  });

  test('without data names versions whose packs are missing, and with data those whose bytes changed', async () => {
    const blobs = await storeOf(2);
    const key = 'packs/upload-2/0.pack';
    const bytes = await bytesOf(blobs.read(key));
    await replace(blobs, key, flipped(bytes, 8));
    assert.equal((await check({ blobs })).ok, true);
    const { damage, versions } = await check({ blobs, readData: true, threads: 0 });
    assert.deepEqual(
      damage.map(({ key: found, sort, repair }) => [found, sort, repair]),
      [[key, 'contents', 'ingot check --read-data --repair-from STORE']],
    );
    assert.deepEqual(
      versions.map(({ ref, files }) => [ref, files.length]),
      [['churn:2', 1]],
    );
    await blobs.delete(key);
    const missing = await check({ blobs });
    assert.deepEqual(
      missing.versions.map(({ ref }) => ref),
      ['churn:2'],
    );
    assert.match(damageError(missing)?.message ?? '', /1 object is damaged; 1 version is hurt/);
  });

  test('tells of packs while it looks at them, and of bytes only when it reads them', async () => {
    const blobs = await storeOf(2);
    const told: ProgressEvent[] = [];
    const onProgress = (event: ProgressEvent) => void told.push(event);
    await check({ blobs, onProgress });
    assert.deepEqual(told.at(-1), { phase: 'check', path: 'packs', doneBytes: 0, totalBytes: 0, message: '2 of 2' });
    const { checked } = await check({ blobs, readData: true, threads: 0, onProgress });
    const last = told.at(-1);
    assert.ok(last !== undefined && last.doneBytes >= checked.bytes && last.doneBytes === last.totalBytes);
  });

  test('tells apart what is damaged and what a collection will take', async () => {
    const blobs = await storeOf(3);
    await openLogRegistry({ blobs, actor: 'test' }).deleteVersion({
      name: CHURN,
      selector: { kind: 'version', number: 3 },
    });
    const { ok, notes } = await check({ blobs, readData: true, threads: 0 });
    assert.equal(ok, true);
    assert.deepEqual(
      notes.map(({ what, count }) => [what, count]),
      [['packs that nothing names (`ingot gc` takes them)', 1]],
    );
  });

  test('names an event that is missing, and goes on behind it', async () => {
    const blobs = await storeOf(4, 4);
    const [key = ''] = (await keysOf(blobs)).filter((found) => found.includes('/log/0000000003'));
    await blobs.delete(key);
    const { damage, checked } = await check({ blobs });
    assert.deepEqual(
      damage.filter(({ sort }) => sort === 'log').map((found) => found.key),
      [key],
    );
    assert.equal(checked.versions, 3);
  });

  test('reads a pack that was moved at its new place', async () => {
    const blobs = await storeOf(3);
    const options = { blobs, actor: 'test', graceMs: 0, repackBelow: 1.1, repackAtLeastBytes: 0 };
    await collect(options);
    await collect({ ...options, repackBelow: 0 });
    const keys = await keysOf(blobs);
    assert.ok(keys.includes(movedKey('upload-1/0')) && !keys.includes('packs/upload-1/0.pack'), keys.join(' '));
    const { ok, versions } = await check({ blobs, readData: true, threads: 0 });
    assert.deepEqual([ok, versions], [true, []]);
  });
});

async function copyOf(blobs: BlobStore): Promise<BlobStore> {
  const copy = createMemoryBlobStore({ address: 'copy:' });
  for await (const { key } of blobs.list('')) await copy.write(key, bodyOf(await bytesOf(blobs.read(key))));
  return copy;
}

describe('a repair', () => {
  test('mends flipped bits in packs from a copy, whatever they hit: pieces, pages, recipes or footers', async () => {
    const random = randomOf(5);
    for (let trial = 0; trial < 40; trial += 1) {
      const blobs = await storeOf(3);
      const copy = await copyOf(blobs);
      for (const key of (await keysOf(blobs)).filter((found) => found.startsWith('packs/'))) {
        const bytes = await bytesOf(blobs.read(key));
        const bits = Array.from({ length: trial % 3 }, () => Math.floor(random() * bytes.byteLength * 8));
        await replace(blobs, key, bits.reduce(flipped, bytes));
      }
      const { after, packs } = await repair({ blobs, from: copy, readData: true, threads: 0 });
      assert.deepEqual([after.ok, after.damage, after.versions], [true, [], []], `trial ${trial}`);
      assert.ok(packs.every(({ mended }) => mended));
      assert.equal(packs.length > 0, trial % 3 > 0);
    }
  });

  test('puts back events that a mirror has and the chain vouches for, damaged or missing, and no others', async () => {
    const blobs = await storeOf(3, 2);
    const mirror = await copyOf(blobs);
    const logged = (await keysOf(blobs)).filter((key) => key.includes('/log/'));
    for (const key of logged) {
      await replace(blobs, key, flipped(await bytesOf(blobs.read(key)), 500));
      const { after, events } = await repair({ blobs, from: mirror, threads: 0 });
      assert.deepEqual([after.ok, events], [true, [key]]);
    }
    const [first = '', second = ''] = logged;
    for (const key of [first, second]) await blobs.delete(key);
    assert.deepEqual((await repair({ blobs, from: mirror, threads: 0 })).events, [first, second]);
    // Another store's event under the same key is not what the chain names.
    const other = await copyOf(await storeOf(3, 2));
    await replace(other, 'ingot.json', await bytesOf(blobs.read('ingot.json')));
    const own = await bytesOf(blobs.read(second));
    await other.delete(second);
    const strange = (await keysOf(other)).find((key) => key.endsWith(second.slice(-15))) ?? '';
    await other.write(second, bodyOf(await bytesOf(other.read(strange))));
    await replace(blobs, second, flipped(own, 500));
    const { after, events } = await repair({ blobs, from: other, threads: 0 });
    assert.deepEqual([after.ok, events], [false, []]);
  });

  test('puts back newest events that only a mirror still has, and none of a mirror that went its own way', async () => {
    const blobs = await storeOf(2, 2);
    const format = await openStore(blobs);
    const newest = (await keysOf(blobs)).findLast((key) => key.includes('/log/') && key.startsWith('models/')) ?? '';
    const mirrored = async (): Promise<BlobStore> => {
      const mirror = createMemoryBlobStore({ address: 'mirror:' });
      await createStore(mirror, { mirrorOf: { format, address: blobs.address } });
      for (const key of await keysOf(blobs)) await mirror.write(key, bodyOf(await bytesOf(blobs.read(key))));
      return mirror;
    };
    const [mirror, detached] = [await mirrored(), await mirrored()];
    await detachStore(detached, { actor: 'test', at: '2026-01-01T00:00:00.000Z' });
    await blobs.delete(newest);
    assert.deepEqual((await repair({ blobs, from: detached, threads: 0 })).events, []);
    const { after, events } = await repair({ blobs, from: mirror, threads: 0 });
    assert.deepEqual([after.ok, events], [true, [newest]]);
  });

  test('brings back packs that are missing, from a copy or from any store that has the same contents', async () => {
    const blobs = await storeOf(3);
    const other = createMemoryBlobStore();
    await createStore(other);
    // The same contents, other packs: everything of one pack lies in another there.
    for (const key of (await keysOf(blobs)).filter((found) => found.startsWith('packs/')))
      await other.write(key.replace('upload', 'elsewhere'), bodyOf(await bytesOf(blobs.read(key))));
    await blobs.delete('packs/upload-2/0.pack');
    const { after, packs } = await repair({ blobs, from: other, readData: true, threads: 0 });
    // Of a pack that is gone nobody knows the recipe's pieces before the recipe is back.
    assert.deepEqual([after.ok, packs.map(({ mended }) => mended)], [false, [false]]);
    const mended = await repair({
      blobs,
      from: await copyWith(other, 'elsewhere', 'upload'),
      readData: true,
      threads: 0,
    });
    assert.equal(mended.after.ok, true);
  });

  test('leaves a pack as it is when the other store has not all that is needed of it', async () => {
    const blobs = await storeOf(2);
    const key = 'packs/upload-2/0.pack';
    const bytes = flipped(await bytesOf(blobs.read(key)), 8);
    await replace(blobs, key, bytes);
    const { after, packs } = await repair({ blobs, from: await storeOf(1), readData: true, threads: 0 });
    assert.equal(after.ok, false);
    assert.match(packs[0]?.problem ?? '', /no good copy of sha256:/);
    assert.deepEqual(await bytesOf(blobs.read(key)), bytes);
    assert.deepEqual(
      (await keysOf(blobs)).filter((found) => found.startsWith('roots/')),
      [],
    );
  });

  test('deletes damaged caches, and nothing of a log that another store than a mirror could tell otherwise', async () => {
    const blobs = await storeOf(2, 20);
    const other = await storeOf(2, 20);
    const [head = ''] = (await keysOf(blobs)).filter((key) => key.includes('/heads/'));
    const [event = ''] = (await keysOf(blobs)).filter((key) => key.includes('/log/0000000005'));
    for (const key of [head, event]) await replace(blobs, key, flipped(await bytesOf(blobs.read(key)), 100));
    const { after, deleted } = await repair({ blobs, from: other });
    assert.deepEqual(deleted, [head]);
    assert.deepEqual(
      after.damage.map(({ key }) => key),
      [event],
    );
  });
});

async function copyWith(blobs: BlobStore, from: string, to: string): Promise<BlobStore> {
  const copy = createMemoryBlobStore();
  for await (const { key } of blobs.list(''))
    await copy.write(key.replace(from, to), bodyOf(await bytesOf(blobs.read(key))));
  return copy;
}
