import assert from 'node:assert/strict';
import { digestOf } from '../../digest.ts';
import { CHURN, draftOf, failsWith, numberOf, published, type RegistryCase, ref } from './case.ts';

/** What references mean. */
export const RESOLVING_CASES: readonly RegistryCase[] = [
  {
    name: 'resolves every form of reference',
    async run({ open }) {
      await published(open(), 'a', 'b');
      await open().publish(CHURN, draftOf('c', { label: '1.0' }), { aliases: ['production'] });
      const expected: [string, number][] = [
        ['churn', 3],
        ['churn:latest', 3],
        ['churn@latest', 3],
        ['churn:2', 2],
        ['churn:1.0', 3],
        ['churn@production', 3],
        [`churn@${digestOf('a')}`, 1],
      ];
      for (const [text, number] of expected) assert.equal(await numberOf(open(), text), number, text);
    },
  },
  {
    name: 'answers with all that is needed to load the version',
    async run({ open }) {
      const registry = open();
      const { id } = await registry.ensureModel(CHURN);
      await registry.publish(CHURN, draftOf('a', { label: '1.0' }));
      const { seq, ...answer } = await open().resolve(ref('churn:1'));
      const { manifest, recipe } = draftOf('a');
      assert.deepEqual(answer, {
        reference: ref('churn:1'),
        model: 'churn',
        modelId: id,
        number: 1,
        label: '1.0',
        manifest,
        recipe,
      });
      assert.ok(seq >= 1);
    },
  },
  {
    name: 'sees at once what another client wrote',
    async run({ open }) {
      const [one, other] = [open(), open()];
      await published(one, 'a');
      assert.equal(await numberOf(other, 'churn'), 1);
      await one.publish(CHURN, draftOf('b'), { aliases: ['production'] });
      assert.equal(await numberOf(other, 'churn@production'), 2);
      await one.setAlias(CHURN, 'production', 1);
      assert.equal(await numberOf(other, 'churn@production'), 1);
    },
  },
  {
    name: 'does not take a retired version for the latest, but still answers to its name',
    async run({ open }) {
      await published(open(), 'a', 'b');
      await open().setAlias(CHURN, 'production', 2);
      await open().retire(ref('churn:2'));
      assert.equal(await numberOf(open(), 'churn'), 1);
      assert.equal(await numberOf(open(), 'churn:2'), 2);
      assert.equal(await numberOf(open(), 'churn@production'), 2);
      await open().retire(ref('churn:1'));
      await failsWith('version-not-found', () => open().resolve(ref('churn')));
    },
  },
  {
    name: 'prefers an active version when several have the digest',
    async run({ open }) {
      await published(open(), 'a', 'b', 'a');
      await open().retire(ref('churn:3'));
      assert.equal(await numberOf(open(), `churn@${digestOf('a')}`), 1);
    },
  },
  {
    name: 'names the nearest when a model, alias, label or version is mistyped',
    async run({ open }) {
      await published(open(), 'a');
      await open().publish(CHURN, draftOf('b', { label: '1.2.0' }), { aliases: ['production'] });
      const cases: [string, 'model-not-found' | 'alias-not-found' | 'version-not-found', string | undefined][] = [
        ['chrun', 'model-not-found', 'churn'],
        ['wine', 'model-not-found', undefined],
        ['churn@prodction', 'alias-not-found', 'churn@production'],
        ['churn@canary', 'alias-not-found', undefined],
        ['churn:production', 'version-not-found', 'churn@production'],
        ['churn@1.2.0', 'alias-not-found', 'churn:1.2.0'],
        ['churn:1.2.1', 'version-not-found', 'churn:1.2.0'],
        ['churn:9', 'version-not-found', 'churn:2'],
        [`churn@${digestOf('z')}`, 'version-not-found', undefined],
      ];
      for (const [text, code, near] of cases) {
        const error = await failsWith(code, () => open().resolve(ref(text)));
        assert.equal(error.nearest, near, text);
      }
    },
  },
  {
    name: 'says of a model without versions that it has none',
    async run({ open }) {
      await open().ensureModel(CHURN);
      await failsWith('version-not-found', () => open().resolve(ref('churn')));
    },
  },
];
