import assert from 'node:assert/strict';
import { CHURN, failsWith, published, type RegistryCase, ref } from './case.ts';

/** What is done only while the log is as somebody knew it. */
export const CONDITION_CASES: readonly RegistryCase[] = [
  {
    name: 'writes only onto the event that was expected',
    async run({ open }) {
      await published(open(), 'a', 'b');
      const { seq } = await open().resolve(ref('churn'));
      await open().setAlias(CHURN, 'production', 1, { expectedSeq: seq });
      const late = { expectedSeq: seq };
      await failsWith('precondition-failed', () => open().setAlias(CHURN, 'production', 2, late));
      await failsWith('precondition-failed', () => open().update(ref('churn:1'), { description: 'late' }, late));
      await failsWith('precondition-failed', () => open().retire(ref('churn:2'), late));
      await failsWith('precondition-failed', () => open().deleteModel(CHURN, late));
      const now = await open().resolve(ref('churn@production'));
      assert.deepEqual([now.number, now.seq], [1, seq + 1]);
    },
  },
];
