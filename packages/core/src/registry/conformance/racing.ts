import assert from 'node:assert/strict';
import { CHURN, all, draftOf, published, type RegistryCase } from './case.ts';

/** What holds when several clients write at once. */
export const RACING_CASES: readonly RegistryCase[] = [
  {
    name: 'numbers every publication of racing clients, each once',
    async run({ open }) {
      await open().ensureModel(CHURN);
      const results = await Promise.all(
        Array.from({ length: 8 }, (_, index) => open().publish(CHURN, draftOf(`content ${index}`))),
      );
      const numbers = results.map(({ version }) => version.number).sort((a, b) => a - b);
      assert.deepEqual(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
      for (const { version } of results)
        assert.equal(
          (await open().version({ name: CHURN, selector: { kind: 'version', number: version.number } })).manifest,
          version.manifest,
        );
    },
  },
  {
    name: 'lets one of racing clients move an alias from where all expect it',
    async run({ open }) {
      await published(open(), 'a', 'b');
      await open().setAlias(CHURN, 'production', 1);
      const moves = await Promise.allSettled(
        Array.from({ length: 6 }, () => open().setAlias(CHURN, 'production', 2, { expected: 1 })),
      );
      assert.equal(moves.filter(({ status }) => status === 'fulfilled').length, 1);
      assert.equal((await all(open().history(CHURN))).filter(({ kind }) => kind === 'alias-set').length, 2);
    },
  },
  {
    name: 'makes a model once for racing clients',
    async run({ open }) {
      const made = await Promise.all(Array.from({ length: 6 }, () => open().ensureModel(CHURN)));
      assert.equal(new Set(made.map(({ id }) => id)).size, 1);
    },
  },
  {
    name: 'publishes the same content of racing clients once',
    async run({ open }) {
      await open().ensureModel(CHURN);
      const results = await Promise.all(Array.from({ length: 6 }, () => open().publish(CHURN, draftOf('same'))));
      assert.deepEqual(new Set(results.map(({ version }) => version.number)), new Set([1]));
      assert.equal(results.filter(({ existed }) => !existed).length, 1);
    },
  },
];
