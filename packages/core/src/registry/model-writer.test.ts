import { expect, test } from 'vitest';
import { observed } from '../blob/layers/observed.ts';
import { createMemoryBlobStore } from '../blob/memory.ts';
import { IngotError } from '../errors.ts';
import { parseModelName } from '../ref.ts';
import { all, CHURN, draftOf, numberOf, published, ref } from './conformance/case.ts';
import { openLogRegistry } from './open.ts';

const WINE = parseModelName('wine');

/** A store in which "churn" was being deleted by somebody who died before its name was free. */
async function halfDeleted() {
  const blobs = createMemoryBlobStore();
  await published(openLogRegistry({ blobs, actor: 'test' }), 'a');
  const dying = observed(blobs, {
    before: ({ operation, key }) => {
      if (operation === 'write' && key.startsWith('names/')) throw new IngotError('forbidden', 'died');
    },
  });
  await expect(openLogRegistry({ blobs: dying, actor: 'test' }).deleteModel(CHURN)).rejects.toThrow('died');
  return openLogRegistry({ blobs, actor: 'test' });
}

test('a model whose deletion was cut short is gone, and is not suggested for itself', async () => {
  const registry = await halfDeleted();
  expect(await all(registry.models())).toEqual([]);
  const error = await registry.resolve(ref('churn')).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'model-not-found', nearest: undefined });
});

test('its name can be taken by a new model, and by one that is renamed', async () => {
  const again = await halfDeleted();
  await published(again, 'b');
  expect(await numberOf(again, 'churn')).toBe(1);
  const renaming = await halfDeleted();
  await renaming.ensureModel(WINE);
  await renaming.publish(WINE, draftOf('c'));
  await renaming.rename(WINE, CHURN);
  expect(await numberOf(renaming, 'churn')).toBe(1);
});
