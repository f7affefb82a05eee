import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { BlobStore } from './blob/blob-store.ts';
import { bodyOf, collect as bytesOf } from './blob/bytes.ts';
import { observed } from './blob/layers/observed.ts';
import { CHURN, contentsOf, HOUR_MS, keysOf, storeOf } from './collect-trial-store.ts';
import { writeUploadRoot } from './content/roots.ts';
import { isIngotError } from './errors.ts';
import { canonicalJson } from './json.ts';
import { openLogRegistry } from './registry/open.ts';

describe('a collection', () => {
  test('deletes packs that nothing names, says why, and keeps the rest with the version that needs it', async () => {
    const { blobs, run, remove, isWhole } = await storeOf(3);
    await remove(3);
    const { packs, deletedBytes, keptBytes } = await run();
    assert.deepEqual(
      packs.map(({ pack, fate, reason }) => [pack, fate, reason]),
      [
        ['upload-1/0', 'kept', 'churn:1 needs it'],
        ['upload-2/0', 'kept', 'churn:2 needs it'],
        ['upload-3/0', 'deleted', 'nothing names it'],
      ],
    );
    assert.ok(deletedBytes > 0 && keptBytes > deletedBytes);
    assert.deepEqual(await keysOf(blobs, 'packs/'), ['packs/upload-1/0.pack', 'packs/upload-2/0.pack']);
    assert.deepEqual(await keysOf(blobs, 'gc/'), []);
    await isWhole();
  });

  test('that runs dry changes nothing, and says what a real one then does', async () => {
    const { blobs, run, remove } = await storeOf(3);
    await remove(3);
    const before = await contentsOf(blobs);
    const dry = await run({ dryRun: true, repackBelow: 1, repackAtLeastBytes: 0 });
    assert.deepEqual(await contentsOf(blobs), before);
    const real = await run({ repackBelow: 1, repackAtLeastBytes: 0 });
    assert.deepEqual(dry.packs, real.packs);
    assert.deepEqual(
      dry.repacked.map(({ pack }) => pack),
      real.repacked.map(({ pack }) => pack),
    );
    const assumed = new Set(['churn:1', 'churn:2']);
    const all = await run({ dryRun: true, assumeReleased: assumed });
    assert.ok(all.packs.every(({ fate }) => fate === 'deleted'));
  });

  test('leaves alone what is younger than the grace period, by the clock of the storage', async () => {
    const { blobs, run, pass } = await storeOf(1);
    await blobs.write('packs/left/0.pack', bodyOf('x'));
    pass(23 * HOUR_MS);
    const young = await run({ graceMs: 24 * HOUR_MS });
    assert.equal(young.packs.find(({ pack }) => pack === 'left/0')?.reason, 'it is too young');
    pass(2 * HOUR_MS);
    assert.equal((await run({ graceMs: 24 * HOUR_MS })).deletedBytes, 1);
  });

  test('deletes nothing when it cannot tell what is needed: a damaged recipe, root, moved file or event', async () => {
    for (const what of [
      'packs/upload-1/0.pack',
      'roots/uploads/u/0.json',
      'packs/gone/0.moved',
      '/log/0000000002.json',
    ]) {
      const { blobs, run, remove } = await storeOf(3);
      await remove(3);
      const found = (await keysOf(blobs)).find((key) => key.endsWith(what));
      if (found === undefined) await blobs.write(what, bodyOf('{"packs":["gone/1"]}x'));
      else {
        const bytes = await bytesOf(blobs.read(found));
        await blobs.delete(found);
        await blobs.write(found, bodyOf(bytes.map((byte, n) => (n === bytes.byteLength >> 1 ? byte ^ 1 : byte))));
      }
      const packs = await keysOf(blobs, 'packs/');
      await assert.rejects(run(), (error) => isIngotError(error, 'integrity', 'tampered', 'content-not-found'), what);
      assert.deepEqual(await keysOf(blobs, 'packs/'), packs);
    }
  });

  test('is refused where listings may be stale, unless nobody else is there', async () => {
    const { blobs, run } = await storeOf(1);
    const stale: BlobStore = { ...blobs, capabilities: { ...blobs.capabilities, stalenessMs: 60_000 } };
    await assert.rejects(
      run({ blobs: stale }),
      (error) => isIngotError(error, 'refused') && /--exclusive/.test(error.hint ?? ''),
    );
    await run({ blobs: stale, dryRun: true });
    await run({ blobs: stale, exclusive: true });
    const readOnly: BlobStore = { ...blobs, capabilities: { ...blobs.capabilities, readOnly: true } };
    await assert.rejects(run({ blobs: readOnly }), /only be read/);
  });

  test('of a mirror writes no events and moves no packs, and of a governed store does nothing', async () => {
    const { blobs, run, remove, pass } = await storeOf(2);
    await remove(2);
    const { id } = await openLogRegistry({ blobs, actor: 'x' }).ensureModel(CHURN);
    const root = { upload: 'u', modelId: id, at: '', packs: [] };
    await writeUploadRoot(blobs, 'roots/uploads/u/0.json', root, {});
    const log = await keysOf(blobs, 'models/');
    for (const marks of [{ follows: 's3://other' }, { governed: true }]) {
      const format = JSON.parse(String(await bytesOf(blobs.read('ingot.json'))));
      await blobs.delete('ingot.json');
      const { sum: _, follows: __, ...rest } = format;
      await blobs.write('ingot.json', bodyOf(canonicalJson({ ...rest, ...marks })));
      pass(HOUR_MS);
      if ('governed' in marks) await assert.rejects(run(), (error) => isIngotError(error, 'refused'));
      else assert.equal((await run({ repackBelow: 1, repackAtLeastBytes: 0 })).repacked.length, 0);
    }
    assert.deepEqual(
      (await keysOf(blobs, 'models/')).filter((key) => key.includes('/log/')),
      log.filter((key) => key.includes('/log/')),
    );
    assert.deepEqual(await keysOf(blobs, 'packs/'), ['packs/upload-1/0.pack']);
    assert.deepEqual(await keysOf(blobs, 'roots/'), ['roots/uploads/u/0.json']);
  });

  test('trims heads, listings and hints that newer ones have replaced', async () => {
    const { blobs, registry, run, pass } = await storeOf(2);
    const { id } = await registry.model(CHURN);
    for (const seq of ['01', '02', '03']) await blobs.write(`models/${id}/heads/00000000${seq}.json`, bodyOf('x'));
    for (const name of ['1', '2']) await blobs.write(`index/models/${name}.json`, bodyOf('x'));
    await blobs.write('changes/clock/left', bodyOf('x'));
    pass(2 * HOUR_MS);
    assert.equal((await run()).trimmed, 3);
    assert.deepEqual(await keysOf(blobs, 'index/'), ['index/models/2.json']);
  });

  test('can be interrupted, and the next one goes on', async () => {
    const { blobs, run, remove, isWhole } = await storeOf(4);
    for (const number of [2, 3, 4]) await remove(number);
    const interruption = new AbortController();
    const watched = observed(blobs, {
      before: ({ operation, key }) => {
        if (operation === 'delete' && key.startsWith('packs/')) interruption.abort();
      },
    });
    await assert.rejects(run({ blobs: watched, signal: interruption.signal }), (error) =>
      isIngotError(error, 'interrupted'),
    );
    assert.equal((await keysOf(blobs, 'gc/')).length, 2);
    const { finished } = await run();
    assert.equal(finished.length, 1);
    assert.deepEqual(await keysOf(blobs, 'gc/'), []);
    assert.equal((await keysOf(blobs, 'packs/')).length, 1);
    await isWhole();
  });
});
