import { expect, test } from 'vitest';
import { createMemoryBlobStore } from './blob/memory.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { createStore } from './content/store-format.ts';
import { openPackageCache } from './package/cache.ts';
import { type TestDirectory, testDirectory } from './package/testing/fixtures.ts';
import { pullToCache } from './pull.ts';
import { push } from './push.ts';
import { parseReference } from './ref.ts';
import { openLogRegistry } from './registry/open.ts';

const NOBODYS = `sha256:${'0'.repeat(64)}`;

/** A store with a base and an adapter of it; `base` replaces what the adapter says of its base. */
async function adapterStore(directory: TestDirectory, base?: (digest: string) => unknown) {
  const blobs = createMemoryBlobStore();
  await createStore(blobs);
  const store = { registry: openLogRegistry({ blobs, actor: 'test' }), contents: createBlobContentStore(blobs) };
  await directory.write({ 'base/weights.bin': 'the base' });
  await push(directory.join('base'), { ...store, name: 'team/base' });
  const { manifest } = await store.registry.resolve(parseReference('team/base'));
  const said = base === undefined ? { version: 'team/base:1', digest: manifest } : base(manifest);
  const flavor = JSON.stringify({ flavor: 'peft', artifact: 'adapter', base: said });
  await directory.write({ 'tuned/flavor.json': flavor, 'tuned/adapter/adapter_config.json': '{}' });
  await push(directory.join('tuned'), { ...store, name: 'tuned' });
  return { store, manifest };
}

test('an adapter comes into the cache with the version that it changes', async () => {
  await using directory = await testDirectory();
  const { store, manifest } = await adapterStore(directory);
  await using cache = openPackageCache({ directory: directory.join('cache') });
  await pullToCache('tuned', { ...store, cache });
  expect((await cache.get({ manifest }))?.manifest).toBe(manifest);
});

test('a part of several models comes with the version that it changes, also where the part is of a part', async () => {
  await using directory = await testDirectory();
  const { store, manifest } = await adapterStore(directory);
  const adapter = { name: 'tuned', flavor: 'peft', base: { version: 'team/base:1', digest: manifest } };
  const pair = { name: 'pair', flavor: 'models', parts: [adapter, adapter] };
  const flavor = JSON.stringify({ flavor: 'models', main: 'tuned', parts: [{ name: 'threshold', value: 1 }, pair] });
  await directory.write({ 'both/flavor.json': flavor, 'both/tuned/adapter_config.json': '{}' });
  await push(directory.join('both'), { ...store, name: 'both' });
  await using cache = openPackageCache({ directory: directory.join('cache') });
  await pullToCache('both', { ...store, cache });
  expect((await cache.get({ manifest }))?.manifest).toBe(manifest);
});

test.each([
  ['is a name of the Hub', () => ({ name: 'org/bert' })],
  ['is no object', () => 'team/base:1'],
  ['is in no store', () => ({ version: 'gone:1', digest: NOBODYS })],
  ['is no version of its model', () => ({ version: 'team/base:1', digest: NOBODYS })],
  ['has no proper name', (digest: string) => ({ version: '../base', digest })],
  ['has a digest that is none', () => ({ version: 'team/base:1', digest: '../../etc' })],
])('an adapter whose base %s comes alone', async (_, base) => {
  await using directory = await testDirectory();
  const { store } = await adapterStore(directory, base);
  await using cache = openPackageCache({ directory: directory.join('cache') });
  await pullToCache('tuned', { ...store, cache });
  expect((await cache.list()).length).toBe(1);
});
