import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { createMemoryBlobStore } from './blob/memory.ts';
import { digestOf } from './digest.ts';
import { parseModelName } from './ref.ts';
import { openLogRegistry } from './registry/open.ts';
import { applyRetention, planRetention, type RetentionRules } from './retention.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.parse('2026-01-01T00:00:00.000Z');
const CHURN = parseModelName('churn');

/** A model whose version n was published on day n; `production` names 2. */
async function storeOf(versions: number) {
  let day = 0;
  const clock = () => new Date(START_MS + day * DAY_MS);
  const blobs = createMemoryBlobStore({ now: clock });
  const registry = openLogRegistry({ blobs, actor: 'test', clock });
  for (const name of [CHURN, parseModelName('other')]) {
    await registry.ensureModel(name);
    for (day = 1; day <= versions; day += 1) {
      const manifest = digestOf(`${name} ${day}`);
      const recipe = { digest: manifest, pack: 'none/0', offset: 0, length: 1 };
      await registry.publish(name, {
        manifest,
        recipe,
        sizeBytes: 10,
        fileCount: 1,
        flavor: 'file',
        scan: 'not scanned',
      });
    }
    day = versions;
  }
  await registry.setAlias(CHURN, 'production', 2);
  const plan = (rules: RetentionRules & { readonly model?: typeof CHURN }) =>
    planRetention({ blobs, now: clock(), model: CHURN, ...rules });
  return { blobs, registry, plan };
}

const numbers = (versions: readonly { readonly number: number }[]) => versions.map(({ number }) => number);

describe('retention', () => {
  test('lets go what is not among the newest, not aliased and old enough: all three', async () => {
    const { plan } = await storeOf(6);
    assert.deepEqual(numbers(await plan({ keepLast: 2 })), [1, 3, 4]);
    assert.deepEqual(numbers(await plan({ keepLast: 2, olderThanMs: 2 * DAY_MS })), [1, 3]);
    assert.deepEqual(numbers(await plan({ olderThanMs: 3 * DAY_MS })), [1]);
    assert.deepEqual(numbers(await plan({})), [1, 3, 4, 5]);
    assert.deepEqual(numbers(await plan({ keepLast: 0 })), [1, 3, 4, 5, 6]);
    assert.deepEqual(numbers(await plan({ keepLast: 100 })), []);
  });

  test('never lets go what latest means, also when newer versions are retired', async () => {
    const { registry, plan } = await storeOf(4);
    for (const number of [3, 4]) await registry.retire({ name: CHURN, selector: { kind: 'version', number } });
    await registry.setAlias(CHURN, 'production', 4);
    assert.deepEqual(numbers(await plan({ keepLast: 1 })), [1, 3]);
  });

  test('looks at all models, or at one that must be there', async () => {
    const { blobs, plan } = await storeOf(3);
    const all = await planRetention({ blobs, now: new Date(START_MS), keepLast: 1 });
    assert.deepEqual(
      all.map(({ model, number }) => `${model}:${number}`),
      ['churn:1', 'other:1', 'other:2'],
    );
    await assert.rejects(plan({ model: parseModelName('nobody') }), /no model "nobody"/);
    await assert.rejects(plan({ keepLast: 1.5 }), /whole number/);
  });

  test('says in the history which rule let a version go, and uses its number never again', async () => {
    const { registry, plan } = await storeOf(3);
    const { released } = await applyRetention(await plan({ keepLast: 1, olderThanMs: DAY_MS }), { registry });
    assert.deepEqual(numbers(released), [1]);
    const reasons: (string | undefined)[] = [];
    for await (const { kind, reason } of registry.history(CHURN)) if (kind === 'version-deleted') reasons.push(reason);
    assert.deepEqual(reasons, ['retention: not among the newest one, no alias names it, older than 1d']);
    assert.deepEqual(numbers((await registry.model(CHURN)).all.filter(({ status }) => status !== 'deleted')), [3, 2]);
  });

  test('leaves a version that got an alias since the rules were looked at, and one that is gone', async () => {
    const { registry, plan } = await storeOf(4);
    const planned = await plan({ keepLast: 1 });
    assert.deepEqual(numbers(planned), [1, 3]);
    await registry.setAlias(CHURN, 'staging', 3);
    await registry.deleteVersion({ name: CHURN, selector: { kind: 'version', number: 1 } });
    const { released, kept } = await applyRetention(planned, { registry });
    assert.deepEqual([numbers(released), numbers(kept)], [[], [3]]);
    assert.match(kept[0]?.why ?? '', /staging/);
  });
});
