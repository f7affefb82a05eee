import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { BlobStore } from './blob/blob-store.ts';
import { collect } from './collect.ts';
import { CHURN, HOUR_MS, keysOf, standingStill, storeOf } from './collect-trial-store.ts';
import { type Sabotage, sabotaged } from './collect-trial-turns.ts';
import { writeUploadRoot } from './content/roots.ts';
import { isIngotError } from './errors.ts';

/** Plays the one moment that a rule is for; gives whether all is well after it. */
type Moment = (sabotage?: Sabotage) => Promise<boolean>;

const eager = () => 0.3;
const collecting = (blobs: BlobStore, sabotage?: Sabotage) =>
  collect({ blobs: sabotaged(blobs, 'collect', sabotage), actor: 'gardener', graceMs: 0, repackBelow: 0 });

async function holds(isWhole: () => Promise<void>): Promise<boolean> {
  return isWhole().then(
    () => true,
    (error) => {
      if (error instanceof assert.AssertionError || isIngotError(error)) return false;
      throw error;
    },
  );
}

/** A push that has seen what two versions hold, and stands still before its first pack while both are deleted. */
async function pushOverDeleted(through: (blobs: BlobStore) => BlobStore) {
  const store = await storeOf(2);
  const slow = standingStill(store.blobs, ({ operation, key }) => operation === 'write' && key.startsWith('packs/'));
  const pushing = store.push('upload-3', through(slow.blobs), eager);
  await slow.standing;
  for (const number of [1, 2]) await store.remove(number);
  return { ...store, slow, pushing };
}

const MOMENTS: Readonly<Partial<Record<Sabotage, Moment>>> = {
  // The push comes to the storage between the last look of a collection and its first deletion.
  'pushes-ignore-condemned-lists': async (sabotage) => {
    const { blobs, slow, pushing, isWhole } = await pushOverDeleted((inner) => sabotaged(inner, 'push', sabotage));
    const late = standingStill(blobs, ({ operation, key }) => operation === 'delete' && key.startsWith('packs/'));
    const collected = collecting(late.blobs);
    await late.standing;
    slow.goOn();
    await pushing;
    late.goOn();
    assert.ok((await collected).deletedBytes > 0);
    return await holds(isWhole);
  },

  // The root comes, and the lists are read, after a collection looked for the first time and before its list stands.
  'roots-read-before-the-list': async (sabotage) => {
    let event: ReturnType<typeof standingStill> | undefined;
    const { blobs, slow, pushing, isWhole } = await pushOverDeleted((inner) => {
      event = standingStill(inner, ({ operation, key }) => operation === 'write' && key.includes('/log/'));
      return event.blobs;
    });
    const late = standingStill(blobs, ({ operation, key }) => operation === 'write' && key.startsWith('gc/'));
    const collected = collecting(late.blobs, sabotage);
    await late.standing;
    slow.goOn();
    await event?.standing;
    late.goOn();
    await collected;
    event?.goOn();
    await pushing;
    return await holds(isWhole);
  },

  // A push relies on a pack that the second collection spared, when the first, which condemned it, wakes up.
  'each-collection-decides-alone': async (sabotage) => {
    const { blobs, registry, run, remove, push, isWhole } = await storeOf(2);
    await remove(2);
    const alone = sabotaged(blobs, 'collect', sabotage);
    const slow = standingStill(alone, ({ operation, key }) => operation === 'write' && key.endsWith('.final.json'));
    const first = run({ blobs: slow.blobs });
    await slow.standing;
    const { id } = await registry.ensureModel(CHURN);
    const root = { upload: 'other', modelId: id, at: '', packs: ['upload-2/0'] };
    await writeUploadRoot(blobs, 'roots/uploads/other/0.json', root, {});
    await run({ graceMs: HOUR_MS });
    slow.goOn();
    await first;
    const isThere = (await keysOf(blobs)).includes('packs/upload-2/0.pack');
    await push('upload-3');
    return isThere && (await holds(isWhole));
  },
};

describe('what a version needs stays', () => {
  test.each(Object.entries(MOMENTS))(
    'in the one moment that a rule is for, and goes without it: %s',
    async (rule, moment) => {
      assert.equal(await moment(), true);
      assert.equal(await moment(rule as Sabotage), false);
    },
  );
});
