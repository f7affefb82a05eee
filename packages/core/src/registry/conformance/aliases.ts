import assert from 'node:assert/strict';
import { CHURN, failsWith, numberOf, published, type RegistryCase, ref } from './case.ts';

/** How aliases move. */
export const ALIAS_CASES: readonly RegistryCase[] = [
  {
    name: 'moves an alias and says from where',
    async run({ open }) {
      await published(open(), 'a', 'b');
      assert.deepEqual(await open().setAlias(CHURN, 'production', 1), { alias: 'production', from: null, to: 1 });
      assert.deepEqual(await open().setAlias(CHURN, 'production', 2), { alias: 'production', from: 1, to: 2 });
      assert.deepEqual(await open().setAlias(CHURN, 'production', 2), { alias: 'production', from: 2, to: 2 });
      assert.deepEqual((await open().model(CHURN)).aliases, { production: 2 });
    },
  },
  {
    name: 'moves an alias only from where it is expected',
    async run({ open }) {
      await published(open(), 'a', 'b');
      await open().setAlias(CHURN, 'production', 1, { expected: null });
      await failsWith('conflict', () => open().setAlias(CHURN, 'production', 2, { expected: null }));
      await failsWith('conflict', () => open().setAlias(CHURN, 'production', 2, { expected: 2 }));
      await failsWith('conflict', () => open().removeAlias(CHURN, 'production', { expected: 2 }));
      await failsWith('conflict', () => open().removeAlias(CHURN, 'production', { expected: null }));
      await open().setAlias(CHURN, 'production', 2, { expected: 1 });
      assert.equal(await numberOf(open(), 'churn@production'), 2);
    },
  },
  {
    name: 'names only versions that are there',
    async run({ open }) {
      await published(open(), 'a', 'b');
      await open().deleteVersion(ref('churn:1'));
      await failsWith('version-not-found', () => open().setAlias(CHURN, 'production', 1));
      await failsWith('version-not-found', () => open().setAlias(CHURN, 'production', 3));
      await failsWith('version-not-found', () => open().setAlias(CHURN, 'production', 0));
      await failsWith('invalid-name', () => open().setAlias(CHURN, '7', 2));
      assert.deepEqual((await open().model(CHURN)).aliases, {});
    },
  },
  {
    name: 'removes an alias, and says which one was meant when there is none',
    async run({ open }) {
      await published(open(), 'a');
      await open().setAlias(CHURN, 'production', 1);
      const error = await failsWith('alias-not-found', () => open().removeAlias(CHURN, 'produktion'));
      assert.equal(error.nearest, 'churn@production');
      assert.deepEqual(await open().removeAlias(CHURN, 'production'), { alias: 'production', from: 1, to: null });
      await failsWith('alias-not-found', () => open().removeAlias(CHURN, 'production'));
      await failsWith('alias-not-found', () => open().resolve(ref('churn@production')));
    },
  },
  {
    name: 'knows which version held an alias before',
    async run({ open }) {
      const registry = open();
      await published(registry, 'a', 'b', 'c');
      for (const number of [1, 2, 3]) await registry.setAlias(CHURN, 'production', number);
      const previous = () => open().previousAliasTarget(CHURN, 'production');
      assert.equal(await previous(), 2);
      await registry.setAlias(CHURN, 'production', 2);
      assert.equal(await previous(), 3, 'a rollback can be undone');
      await registry.retire(ref('churn:3'));
      assert.equal(await previous(), 1, 'a retired version is passed over');
      await registry.deleteVersion(ref('churn:1'));
      assert.equal(await previous(), undefined, 'a deleted version is passed over');
    },
  },
  {
    name: 'knows the last holder of an alias that was removed, and no holder of one that never was',
    async run({ open }) {
      await published(open(), 'a');
      await open().setAlias(CHURN, 'production', 1);
      assert.equal(await open().previousAliasTarget(CHURN, 'production'), undefined);
      await open().removeAlias(CHURN, 'production');
      assert.equal(await open().previousAliasTarget(CHURN, 'production'), 1);
      await failsWith('alias-not-found', () => open().previousAliasTarget(CHURN, 'staging'));
    },
  },
  {
    name: 'takes aliases that are names of things every object has',
    async run({ open }) {
      await published(open(), 'a');
      await failsWith('alias-not-found', () => open().resolve(ref('churn@constructor')));
      await open().setAlias(CHURN, 'constructor', 1);
      assert.equal(await numberOf(open(), 'churn@constructor'), 1);
      await failsWith('alias-not-found', () => open().resolve(ref('churn@toString')));
    },
  },
];
