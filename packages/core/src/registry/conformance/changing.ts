import assert from 'node:assert/strict';
import { parseModelName } from '../../ref.ts';
import { encodeLog, parseLog } from '../log-documents.ts';
import { CHURN, all, draftOf, failsWith, numberOf, published, type RegistryCase, ref } from './case.ts';

const WINE = parseModelName('wine');

/** What can be changed, and how the history tells it. */
export const CHANGING_CASES: readonly RegistryCase[] = [
  {
    name: 'changes what is said of a version',
    async run({ open }) {
      await open().ensureModel(CHURN);
      await open().publish(CHURN, draftOf('a', { tags: { a: '1', b: '2' }, metrics: { auc: 0.9 } }));
      await open().update(ref('churn:1'), { description: 'better', tags: { a: null, c: '3' }, metrics: { f1: 0.8 } });
      const record = await open().version(ref('churn:1'));
      assert.equal(record.description, 'better');
      assert.deepEqual(record.tags, { b: '2', c: '3' });
      assert.deepEqual(record.metrics, { auc: 0.9, f1: 0.8 });
      assert.deepEqual((await open().model(CHURN)).latest?.metrics, { auc: 0.9, f1: 0.8 });
    },
  },
  {
    name: 'changes what is said of a model, also of one without versions, and writes nothing twice',
    async run({ open }) {
      const made = await open().ensureModel(CHURN);
      assert.deepEqual([made.isNew, (await open().ensureModel(CHURN)).isNew], [true, false]);
      const empty = await open().model(CHURN);
      assert.deepEqual([empty.id, empty.versions, empty.all, empty.tags, empty.aliases], [made.id, 0, [], {}, {}]);
      const description = `who leaves, ${'and why, '.repeat(60)}`;
      const changed = await open().updateModel(CHURN, { description, tags: { team: 'growth', old: 'x' } });
      assert.deepEqual([changed.name, changed.description, changed.tags.team], ['churn', description, 'growth']);
      await open().updateModel(CHURN, { tags: { old: null, never: null, team: 'growth' } }, { reason: 'tidy' });
      await open().updateModel(CHURN, { description, tags: { team: 'growth' } });
      const view = await open().model(CHURN);
      assert.deepEqual([view.description, view.tags], [description, { team: 'growth' }]);
      const events = await all(open().history(CHURN));
      assert.deepEqual(
        events.map(({ kind, reason }) => [kind, reason]),
        [
          ['model-updated', undefined],
          ['model-updated', 'tidy'],
        ],
      );
      await open().updateModel(CHURN, { description: '' });
      assert.equal((await open().model(CHURN)).description, undefined);
      await failsWith('model-not-found', () => open().updateModel(WINE, { description: 'x' }));
    },
  },
  {
    name: 'puts versions in stages and takes them out, each once',
    async run({ open }) {
      await published(open(), 'a', 'b');
      assert.equal((await open().setStage(ref('churn:1'), 'Staging')).stage, 'Staging');
      await open().setStage(ref('churn:1'), 'Production', { reason: 'good' });
      await open().setStage(ref('churn:1'), 'Production');
      await open().setStage(ref('churn:2'), 'Production');
      await open().setStage(ref('churn:2'), null);
      await open().setStage(ref('churn:2'), null);
      assert.equal((await open().version(ref('churn:1'))).stage, 'Production');
      assert.equal((await open().version(ref('churn:2'))).stage, undefined);
      const view = await open().model(CHURN);
      assert.deepEqual(
        view.all.map(({ number, stage }) => [number, stage]),
        [
          [2, undefined],
          [1, 'Production'],
        ],
      );
      const events = (await all(open().history(CHURN))).slice(2);
      assert.deepEqual(
        events.map(({ summary, body }) => [summary, body.from]),
        [
          ['version 1 moved to stage Staging', null],
          ['version 1 moved to stage Production', 'Staging'],
          ['version 2 moved to stage Production', null],
          ['version 2 is in no stage any more', 'Production'],
        ],
      );
      await failsWith('version-not-found', () => open().setStage(ref('churn:3'), 'Staging'));
      for (const bad of ['', ' Staging', 'a\nb', 'x'.repeat(101)])
        await failsWith('invalid-name', () => open().setStage(ref('churn:1'), bad));
    },
  },
  {
    name: 'names whoever a call was made for in the history',
    async run({ open }) {
      const registry = open();
      await registry.ensureModel(CHURN, { actor: 'ana' });
      await registry.publish(CHURN, draftOf('a'), { actor: 'ben', aliases: ['staging'] });
      await registry.updateModel(CHURN, { description: 'x' }, { actor: 'cleo' });
      await registry.setStage(ref('churn:1'), 'Staging', { actor: 'dan' });
      await registry.update(ref('churn:1'), { tags: { a: '1' } }, { actor: 'eva' });
      const actors = (await all(open().history(CHURN))).map(({ actor }) => actor);
      assert.deepEqual(actors, ['ben', 'ben', 'cleo', 'dan', 'eva']);
      assert.equal((await open().version(ref('churn:1'))).publishedBy, 'ben');
    },
  },
  {
    name: 'retires a version once',
    async run({ open }) {
      await published(open(), 'a');
      assert.equal((await open().retire(ref('churn:1'))).status, 'retired');
      const before = await all(open().history(CHURN));
      assert.equal((await open().retire(ref('churn:1'))).status, 'retired');
      assert.deepEqual(await all(open().history(CHURN)), before);
    },
  },
  {
    name: 'deletes a version but never its number, and not while an alias names it',
    async run({ open }) {
      await published(open(), 'a', 'b');
      await open().setAlias(CHURN, 'production', 2);
      await failsWith('conflict', () => open().deleteVersion(ref('churn:2')));
      await open().removeAlias(CHURN, 'production');
      await open().deleteVersion(ref('churn:2'));
      await failsWith('version-not-found', () => open().resolve(ref('churn:2')));
      await failsWith('version-not-found', () => open().deleteVersion(ref('churn:2')));
      assert.equal(await numberOf(open(), 'churn'), 1);
      assert.equal((await open().publish(CHURN, draftOf('c'))).version.number, 3);
      assert.equal((await open().model(CHURN)).versions, 2);
    },
  },
  {
    name: 'frees the label of a deleted version',
    async run({ open }) {
      await open().ensureModel(CHURN);
      await open().publish(CHURN, draftOf('a', { label: '1.0', labelFrom: 'flag' }));
      await open().deleteVersion(ref('churn:1.0'));
      await open().publish(CHURN, draftOf('b', { label: '1.0', labelFrom: 'flag' }));
      assert.equal(await numberOf(open(), 'churn:1.0'), 2);
    },
  },
  {
    name: 'starts at version 1 when a deleted model is made again',
    async run({ open }) {
      const before = await open().ensureModel(CHURN);
      await published(open(), 'a', 'b');
      const other = open();
      await numberOf(other, 'churn');
      await open().deleteModel(CHURN);
      await failsWith('model-not-found', () => other.resolve(ref('churn')));
      await failsWith('model-not-found', () => open().deleteModel(CHURN));
      assert.deepEqual(await all(open().models()), []);
      const after = await open().ensureModel(CHURN);
      assert.notEqual(after.id, before.id);
      assert.deepEqual(after.base, []);
      await published(open(), 'b');
      assert.equal(await numberOf(other, 'churn'), 1);
    },
  },
  {
    name: 'renames a model with all it has',
    async run({ open }) {
      const other = open();
      await published(open(), 'a');
      await open().setAlias(CHURN, 'production', 1);
      const { modelId } = await other.resolve(ref('churn'));
      await open().rename(CHURN, WINE);
      await failsWith('model-not-found', () => other.resolve(ref('churn')));
      const renamed = await other.resolve(ref('wine@production'));
      assert.equal(renamed.modelId, modelId);
      assert.equal((await open().version(ref('wine:1'))).model, 'wine');
    },
  },
  {
    name: 'does not rename over another model',
    async run({ open }) {
      await published(open(), 'a');
      await open().ensureModel(WINE);
      await failsWith('name-taken', () => open().rename(CHURN, WINE));
      await failsWith('model-not-found', () => open().rename(parseModelName('digits'), parseModelName('iris')));
      await open().rename(CHURN, CHURN);
      assert.equal(await numberOf(open(), 'churn'), 1);
    },
  },
  {
    name: 'lists the models that have a version, by name',
    async run({ open }) {
      await open().ensureModel(parseModelName('empty'));
      for (const name of ['wine', 'team/churn', 'churn'].map(parseModelName)) {
        await open().ensureModel(name);
        await open().publish(name, draftOf('a', { description: `about ${name}` }), { aliases: ['production'] });
      }
      const models = await all(open().models());
      assert.deepEqual(
        models.map(({ name }) => name),
        ['churn', 'team/churn', 'wine'],
      );
      assert.equal(models[0]?.latest?.number, 1);
      assert.equal(models[0]?.versions, 1);
      assert.equal(models[0]?.description, 'about churn');
      assert.deepEqual(models[0]?.aliases, { production: 1 });
    },
  },
  {
    name: 'gives the log as it lies in the store: its events chain, and are those of the history',
    async run({ open }) {
      await published(open(), 'a', 'b');
      for (const note of ['one', 'two']) await open().update(ref('churn:1'), { tags: { note } });
      const events = parseLog(encodeLog(await all(open().log(CHURN))), 'the log');
      const history = await all(open().history(CHURN));
      assert.deepEqual(
        events.map(({ digest, body }) => [digest, body]),
        history.map(({ digest, body }) => [digest, body]),
      );
      await failsWith('model-not-found', () => all(open().log(WINE)));
    },
  },
  {
    name: 'tells the history in plain words, in order and without gaps',
    async run({ open }) {
      const registry = open();
      await registry.ensureModel(CHURN);
      await registry.publish(CHURN, draftOf('a', { label: '1.0', message: 'the first' }));
      await registry.publish(CHURN, draftOf('b'));
      await registry.setAlias(CHURN, 'production', 1);
      await registry.setAlias(CHURN, 'production', 2, { reason: 'better recall' });
      await registry.update(ref('churn:2'), { tags: { team: 'x' } });
      await registry.retire(ref('churn:1'));
      await registry.removeAlias(CHURN, 'production');
      const events = await all(open().history(CHURN));
      assert.deepEqual(
        events.map(({ seq, summary, reason }) => [seq, summary, reason]),
        [
          [1, 'version 1 published as 1.0', 'the first'],
          [2, 'version 2 published', undefined],
          [3, 'production set to 1', undefined],
          [4, 'production moved from 1 to 2', 'better recall'],
          [5, 'version 2: tag team=x', undefined],
          [6, 'version 1 retired', undefined],
          [7, 'production removed (it named 2)', undefined],
        ],
      );
      const times = events.map(({ at }) => at);
      assert.deepEqual(times, [...times].sort());
    },
  },
];
