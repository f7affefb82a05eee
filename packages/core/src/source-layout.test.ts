import { expect, test } from 'vitest';
import type { BlobStore } from './blob/blob-store.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import { planOpenBundle, runBundle } from './bundle-import.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { createStore } from './content/store-format.ts';
import { OciLayout } from './oci/layout.ts';
import { openStoredPackage } from './package/stored-package.ts';
import { testDirectory } from './package/testing/fixtures.ts';
import { originOf, readHistory } from './promote-origin.ts';
import { factsOf } from './promote-version.ts';
import { push } from './push.ts';
import { pushArtifact } from './push-artifact.ts';
import { parseModelName, parseReference } from './ref.ts';
import { openLogRegistry } from './registry/open.ts';
import { openLayoutBundle, openLayoutRegistry } from './source-layout.ts';

const CHURN = parseModelName('churn');

async function newStore(name: string) {
  const blobs: BlobStore = createMemoryBlobStore();
  const { id } = await createStore(blobs);
  const registry = openLogRegistry({ blobs, actor: `${name}@test` });
  return { blobs, registry, contents: createBlobContentStore(blobs), address: `memory:${name}`, store: id };
}

type Store = Awaited<ReturnType<typeof newStore>>;

async function exported(lab: Store, reference: string, directory: string): Promise<void> {
  const record = await lab.registry.version(parseReference(reference));
  const { recipe, description, manifest, config } = await openStoredPackage(lab.contents, record, {});
  const told = {
    name: record.model,
    origin: originOf(lab, record, await readHistory(lab, record.model, {})),
    facts: factsOf(record),
    aliases: record.aliases,
  };
  const open = ({ digest }: { digest: typeof record.manifest }) => lab.contents.read(recipe, digest);
  const tags = [`${record.model}:${record.number}`];
  await pushArtifact({ manifest, config, description, open, told }, new OciLayout(directory), { tags });
}

async function imported(directory: string, plant: Store) {
  const bundle = await openLayoutBundle(directory);
  if (bundle === undefined) throw new Error('it should have versions');
  await using plan = await planOpenBundle('the stick', bundle, plant);
  return await runBundle(plan, plant);
}

test('a layout is imported under the numbers and aliases that it was exported with, and a later one goes on', async () => {
  await using directory = await testDirectory();
  const [lab, plant] = [await newStore('lab'), await newStore('plant')];
  for (const text of ['one', 'two', 'three', 'four']) {
    await directory.write({ [`${text}/model.bin`]: text });
    await push(directory.join(text), { ...lab, name: 'churn', metrics: { auc: 0.9 } });
  }
  await lab.registry.setAlias(CHURN, 'production', 2);
  const [stick, later] = [directory.join('stick'), directory.join('later')];
  for (const reference of ['churn:3', 'churn:1', 'churn:2']) await exported(lab, reference, stick);
  expect((await imported(stick, plant)).outcomes.map(({ number, added }) => [number, added])).toEqual([
    [1, true],
    [2, true],
    [3, true],
  ]);
  const [there, here] = [await lab.registry.model(CHURN), await plant.registry.model(CHURN)];
  expect(here.aliases).toEqual({ production: 2 });
  expect(here.all.map(({ manifest }) => manifest)).toEqual(there.all.slice(1).map(({ manifest }) => manifest));
  const { lineage, metrics } = await plant.registry.version(parseReference('churn:3'));
  expect(lineage?.origins).toMatchObject([{ registry: 'memory:lab', number: 3, publishedBy: 'lab@test' }]);
  expect(metrics).toEqual({ auc: 0.9 });
  await exported(lab, 'churn:4', later);
  expect((await imported(later, plant)).outcomes).toMatchObject([{ number: 4, added: true }]);
  // What is read from the layout says where it was made, too.
  await using registry = await openLayoutRegistry(stick);
  const read = await registry.registry.version(parseReference('churn:3'));
  expect(read.lineage?.origins).toMatchObject([{ registry: 'memory:lab', number: 3 }]);
});

test('a directory without versions of a registry is no such layout', async () => {
  await using directory = await testDirectory();
  expect(await openLayoutBundle(directory.join('nowhere'))).toBeUndefined();
});
