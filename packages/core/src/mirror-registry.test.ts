import { expect, test } from 'vitest';
import type { BlobStore } from './blob/blob-store.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { createStore } from './content/store-format.ts';
import { IngotError } from './errors.ts';
import { mirrorRegistry } from './mirror-registry.ts';
import { testDirectory } from './package/testing/fixtures.ts';
import type { PromotionEnd } from './promote-bring.ts';
import { pull } from './pull.ts';
import { push } from './push.ts';
import { parseModelName, parseReference } from './ref.ts';
import { openLogRegistry } from './registry/open.ts';

const CHURN = parseModelName('churn');

async function newEnd(name: string) {
  const blobs: BlobStore = createMemoryBlobStore();
  const { id } = await createStore(blobs);
  const registry = openLogRegistry({ blobs, actor: `${name}@test` });
  return { blobs, registry, contents: createBlobContentStore(blobs), address: `memory:${name}`, store: id };
}

async function pushed(end: PromotionEnd & { blobs: BlobStore }, names: readonly string[], text: string) {
  await using directory = await testDirectory();
  await directory.write({ 'model/model.bin': text });
  for (const name of names) await push(directory.join('model'), { ...end, name, metrics: { auc: 0.8 } });
}

/** Versions 1 to 3 of churn, the first retired, and one of fraud. */
async function labAndPlant() {
  const [lab, plant] = [await newEnd('lab'), await newEnd('plant')];
  await pushed(lab, ['churn', 'team/fraud'], 'one');
  await pushed(lab, ['churn'], 'two');
  await pushed(lab, ['churn'], 'three');
  await lab.registry.retire(parseReference('churn:1'));
  await lab.registry.setAlias(CHURN, 'production', 2);
  await lab.registry.updateModel(CHURN, { description: 'who leaves', tags: { team: 'growth' } });
  return { lab, plant, ends: { from: lab, to: plant } };
}

const keysOf = async ({ blobs }: { readonly blobs: BlobStore }): Promise<readonly string[]> => {
  const keys = [];
  for await (const { key } of blobs.list('')) keys.push(key);
  return keys.sort();
};

test('all versions arrive under their numbers with aliases and history; a second run writes nothing at all', async () => {
  const { lab, plant, ends } = await labAndPlant();
  expect(await mirrorRegistry(ends)).toMatchObject({
    models: 2,
    versions: { new: 4, there: 0, left: [] },
    aliases: [{ alias: 'production', from: null, to: 2 }],
  });
  const view = await plant.registry.model(CHURN);
  expect(view.all.map(({ number, status }) => [number, status])).toEqual([
    [3, 'active'],
    [2, 'active'],
    [1, 'retired'],
  ]);
  expect(view).toMatchObject({ description: 'who leaves', tags: { team: 'growth' }, aliases: { production: 2 } });
  const { lineage } = await plant.registry.version(parseReference('churn:3'));
  expect(lineage?.origins).toMatchObject([{ registry: 'memory:lab', store: lab.store, number: 3 }]);
  const before = await keysOf(plant);
  expect(await mirrorRegistry(ends)).toMatchObject({
    models: 2,
    versions: { new: 0, there: 4 },
    edited: 0,
    aliases: [],
  });
  expect(await keysOf(plant)).toEqual(before);
  // By whatever way the same versions came, they are the same.
  const edge = await newEnd('edge');
  await mirrorRegistry({ from: lab, to: edge });
  expect(await mirrorRegistry({ from: plant, to: edge })).toMatchObject({ versions: { new: 0, there: 4 } });
  await using directory = await testDirectory();
  const { files } = await pull('churn@production', { ...plant, output: directory.join('out') });
  expect(files).toEqual(['model.bin']);
});

test('later versions, moved aliases and edits follow; what the other side says besides stays', async () => {
  const { lab, plant, ends } = await labAndPlant();
  await mirrorRegistry(ends);
  await pushed(lab, ['churn'], 'four');
  await lab.registry.setAlias(CHURN, 'production', 3);
  await lab.registry.update(parseReference('churn:2'), { metrics: { auc: 0.9 }, tags: { seen: 'yes' }, card: '# two' });
  await lab.registry.retire(parseReference('churn:2'));
  await plant.registry.update(parseReference('churn:2'), { tags: { line: '7' } });
  expect(await mirrorRegistry(ends)).toMatchObject({ versions: { new: 1, there: 4 }, edited: 1 });
  expect(await plant.registry.version(parseReference('churn:2'))).toMatchObject({
    status: 'retired',
    metrics: { auc: 0.9 },
    tags: { seen: 'yes', line: '7' },
    card: '# two',
  });
  expect((await plant.registry.model(CHURN)).aliases).toEqual({ production: 3 });
});

test('a dry run says what would come and writes nothing', async () => {
  const { plant, ends } = await labAndPlant();
  const before = await keysOf(plant);
  expect(await mirrorRegistry({ ...ends, dryRun: true })).toMatchObject({ versions: { new: 4 }, dryRun: true });
  expect(await keysOf(plant)).toEqual(before);
});

test('a model with numbers of its own there is a conflict and stays as it is, and the others arrive', async () => {
  const { plant, ends } = await labAndPlant();
  await pushed(plant, ['churn'], 'own');
  await expect(mirrorRegistry(ends)).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('churn:1 was published there'),
  });
  expect((await plant.registry.model(CHURN)).all.length).toBe(1);
  expect((await plant.registry.resolve(parseReference('team/fraud'))).number).toBe(1);
});

test('numbers below one that is there are left out and told; what was deleted there does not come back', async () => {
  const { lab, plant, ends } = await labAndPlant();
  await mirrorRegistry({ ...ends, models: [CHURN] });
  await plant.registry.deleteVersion(parseReference('churn:1'));
  await lab.registry.update(parseReference('churn:3'), { tags: { seen: 'yes' } });
  expect((await mirrorRegistry(ends)).versions).toEqual({ new: 1, there: 2, left: [] });
  const edge = await newEnd('edge');
  const newest = (await lab.registry.model(CHURN)).all.slice(0, 1);
  const only = { ...lab.registry, model: async () => ({ ...(await lab.registry.model(CHURN)), all: newest }) };
  await mirrorRegistry({ from: { ...lab, registry: only }, to: edge, models: [CHURN] });
  await lab.registry.update(parseReference('churn:3'), { tags: { seen: 'again' } });
  expect((await mirrorRegistry({ from: lab, to: edge, models: [CHURN] })).versions).toEqual({
    new: 0,
    there: 1,
    left: ['churn:1', 'churn:2'],
  });
});

test('an alias that may not move is told each time until it may, and the versions are there', async () => {
  const { plant, ends } = await labAndPlant();
  const setAlias = async (): Promise<never> => {
    throw new IngotError('refused', 'one approval is missing');
  };
  const refusing = { ...ends, to: { ...plant, registry: { ...plant.registry, setAlias } } };
  for (const added of [4, 0])
    expect(await mirrorRegistry(refusing)).toMatchObject({
      versions: { new: added },
      aliases: [{ alias: 'production', to: 2, error: { code: 'refused' } }],
    });
  expect(await mirrorRegistry({ ...ends, aliases: false })).toMatchObject({ aliases: [] });
  expect((await mirrorRegistry(ends)).aliases).toMatchObject([{ alias: 'production', from: null, to: 2 }]);
});

test('what is interrupted goes on where it was; two at once bring each version once', async () => {
  const { lab, plant, ends } = await labAndPlant();
  let reads = 0;
  const openRecipe: typeof lab.contents.openRecipe = async (...args) => {
    if (++reads > 2) throw new IngotError('unavailable', 'the lab is away');
    return await lab.contents.openRecipe(...args);
  };
  const breaking = { ...lab, contents: { ...lab.contents, openRecipe } };
  await expect(mirrorRegistry({ from: breaking, to: plant })).rejects.toMatchObject({ code: 'unavailable' });
  await Promise.all([mirrorRegistry(ends), mirrorRegistry(ends)]);
  const view = await plant.registry.model(CHURN);
  expect(view.all.map(({ number }) => number)).toEqual([3, 2, 1]);
});

test('a registry is not mirrored into itself', async () => {
  const lab = await newEnd('lab');
  await expect(mirrorRegistry({ from: lab, to: { ...lab, address: 'memory:other' } })).rejects.toMatchObject({
    code: 'usage',
  });
});
