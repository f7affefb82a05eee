/** The short form of every trial: no promise may be broken. `npm run reliability -- NAME --full` does much more. */

import { beforeAll, describe, expect, it } from 'vitest';
import { buildOnce } from '../cli/build-once.ts';
import { TRIALS } from './trials.ts';

/** A bound for a machine that does much else; each takes well under a minute on an idle one. */
const LONGEST_MS = 600_000;

beforeAll(buildOnce);

/** Every run of the tests tries others. */
const SEED = Math.floor(Date.now() / 1000) % 1_000_000;

describe('no promise is broken by', () => {
  it.each(TRIALS.filter(({ byHand }) => byHand !== true).map((trial) => [trial.about, trial] as const))(
    '%s',
    async (_, trial) => {
      const { failures, figures, skipped } = await trial.run({ full: false, seed: SEED, say: () => {} });
      expect(failures, `npm run reliability -- ${trial.name} --seed ${SEED}`).toEqual([]);
      expect(Object.keys(figures).length + skipped.length).toBeGreaterThan(0);
    },
    LONGEST_MS,
  );
});
