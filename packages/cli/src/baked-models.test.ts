import { rm, writeFile } from 'node:fs/promises';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { createBlobContentStore } from '@ingot/core/content/blob-content-store';
import { createStore } from '@ingot/core/content/store-format';
import { modelLayer } from '@ingot/core/deploy/model-layer';
import { writeTree } from '@ingot/core/deploy/write-tree';
import { openPackageCache } from '@ingot/core/package/cache';
import { type TestDirectory, testDirectory } from '@ingot/core/package/testing/fixtures';
import { pullToCache } from '@ingot/core/pull';
import { push } from '@ingot/core/push';
import { openLogRegistry } from '@ingot/core/registry/open';
import { describe, expect, test } from 'vitest';
import { bakedModels, expandBaked } from './baked-models.ts';

/** Bakes a version of `team/churn` below a directory, as a layer of an image has it, and gives its digest. */
async function bake(directory: TestDirectory, at?: string): Promise<string> {
  const blobs = createMemoryBlobStore();
  await createStore(blobs);
  const store = { registry: openLogRegistry({ blobs, actor: 'test' }), contents: createBlobContentStore(blobs) };
  await directory.write({
    'churn/interface.py': 'def load_model(): ...\n',
    'churn/weights.bin': '0123456789',
    'churn/requirements.txt': 'six==1.17.0\n',
  });
  const captured = {
    environment: { python: '3.11.7', platform: 'linux-x86_64', requirements: [], lock: ['six==1.17.0'] },
  };
  await push(directory.join('churn'), { ...store, name: 'team/churn', captured });
  await using cache = openPackageCache({ directory: directory.join('cache') });
  const { resolved } = await pullToCache('team/churn', { ...store, cache });
  const { model, modelId, number, manifest } = resolved;
  const cached = await cache.get({ manifest });
  if (cached === undefined) throw new Error('it is not in the cache');
  const version = { model, modelId, number, digest: manifest };
  await writeTree(modelLayer({ cached, version, ...(at !== undefined && { at }) }), directory.join('image'));
  return manifest;
}

describe('a baked model', () => {
  test('is served from where it lies, with its version, its digest and its lock', async () => {
    await using directory = await testDirectory();
    const digest = await bake(directory);
    const [source = '', ...others] = await expandBaked([`baked:${directory.join('image/models')}`], '/');
    expect([source, others]).toEqual([`baked:${directory.join('image/models/team/churn')}`, []]);
    const models = bakedModels();
    const found = await models.resolve(source);
    expect(found).toMatchObject({ source, model: 'team/churn', number: 1, digest });
    const servable = await models.fetch(found);
    expect(servable).toMatchObject({
      directory: directory.join('image/models/team/churn'),
      interfacePath: 'interface.py',
      requirements: ['six==1.17.0'],
      lock: { lines: ['six==1.17.0'], python: '3.11.7' },
    });
  });

  test('is known by its path alone, and at the root of an image that was mounted', async () => {
    await using directory = await testDirectory();
    await bake(directory, 'models');
    const place = directory.join('image/models');
    expect(await expandBaked([place, `file://${place}`, './models'], directory.join('image'))).toEqual([
      `baked:${place}`,
    ]);
    expect(await expandBaked([`baked:${directory.join('image')}`], '/')).toEqual([`baked:${place}`]);
  });

  test('may be mounted a little later', async () => {
    await using directory = await testDirectory();
    const source = `baked:${directory.join('image/models')}`;
    const expanded = expandBaked([source], '/', { waitMs: 30_000 });
    await bake(directory);
    expect(await expanded).toEqual([`${source}/team/churn`]);
  });

  test('leaves other sources as they are', async () => {
    const sources = ['churn@production', 's3://models/churn.pkl', './no-such', 'file://'];
    expect(await expandBaked(sources, '/')).toEqual(sources);
    await expect(expandBaked(['baked:/no-such'], '/')).rejects.toMatchObject({ code: 'not-found' });
  });

  test.each([
    ['is gone', (path: string) => rm(path), 'integrity', 'is missing'],
    ['has another size', (path: string) => writeFile(path, 'short'), 'integrity', 'has 5 bytes and not 10'],
  ])('whose file %s is not served', async (_, damage, code, message) => {
    await using directory = await testDirectory();
    await bake(directory);
    const place = directory.join('image/models/team/churn');
    await damage(`${place}/weights.bin`);
    await expect(bakedModels().resolve(`baked:${place}`)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  test('whose manifest is another one is not served under its digest', async () => {
    await using directory = await testDirectory();
    await bake(directory);
    const place = directory.join('image/models/team/churn');
    await writeFile(`${place}/.ingot/manifest.json`, '{"schemaVersion":2}');
    await expect(bakedModels().resolve(`baked:${place}`)).rejects.toMatchObject({ code: 'integrity' });
  });
});
