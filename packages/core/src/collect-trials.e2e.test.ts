import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { BlobStore } from './blob/blob-store.ts';
import { runTrial, type TrialResult } from './collect-trial.ts';
import type { PushTools } from './collect-trial-push.ts';
import type { Sabotage } from './collect-trial-turns.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { contentOf, noise } from './content/conformance.ts';
import { digestOf } from './digest.ts';

/** Rules of which some schedule notices soon that they are broken; others have a moment of their own in a test. */
const SABOTAGE: readonly Sabotage[] = [
  'logs-read-before-the-list',
  'uploads-dropped-without-an-event',
  'root-released-before-event',
];
const MOST_SCHEDULES = 60;

/** A push as the product makes it, of three small files that pushes share or not. */
async function pushWhole({ blobs, registry, name, upload: id, random, now }: PushTools): Promise<void> {
  const contents = createBlobContentStore(blobs as BlobStore, { now, randomId: () => id });
  const { id: modelId, base } = await registry.ensureModel(name);
  await using upload = await contents.openUpload({ modelId, base });
  for (const file of ['a', 'b', 'c'])
    await upload.put(contentOf(`${file}.bin`, noise(200, Math.floor(random() * 4) + file.charCodeAt(0) * 10)));
  await upload.put(contentOf('', `manifest of ${id}`, 'manifest'));
  const { recipe } = await upload.seal();
  const facts = { sizeBytes: 600, fileCount: 3, flavor: 'file', scan: 'not scanned' } as const;
  await registry.publish(name, { manifest: digestOf(id), recipe, upload: id, modelId, ...facts });
  await upload.release();
}

async function trials(count: number, options: Omit<Parameters<typeof runTrial>[0], 'seed'>): Promise<TrialResult[]> {
  const results: TrialResult[] = [];
  for (let seed = 1; seed <= count; seed += 1) {
    const result = await runTrial({ seed, ...options });
    assert.deepEqual(result.missing, [], `seed ${seed}`);
    assert.deepEqual(result.surprises, [], `seed ${seed}`);
    results.push(result);
  }
  return results;
}

function sum(results: readonly TrialResult[], of: (result: TrialResult) => number): number {
  return results.reduce((all, result) => all + of(result), 0);
}

describe('collections beside pushes, deletions and other collections', () => {
  test('never take what a version needs, whoever crashes or stands still, in many schedules', async () => {
    const results = await trials(45, { operations: 14 });
    // The trials are worth something only if all of it happens in them.
    assert.ok(sum(results, ({ published }) => published) > 145);
    assert.ok(sum(results, ({ deletedPacks }) => deletedPacks) > 35);
    assert.ok(sum(results, ({ movedPacks }) => movedPacks) > 65);
    assert.ok(sum(results, ({ expired }) => expired) > 18);
    assert.ok(sum(results, ({ crashed }) => crashed) > 18);
    assert.ok(sum(results, ({ stalled }) => stalled) > 18);
  });

  test('never take what a version needs where grace lets some packs and roots alone', async () => {
    await trials(12, { operations: 20, graceMs: 150 });
  });

  test('never take what a version needs of pushes as the product makes them', async () => {
    // Its threads take their own time, so that these schedules differ from run to run.
    const results = await trials(16, { operations: 12, push: pushWhole });
    assert.ok(sum(results, ({ published }) => published) > 30);
    assert.ok(sum(results, ({ deletedPacks }) => deletedPacks) > 3);
  });

  test.each(SABOTAGE)('are caught when the rule is broken: %s', async (sabotage) => {
    for (let seed = 1; seed <= MOST_SCHEDULES; seed += 1) {
      const { missing } = await runTrial({ seed, operations: 14, sabotage });
      if (missing.length > 0) return;
    }
    assert.fail(`${MOST_SCHEDULES} schedules did not notice`);
  });
});
