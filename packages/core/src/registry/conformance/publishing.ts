import assert from 'node:assert/strict';
import { digestOf } from '../../digest.ts';
import { parseModelName } from '../../ref.ts';
import { CHURN, all, draftOf, failsWith, numberOf, published, type RegistryCase, ref } from './case.ts';

/** What publishing does. */
export const PUBLISHING_CASES: readonly RegistryCase[] = [
  {
    name: 'numbers versions from 1',
    async run({ open }) {
      const registry = open();
      await published(registry, 'a', 'b', 'c');
      const view = await registry.model(CHURN);
      assert.deepEqual(
        view.all.map(({ number, manifest }) => [number, manifest]),
        [
          [3, digestOf('c')],
          [2, digestOf('b')],
          [1, digestOf('a')],
        ],
      );
    },
  },
  {
    name: 'adds to the newest version only, when only to add was asked',
    async run({ open }) {
      const registry = open();
      await published(registry, 'a', 'b');
      const added = await registry.publish(CHURN, draftOf('b', { tags: { k: 'v' } }), { existingOnly: true });
      assert.deepEqual([added.existed, added.version.number, added.version.tags], [true, 2, { k: 'v' }]);
      await assert.rejects(registry.publish(CHURN, draftOf('a'), { existingOnly: true, aliases: ['production'] }), {
        code: 'conflict',
        details: { newest: 2 },
      });
      const { all: versions, aliases } = await registry.model(CHURN);
      assert.deepEqual([versions.length, aliases], [2, {}]);
    },
  },
  {
    name: 'gives back everything that was said of a version',
    async run({ open }) {
      const said = draftOf('a', {
        label: '1.0',
        description: 'predicts churn',
        author: 'ana',
        message: 'first',
        signature: {
          inputs: [
            { name: 'age', type: 'integer', nullable: false, min: 0 },
            { name: 'plan', type: 'categorical', categories: ['basic', 'pro', 3, true] },
            { name: 'image', type: 'tensor', dtype: 'FP32', shape: [-1, 8, 8] },
          ],
          outputs: [{ name: 'risk', type: 'float', format: 'percentage', classes: ['stays', 'goes'] }],
          origin: 'captured',
          partial: true,
        },
        metrics: { auc: 0.97, loss: -1e-9 },
        params: { depth: 3, nested: { list: [1, null, 'x'] } },
        tags: { team: 'growth', __proto: 'x' },
        lineage: {
          git: { commit: '4f1c', branch: 'main', dirty: true },
          run: 'r1',
          data: [{ name: 'customers', source: 's3://bucket/x' }],
          parents: ['churn:1'],
        },
        environment: { python: '3.11.7', platform: 'linux-x86_64', requirements: ['scikit-learn==1.9.1'] },
        serializer: { name: 'pickle', executesCode: true, reason: 'no other format' },
        captured: digestOf('captured'),
      });
      await open().ensureModel(CHURN);
      await open().publish(CHURN, said);
      const record = await open().version(ref('churn:1'));
      for (const [key, value] of Object.entries(said))
        assert.deepEqual(Object.entries(record).find(([k]) => k === key)?.[1], value, key);
      assert.equal(record.model, 'churn');
      assert.equal(record.status, 'active');
      assert.deepEqual(record.aliases, []);
      assert.equal(new Date(record.publishedAt).toISOString(), record.publishedAt);
    },
  },
  {
    name: 'returns the newest version when its content is published again',
    async run({ open }) {
      await published(open(), 'a', 'b');
      const again = await open().publish(CHURN, draftOf('b', { metrics: { auc: 0.9 }, tags: { team: 'x' } }), {
        aliases: ['staging'],
      });
      assert.equal(again.existed, true);
      assert.equal(again.version.number, 2);
      assert.deepEqual(again.version.metrics, { auc: 0.9 });
      assert.deepEqual(again.version.tags, { team: 'x' });
      assert.deepEqual(again.version.aliases, ['staging']);
      assert.equal(await numberOf(open(), 'churn@staging'), 2);
    },
  },
  {
    name: 'publishes the newest content anew when it is always to be published',
    async run({ open }) {
      await published(open(), 'a');
      const again = await open().publish(CHURN, draftOf('a', { tags: { run: '2' } }), { always: true });
      assert.deepEqual([again.existed, again.version.number, again.version.tags], [false, 2, { run: '2' }]);
      assert.equal((await open().version({ name: CHURN, selector: { kind: 'version', number: 1 } })).tags, undefined);
      assert.equal((await open().publish(CHURN, draftOf('a'))).version.number, 2);
      const { recipe: _, ...added } = draftOf('a');
      await failsWith('usage', () => open().publish(CHURN, added, { always: true }));
      await failsWith('usage', () => open().publish(CHURN, draftOf('a'), { always: true, existingOnly: true }));
    },
  },
  {
    name: 'writes nothing when there is nothing new to say',
    async run({ open }) {
      const registry = open();
      await registry.ensureModel(CHURN);
      const draft = draftOf('a', { metrics: { auc: 0.9 }, tags: { team: 'x' } });
      await registry.publish(CHURN, draft, { aliases: ['staging'] });
      const before = await all(registry.history(CHURN));
      await registry.publish(CHURN, draft, { aliases: ['staging'] });
      assert.deepEqual(await all(registry.history(CHURN)), before);
    },
  },
  {
    name: 'publishes older content anew',
    async run({ open }) {
      await published(open(), 'a', 'b');
      const again = await open().publish(CHURN, draftOf('a'));
      assert.equal(again.existed, false);
      assert.equal(again.version.number, 3);
    },
  },
  {
    name: 'publishes the content of a retired version anew',
    async run({ open }) {
      await published(open(), 'a');
      await open().retire(ref('churn:1'));
      assert.equal((await open().publish(CHURN, draftOf('a'))).version.number, 2);
    },
  },
  {
    name: 'refuses a repeated label that was asked for',
    async run({ open }) {
      const registry = open();
      await registry.ensureModel(CHURN);
      await registry.publish(CHURN, draftOf('a', { label: '1.0', labelFrom: 'flag' }));
      await failsWith('label-taken', () => open().publish(CHURN, draftOf('b', { label: '1.0', labelFrom: 'flag' })));
      assert.equal((await open().model(CHURN)).versions, 1);
    },
  },
  {
    name: 'keeps a repeated label of the metadata without letting it answer',
    async run({ open }) {
      const registry = open();
      await registry.ensureModel(CHURN);
      await registry.publish(CHURN, draftOf('a', { label: '1.0', labelFrom: 'metadata' }));
      const second = await registry.publish(CHURN, draftOf('b', { label: '1.0', labelFrom: 'metadata' }));
      assert.equal(second.version.labelShadowed, true);
      assert.equal(second.version.label, '1.0');
      assert.equal(await numberOf(open(), 'churn:1.0'), 1);
    },
  },
  {
    name: 'gives a label to content that had none, and refuses a second one',
    async run({ open }) {
      await published(open(), 'a');
      const labelled = await open().publish(CHURN, draftOf('a', { label: '1.0', labelFrom: 'flag' }));
      assert.equal(labelled.existed, true);
      assert.equal(labelled.version.label, '1.0');
      assert.equal(await numberOf(open(), 'churn:1.0'), 1);
      await failsWith('conflict', () => open().publish(CHURN, draftOf('a', { label: '2.0', labelFrom: 'flag' })));
    },
  },
  {
    name: 'publishes only into a model that was made',
    async run({ open }) {
      await open().ensureModel(CHURN);
      await failsWith('model-not-found', () => open().publish(parseModelName('wine'), draftOf('a')));
    },
  },
  {
    name: 'refuses what cannot be an alias or a metric before anything is written',
    async run({ open }) {
      await open().ensureModel(CHURN);
      await failsWith('invalid-name', () => open().publish(CHURN, draftOf('a'), { aliases: ['latest'] }));
      await failsWith('usage', () => open().publish(CHURN, draftOf('a', { metrics: { auc: Number.NaN } })));
      assert.equal((await open().model(CHURN)).versions, 0);
    },
  },
  {
    name: 'gives the id of a model and the recipes of its newest three versions',
    async run({ open }) {
      const { id, base } = await open().ensureModel(CHURN);
      assert.deepEqual(base, []);
      await published(open(), 'a', 'b', 'c', 'd');
      const again = await open().ensureModel(CHURN);
      assert.equal(again.id, id);
      assert.deepEqual(
        again.base,
        ['d', 'c', 'b'].map((content) => draftOf(content).recipe),
      );
    },
  },
];
