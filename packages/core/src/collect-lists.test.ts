import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { bodyOf } from './blob/bytes.ts';
import { HOUR_MS, keysOf, storeOf } from './collect-trial-store.ts';
import { finalKey, publishList } from './content/sweep/condemned.ts';
import { canonicalJson } from './json.ts';

describe('what collections have condemned', () => {
  test('finishes what a collection that died has condemned, and decides anew what of it goes', async () => {
    const { blobs, run, remove, isWhole } = await storeOf(3);
    await remove(3);
    await publishList(blobs, 'gc-dead', ['upload-1/0', 'upload-3/0', 'never/0'], {});
    const { finished } = await run({ graceMs: HOUR_MS });
    assert.deepEqual(finished, ['gc-dead']);
    assert.deepEqual(await keysOf(blobs, 'packs/'), ['packs/upload-1/0.pack', 'packs/upload-2/0.pack']);
    assert.deepEqual(await keysOf(blobs, 'gc/'), []);
    await isWhole();
  });

  test('does not follow a final list whose list is gone, and removes it', async () => {
    const { blobs, run, isWhole } = await storeOf(2);
    await blobs.write(finalKey('gc-old'), bodyOf(canonicalJson({ format: 1, packs: ['upload-1/0'], moved: [] })));
    await run({ graceMs: HOUR_MS });
    assert.deepEqual(await keysOf(blobs, 'gc/'), []);
    await isWhole();
  });
});
