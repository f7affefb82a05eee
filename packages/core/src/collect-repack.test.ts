import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { bodyOf, collect as bytesOf } from './blob/bytes.ts';
import { CHURN, HOUR_MS, keysOf, storeOf } from './collect-trial-store.ts';
import { writeUploadRoot } from './content/roots.ts';
import { listKey } from './content/sweep/condemned.ts';
import { movedKey } from './content/sweep/moved.ts';

describe('repacking', () => {
  const thin = { repackBelow: 1, repackAtLeastBytes: 0 };

  test('moves what is needed of thin packs, and the old ones go a grace period later', async () => {
    const { blobs, run, pass, isWhole } = await storeOf(3);
    const options = { ...thin, graceMs: HOUR_MS };
    pass(2 * HOUR_MS);
    const { repacked } = await run(options);
    assert.deepEqual(
      repacked.map(({ pack, into }) => [pack, into.length]),
      [1, 2, 3].map((n) => [`upload-${n}/0`, 1]),
    );
    assert.deepEqual(await keysOf(blobs, 'roots/'), []);
    await isWhole();
    await run(options);
    assert.equal((await keysOf(blobs, 'packs/upload-1')).length, 2);
    pass(2 * HOUR_MS);
    const { packs } = await run({ ...options, repackBelow: 0 });
    assert.ok(packs.some(({ pack, reason }) => pack === 'upload-1/0' && reason === 'what is needed of it was moved'));
    assert.deepEqual(await keysOf(blobs, 'packs/upload-1'), [movedKey('upload-1/0')]);
    await isWhole();
  });

  test('follows packs that are moved again and again, and forgets the way when nothing needs it', async () => {
    const { blobs, registry, run, pass, isWhole } = await storeOf(2);
    for (let round = 0; round < 4; round += 1) {
      pass(HOUR_MS);
      await run(thin);
      pass(HOUR_MS);
      await run({ repackBelow: 0 });
      await isWhole();
    }
    const moved = (await keysOf(blobs, 'packs/')).filter((key) => key.endsWith('.moved'));
    assert.ok(moved.length >= 5, moved.join(' '));
    await registry.deleteModel(CHURN);
    pass(HOUR_MS);
    await run(thin);
    pass(HOUR_MS);
    await run(thin);
    assert.deepEqual(await keysOf(blobs, 'packs/'), []);
  });

  test('leaves a pack alone that an upload in flight relies on, and keeps the old one for it', async () => {
    const { blobs, registry, run, pass, isWhole } = await storeOf(2);
    const { id } = await registry.ensureModel(CHURN);
    const root = (n: number) => ({ upload: 'flying', modelId: id, at: '', packs: [`upload-${n}/0`] });
    await writeUploadRoot(blobs, 'roots/uploads/flying/0.json', root(1), {});
    pass(HOUR_MS);
    const options = { ...thin, graceMs: 30 * 60_000 };
    await blobs.delete('roots/uploads/flying/0.json');
    await writeUploadRoot(blobs, 'roots/uploads/flying/1.json', root(1), {});
    const { repacked } = await run(options);
    assert.deepEqual(
      repacked.map(({ pack }) => pack),
      ['upload-2/0'],
    );
    await blobs.delete('roots/uploads/flying/1.json');
    pass(HOUR_MS);
    await writeUploadRoot(blobs, 'roots/uploads/flying/2.json', root(2), {});
    await run({ ...options, repackBelow: 0 });
    assert.ok((await keysOf(blobs)).includes('packs/upload-2/0.pack'));
    await isWhole();
  });

  test('does not move a pack of which something is damaged, and says so', async () => {
    const { blobs, run, isWhole } = await storeOf(1);
    const bytes = await bytesOf(blobs.read('packs/upload-1/0.pack'));
    await blobs.delete('packs/upload-1/0.pack');
    await blobs.write('packs/upload-1/0.pack', bodyOf(bytes.map((byte, n) => (n === 3 ? byte ^ 1 : byte))));
    const { repacked } = await run(thin);
    assert.match(repacked[0]?.problem ?? '', /other bytes/);
    assert.deepEqual(
      (await keysOf(blobs, 'packs/')).filter((key) => key.endsWith('.moved')),
      [],
    );
    await assert.rejects(isWhole());
  });

  test('of one pack by two collections at once leaves it moved by one of them', async () => {
    const { blobs, run, pass, isWhole } = await storeOf(2);
    pass(HOUR_MS);
    const results = await Promise.all([run(thin), run(thin)]);
    const moved = results.flatMap(({ repacked }) => repacked.filter(({ into }) => into.length > 0));
    assert.deepEqual(moved.map(({ pack }) => pack).sort(), ['upload-1/0', 'upload-2/0']);
    pass(HOUR_MS);
    await run({ repackBelow: 0 });
    pass(HOUR_MS);
    await run({ repackBelow: 0 });
    await isWhole();
    assert.ok((await keysOf(blobs, listKey(''))).length === 0);
  });
});
