import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { bodyOf } from './blob/bytes.ts';
import { CHURN, HOUR_MS, keysOf, standingStill, storeOf } from './collect-trial-store.ts';
import { writeUploadRoot } from './content/roots.ts';
import { isIngotError } from './errors.ts';
import { canonicalJson } from './json.ts';

describe('a collection and uploads in flight', () => {
  test('gives abandoned uploads up in their model’s log before their root goes; publishing them is refused then', async () => {
    const { blobs, registry, run, pass, push } = await storeOf(1);
    // Right before its event the push stands still for two days.
    const slow = standingStill(blobs, ({ operation, key }) => operation === 'list' && key === 'gc/');
    const pushing = push('upload-slow', slow.blobs);
    await slow.standing;
    assert.deepEqual((await run({ graceMs: 24 * HOUR_MS })).uploads, []);
    pass(48 * HOUR_MS);
    const { uploads } = await run({ graceMs: 24 * HOUR_MS });
    assert.deepEqual(
      uploads.map(({ upload, model }) => [upload, model]),
      [['upload-slow', 'churn']],
    );
    assert.deepEqual(await keysOf(blobs, 'roots/'), []);
    const kinds: string[] = [];
    for await (const { kind, actor } of registry.history(CHURN)) kinds.push(`${kind} by ${actor}`);
    assert.equal(kinds.at(-1), 'upload-expired by gardener');
    slow.goOn();
    await assert.rejects(pushing, (error) => isIngotError(error, 'conflict') && /abandoned/.test(error.message));
    assert.equal((await registry.model(CHURN)).versions, 1);
    await run({ graceMs: 24 * HOUR_MS });
    pass(48 * HOUR_MS);
    await run({ graceMs: 24 * HOUR_MS });
    assert.deepEqual(await keysOf(blobs, 'packs/upload-slow'), []);
  });

  test('keeps what any root names, whatever its kind, and a root of a model that nobody knows', async () => {
    const { blobs, run, pass } = await storeOf(0);
    for (const pack of ['model/0', 'unknown/0', 'unnamed/0']) await blobs.write(`packs/${pack}.pack`, bodyOf('x'));
    await blobs.write(
      'roots/logged-models/m-1.json',
      bodyOf(canonicalJson({ format: 1, what: 'a logged model', packs: ['model/0'] })),
    );
    const root = { upload: 'unknown', modelId: 'nobody-0123456789abcdef', at: '', packs: ['unknown/0'] };
    await writeUploadRoot(blobs, 'roots/uploads/unknown/0.json', root, {});
    pass(100 * HOUR_MS);
    await run();
    assert.deepEqual(await keysOf(blobs, 'packs/'), ['packs/model/0.pack', 'packs/unknown/0.pack']);
  });

  test('takes everything of a model that was deleted, uploads in flight included', async () => {
    const { blobs, registry, run } = await storeOf(2);
    const { id } = await registry.model(CHURN);
    await blobs.write('packs/flying/0.pack', bodyOf('x'));
    const root = { upload: 'flying', modelId: id, at: '', packs: ['flying/0'] };
    await writeUploadRoot(blobs, 'roots/uploads/flying/0.json', root, {});
    await registry.deleteModel(CHURN);
    await run();
    assert.deepEqual([...(await keysOf(blobs, 'packs/')), ...(await keysOf(blobs, 'roots/'))], []);
  });
});
