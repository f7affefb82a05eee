import { mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { createMemoryBlobStore } from './blob/memory.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { createStore } from './content/store-format.ts';
import { type ImportOptions, planImport, runImport } from './import.ts';
import { openPackageCache } from './package/cache.ts';
import { type TestDirectory, testDirectory } from './package/testing/fixtures.ts';
import { parseModelName, parseReference } from './ref.ts';
import { openLogRegistry } from './registry/open.ts';
import { SourceReader } from './source-reader.ts';

async function world(directory: TestDirectory) {
  const blobs = createMemoryBlobStore();
  await createStore(blobs);
  const registry = openLogRegistry({ blobs, actor: 'test' });
  const contents = createBlobContentStore(blobs);
  const reader = new SourceReader({
    cache: openPackageCache({ directory: directory.join('cache') }),
    directory: directory.join('cache/sources'),
    open: async () => createMemoryBlobStore(),
    host: { cwd: directory.join('models') },
  });
  const options = { reader, registry, contents };
  const run = async (address: string, more: Partial<ImportOptions> = {}) => {
    const all = { ...options, ...more };
    return await runImport(await planImport(address, all), all);
  };
  const versions = async (name: string) => {
    const { all } = await registry.model(parseModelName(name));
    return all.map(({ number, label, status }) => [number, label, status]).reverse();
  };
  return { ...options, run, versions };
}

/** Writes files, each a day later than the one before; the text is their content, so equal texts are equal bytes. */
async function fill(directory: TestDirectory, files: Readonly<Record<string, string>>): Promise<void> {
  let day = 0;
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory.join('models'), name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text, 'latin1');
    day += 1;
    await utimes(path, new Date(Date.UTC(2023, 0, day)), new Date(Date.UTC(2023, 0, day)));
  }
}

test('every convention becomes models with their numbers, labels and times', async () => {
  await using directory = await testDirectory();
  const { run, versions, registry } = await world(directory);
  await fill(directory, {
    'fraud-2024-01-01.h5': 'f1',
    'fraud-20240301.h5': 'f2',
    'sentiment_model_v1.2.h5': 's12',
    'sentiment_model_v1.10.h5': 's110',
    'deep/models/v1/model.h5': 'd1',
    'deep/models/v2/model.h5': 'd2',
    'deep/models/v2/requirements.txt': 'numpy==2.0.0\n',
    'team/ranker/3/model.h5': 'r3',
    'team/ranker/5/model.h5': 'r5',
    'README.md': 'hello',
  });
  const { outcomes, plan } = await run('.');
  expect(outcomes.map(({ state }) => state)).not.toContain('failed');
  expect(plan.others.map((path) => path.split('/').at(-1))).toEqual(['README.md']);
  expect(await versions('sentiment-model')).toEqual([
    [1, '1.2', 'active'],
    [2, '1.10', 'active'],
  ]);
  expect(await versions('fraud')).toEqual([
    [1, '2024-01-01', 'active'],
    [2, '2024-03-01', 'active'],
  ]);
  expect(await versions('deep')).toEqual([
    [1, undefined, 'active'],
    [2, undefined, 'active'],
  ]);
  expect(await versions('team/ranker')).toEqual([
    [3, undefined, 'active'],
    [5, undefined, 'active'],
  ]);
  const record = await registry.version(parseReference('team/ranker:5'));
  expect(record.createdAt).toBe('2023-01-09T00:00:00.000Z');
  expect(record.lineage?.source?.address).toBe(`${directory.join('models')}/team/ranker/5/`);
  await expect(registry.version(parseReference('team/ranker:4'))).rejects.toMatchObject({
    code: 'version-not-found',
    message: '"team/ranker" has no version 4: the newest is 5, and not every number below it was used',
  });
});

test('a second run adds only what is new, and what was only touched is not new', async () => {
  await using directory = await testDirectory();
  const { run, versions } = await world(directory);
  await fill(directory, { 'churn_v1.h5': 'a', 'churn_v2.h5': 'b' });
  await run('./churn_v*.h5');
  await fill(directory, { 'churn_v1.h5': 'a', 'churn_v2.h5': 'another', 'churn_v4.h5': 'd' });
  await utimes(directory.join('models/churn_v1.h5'), new Date(), new Date());
  const again = await run('./churn_v*.h5');
  expect(again.outcomes.map(({ state, number }) => [state, number])).toEqual([
    ['there', 1],
    ['failed', undefined],
    ['added', 4],
  ]);
  expect(again.outcomes[1]?.error?.message).toMatch(/changed since it was imported as version 2/);
  expect(await versions('churn')).toHaveLength(3);
});

test('what is older than the newest is added retired, so that latest stays', async () => {
  await using directory = await testDirectory();
  const { run, versions, registry } = await world(directory);
  await fill(directory, { 'churn_v1.h5': 'a', 'churn_v3.h5': 'c', 'fraud_1.0.h5': 'x', 'fraud_2.0.h5': 'z' });
  await run('.');
  await fill(directory, { 'churn_v2.h5': 'b', 'fraud_1.5.h5': 'y' });
  await run('.');
  expect(await versions('churn')).toEqual([
    [1, undefined, 'active'],
    [3, undefined, 'active'],
    [4, 'v2', 'retired'],
  ]);
  expect(await versions('fraud')).toEqual([
    [1, '1.0', 'active'],
    [2, '2.0', 'active'],
    [3, '1.5', 'retired'],
  ]);
  expect((await registry.resolve(parseReference('churn'))).number).toBe(3);
  expect((await registry.resolve(parseReference('fraud:1.5'))).number).toBe(3);
});

test('what comes too late for its number takes none from what can keep its own', async () => {
  await using directory = await testDirectory();
  const { run, versions, registry } = await world(directory);
  await fill(directory, { 'churn_v1.h5': 'a', 'churn_v3.h5': 'c' });
  await run('.');
  await fill(directory, { 'churn_v2.h5': 'b', 'churn_v3.h5': 'changed', 'churn_v4.h5': 'd' });
  await run('.');
  expect(await versions('churn')).toEqual([
    [1, undefined, 'active'],
    [3, undefined, 'active'],
    [4, undefined, 'active'],
    [5, 'v2', 'retired'],
  ]);
  expect((await registry.resolve(parseReference('churn'))).number).toBe(4);
});

test('what is not one history is not made one', async () => {
  await using directory = await testDirectory();
  const { run } = await world(directory);
  await fill(directory, { 'acme/模型_v1.h5': 'a', 'acme/数据_v2.h5': 'b', 'wine_v1.h5': 'c', 'wine_v1.onnx': 'd' });
  const { outcomes } = await run('.');
  expect(outcomes.map(({ state, error }) => [state, error?.message.replace(/^.*\//, '')])).toEqual([
    ['failed', '模型_v1.h5: "数据", "模型" would all be called acme; import each by itself, with --name'],
    ['failed', '数据_v2.h5: "数据", "模型" would all be called acme; import each by itself, with --name'],
    ['failed', "wine_v1.onnx says it is version 1, too; import one format at a time, as in '*.pkl'"],
    ['failed', "wine_v1.h5 says it is version 1, too; import one format at a time, as in '*.pkl'"],
  ]);
});

test('a directory called like its model is not a namespace', async () => {
  await using directory = await testDirectory();
  const { run, versions, registry } = await world(directory);
  await fill(directory, { 'team/fraud/fraud_v1.h5': 'a', 'team/fraud/production.h5': 'a', 'fc/demand_v1.h5': 'b' });
  await fill(directory, { 'fc/staging.h5': 'b' });
  await run('.');
  expect(await versions('team/fraud')).toHaveLength(1);
  expect((await registry.model(parseModelName('team/fraud'))).aliases).toEqual({ production: 1 });
  expect((await registry.model(parseModelName('fc/demand'))).aliases).toEqual({ staging: 1 });
});

test('imports at once add every file once, and none fails', async () => {
  await using directory = await testDirectory();
  const { run, versions } = await world(directory);
  await fill(directory, { 'churn_v1.h5': 'a', 'churn_v2.h5': 'b', 'churn_v3.h5': 'c' });
  const results = await Promise.all([run('.'), run('.'), run('.')]);
  for (const { outcomes } of results) expect(outcomes.map(({ number }) => number)).toEqual([1, 2, 3]);
  expect(await versions('churn')).toHaveLength(3);
});

test('the same bytes under two names are stored once, and directories that are alike are two versions', async () => {
  await using directory = await testDirectory();
  const { run, versions } = await world(directory);
  const weights = 'w'.repeat(100_000);
  await fill(directory, { 'churn/v1/model.h5': weights, 'churn/v2/model.h5': weights });
  const { outcomes } = await run('./churn/');
  expect(outcomes.map(({ number, bytes }) => [number, bytes?.new])).toEqual([
    [1, 100_000],
    [2, 0],
  ]);
  expect(await versions('churn')).toHaveLength(2);
});

test('links, texts and copies that say which version is in use become aliases', async () => {
  await using directory = await testDirectory();
  const { run, registry } = await world(directory);
  await fill(directory, {
    'v1/model.h5': 'a',
    'v2/model.h5': 'b',
    'v3/model.h5': 'c',
    'production.txt': 'v2\n',
    'staging/model.h5': 'c',
    'champion/model.h5': 'another',
    'latest/model.h5': 'c',
  });
  await symlink('v1', directory.join('models/current'));
  const { aliases } = await run('.', { name: 'churn' });
  expect((await registry.model(parseModelName('churn'))).aliases).toEqual({ production: 2, staging: 3, current: 1 });
  const skipped = aliases.filter(({ state }) => state === 'skipped').map(({ pointer }) => pointer.path);
  expect(skipped.map((path) => path.split('/').at(-1))).toEqual(['champion', 'latest']);
  expect((await run('.', { name: 'churn' })).aliases.filter(({ state }) => state === 'there')).toHaveLength(3);
});

test('one bad file is reported, and the rest goes on', async () => {
  await using directory = await testDirectory();
  const { run, versions } = await world(directory);
  await fill(directory, { 'churn_v1.pkl': '\x80\x04 cut', 'churn_v2.h5': 'b', 'fraud_v1.pkl': '' });
  const { outcomes } = await run('.');
  expect(outcomes.map(({ model, state, error }) => [model, state, error?.code])).toEqual([
    ['churn', 'failed', 'invalid-package'],
    ['churn', 'added', undefined],
    ['fraud', 'failed', 'invalid-package'],
  ]);
  expect(await versions('churn')).toEqual([[2, undefined, 'active']]);
});

test('several models do not get one name, and an address without models says so', async () => {
  await using directory = await testDirectory();
  const { run } = await world(directory);
  await fill(directory, { 'churn_v1.h5': 'a', 'fraud_v1.h5': 'b', 'docs/notes.md': 'x' });
  await expect(run('.', { name: 'churn' })).rejects.toMatchObject({
    code: 'usage',
    message: /there are 2: churn, fraud/,
  });
  await expect(run('./docs/')).rejects.toMatchObject({ code: 'path-not-found', message: /holds no models/ });
});
