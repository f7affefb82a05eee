import assert from 'node:assert/strict';
import { all, CHURN, draftOf, failsWith, published, type RegistryCase, ref } from './case.ts';

/** Approvals and holds. */
export const GOVERNING_CASES: readonly RegistryCase[] = [
  {
    name: 'binds an approval to number, manifest and purpose, and writes each one',
    async run({ open }) {
      await published(open(), 'a', 'b');
      const { manifest, modelId } = await open().version(ref('churn:1'));
      const approval = await open().approve(ref('churn:1'), { alias: 'production' }, { reason: 'looked at it' });
      assert.deepEqual(approval, { model: 'churn', modelId, number: 1, manifest, purpose: { alias: 'production' } });
      await open().approve(ref('churn:1'), { alias: 'production' });
      await open().approve(ref('churn:2'), { stage: 'Staging' });
      const given = (await all(open().history(CHURN))).filter(({ kind }) => kind === 'approval-given');
      assert.deepEqual(
        given.map(({ body, reason, summary }) => [body.number, body.alias ?? body.stage, reason, summary]),
        [
          [1, 'production', 'looked at it', 'version 1 approved for @production'],
          [1, 'production', undefined, 'version 1 approved for @production'],
          [2, 'Staging', undefined, 'version 2 approved for stage Staging'],
        ],
      );
      assert.equal(given[0]?.body.manifest, manifest);
    },
  },
  {
    name: 'writes that an approval was withdrawn, beside the one that was given',
    async run({ open }) {
      await published(open(), 'a');
      await open().approve(ref('churn:1'), { alias: 'production' });
      const withdrawn = await open().withdrawApproval(ref('churn:1'), { alias: 'production' }, { reason: 'a mistake' });
      assert.deepEqual([withdrawn.number, withdrawn.purpose], [1, { alias: 'production' }]);
      const told = (await all(open().history(CHURN))).filter(({ kind }) => kind.startsWith('approval-'));
      assert.deepEqual(
        told.map(({ reason, summary }) => [reason, summary]),
        [
          [undefined, 'version 1 approved for @production'],
          ['a mistake', 'approval of version 1 for @production withdrawn'],
        ],
      );
    },
  },
  {
    name: 'gives no approval to what is not there, or is not what was looked at',
    async run({ open }) {
      await published(open(), 'a');
      await failsWith('version-not-found', () => open().approve(ref('churn:2'), { alias: 'production' }));
      const { manifest } = draftOf('other');
      await failsWith('conflict', () => open().approve(ref('churn:1'), { alias: 'production' }, { manifest }));
      await failsWith('invalid-name', () => open().approve(ref('churn:1'), { stage: ' ' }));
    },
  },
  {
    name: 'refuses to delete what is under a hold, until the hold ends',
    async run({ open }) {
      await published(open(), 'a', 'b');
      await open().setHold(CHURN, { hold: 'case 17/a', number: 1 }, { reason: 'the court asks' });
      await open().setHold(CHURN, { hold: 'case 17/a', number: 1 });
      await failsWith('conflict', () => open().setHold(CHURN, { hold: 'case 17/a', number: 2 }));
      await failsWith('version-not-found', () => open().setHold(CHURN, { hold: 'other', number: 9 }));
      await failsWith('invalid-name', () => open().setHold(CHURN, { hold: '', number: 1 }));
      const refused = await failsWith('refused', () => open().deleteVersion(ref('churn:1')));
      assert.match(String(refused), /case 17\/a/);
      await failsWith('refused', () => open().deleteModel(CHURN));
      await open().deleteVersion(ref('churn:2'));
      await failsWith('not-found', () => open().releaseHold(CHURN, 'case 18'));
      await open().releaseHold(CHURN, 'case 17/a', { reason: 'settled' });
      await open().deleteVersion(ref('churn:1'));
      const told = (await all(open().history(CHURN))).filter(({ kind }) => kind.startsWith('hold-'));
      assert.deepEqual(
        told.map(({ kind, reason }) => [kind, reason]),
        [
          ['hold-set', 'the court asks'],
          ['hold-released', 'settled'],
        ],
      );
    },
  },
];
