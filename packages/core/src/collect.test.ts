import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { runTrial } from './collect-trial.ts';

describe('collections beside pushes, deletions and other collections', () => {
  test('never take what a version needs, in any of hundreds of schedules', async () => {
    const total = { published: 0, deletedPacks: 0, movedPacks: 0, expired: 0, crashed: 0, collections: 0, requests: 0 };
    for (let seed = 1; seed <= 300; seed += 1) {
      const result = await runTrial({ seed, operations: 14 });
      assert.deepEqual(result.missing, [], `seed ${seed}`);
      assert.deepEqual(result.surprises, [], `seed ${seed}`);
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += result[key];
    }
    console.log(total);
  });
});
