import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { BlobStore } from './blob/blob-store.ts';
import { observed } from './blob/layers/observed.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import type { Capture } from './capture.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import type { ContentStore } from './content/content-store.ts';
import { createStore } from './content/store-format.ts';
import { IngotError, isIngotError } from './errors.ts';
import { openPackageCache } from './package/cache.ts';
import { CHURN, testDirectory } from './package/testing/fixtures.ts';
import { pull, pullToCache } from './pull.ts';
import { type PushOptions, push } from './push.ts';
import { parseModelName, parseReference } from './ref.ts';
import { createUploadExpirer } from './registry/care-expire.ts';
import { openLogRegistry } from './registry/open.ts';
import type { Registry } from './registry/registry.ts';

interface Store {
  readonly blobs: BlobStore;
  readonly registry: Registry;
  readonly contents: ContentStore;
}

function over(blobs: BlobStore): Store {
  return { blobs, registry: openLogRegistry({ blobs, actor: 'test' }), contents: createBlobContentStore(blobs) };
}

async function newStore(): Promise<Store> {
  const blobs = createMemoryBlobStore();
  await createStore(blobs);
  return over(blobs);
}

async function failure(promise: Promise<unknown>): Promise<IngotError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isIngotError(error)) throw new Error('it should have failed with an IngotError', { cause: error });
  return error;
}

async function count(blobs: BlobStore, prefix: string): Promise<number> {
  let found = 0;
  for await (const _ of blobs.list(prefix)) found++;
  return found;
}

test('what is pulled is exactly what was pushed, and says what it is', async () => {
  await using directory = await testDirectory();
  const store = await newStore();
  await directory.write(
    Object.fromEntries(
      Object.entries({ ...CHURN, 'extra/deep/data.bin': 'x', 'empty.bin': '' }).map(([name, content]) => [
        `src/${name}`,
        content,
      ]),
    ),
  );
  await directory.write({ 'src/.ingotignore': '*.tmp\n', 'src/a.tmp': 'x', 'src/__pycache__/x.pyc': 'x' });
  const pushed = await push(directory.join('src'), {
    ...store,
    aliases: ['staging'],
    metrics: { auc: 0.9 },
    tags: { team: 'growth' },
    message: 'first',
  });
  expect(pushed).toMatchObject({
    ref: 'example-model:1',
    existed: false,
    version: { number: 1, label: '1.0', aliases: ['staging'], metrics: { auc: 0.9 }, scan: 'not scanned' },
  });
  expect(pushed.bytes.new).toBe(pushed.bytes.total);
  const pulled = await pull('example-model@staging', { ...store, output: directory.join('out') });
  expect(pulled.files).toEqual([
    'empty.bin',
    'extra/deep/data.bin',
    'interface.py',
    'metadata.yaml',
    'model.pkl',
    'requirements.txt',
  ]);
  for (const path of pulled.files)
    expect(await readFile(directory.join('out', path))).toEqual(await readFile(directory.join('src', path)));
  expect((await readdir(directory.join('out'))).sort()).toEqual([
    'empty.bin',
    'extra',
    'interface.py',
    'metadata.yaml',
    'model.pkl',
    'requirements.txt',
  ]);
  expect(pulled.description).toMatchObject({
    flavor: 'python',
    metadata: { raw: { version: '1.0' } },
    interfacePath: 'interface.py',
  });
  expect(await readdir(directory.path)).toEqual(['out', 'src']);
});

test('pushing the same content again writes no pack, gives the same version, and still moves aliases and adds tags and metrics', async () => {
  await using directory = await testDirectory();
  const store = await newStore();
  await directory.write(CHURN);
  const first = await push(directory.path, { ...store, name: 'churn' });
  const packs = await count(store.blobs, 'packs/');
  const again = await push(directory.path, {
    ...store,
    name: 'churn',
    aliases: ['production'],
    tags: { a: 'b' },
    metrics: { auc: 1 },
  });
  expect(again).toMatchObject({
    existed: true,
    ref: 'churn:1',
    version: { aliases: ['production'], tags: { a: 'b' }, metrics: { auc: 1 } },
    bytes: { new: 0, stored: first.bytes.total },
  });
  expect(await count(store.blobs, 'packs/')).toBe(packs);
  expect(await count(store.blobs, 'roots/')).toBe(0);
});

test('a version that is published while the same content is pushed again gets a successor with a root of its own', async () => {
  await using directory = await testDirectory();
  const store = await newStore();
  await directory.write({ 'one/m.bin': 'one', 'two/m.bin': 'two' });
  const first = await push(directory.join('one'), { ...store, name: 'm' });
  let rootsWhenPublished = 0;
  const registry: Registry = {
    ...store.registry,
    publish: async (name, draft, options) => {
      if (options?.existingOnly === true) await push(directory.join('two'), { ...store, name: 'm' });
      else rootsWhenPublished = await count(store.blobs, 'roots/uploads/');
      return await store.registry.publish(name, draft, options);
    },
  };
  const again = await push(directory.join('one'), { ...store, registry, name: 'm', aliases: ['production'] });
  expect(again).toMatchObject({ ref: 'm:3', existed: false, version: { aliases: ['production'] }, bytes: { new: 0 } });
  // Even the recipe is there already; what it relies on is named by the new root all the same.
  expect(again.version.recipe).toEqual(first.version.recipe);
  expect(rootsWhenPublished).toBe(1);
  expect(await count(store.blobs, 'roots/')).toBe(0);
});

test('the same content is pushed again also when the upload that stored it was given up since', async () => {
  await using directory = await testDirectory();
  const store = await newStore();
  await directory.write({ 'one/m.bin': 'one' });
  const { version } = await push(directory.join('one'), { ...store, name: 'm' });
  // A pusher that may not delete leaves its root, which a collection ends.
  const [upload = ''] = version.recipe.pack.split('/');
  await createUploadExpirer({ blobs: store.blobs, actor: 'gc' })(version.modelId, upload);
  const again = await push(directory.join('one'), { ...over(store.blobs), name: 'm', tags: { a: 'b' } });
  expect(again).toMatchObject({ ref: 'm:1', existed: true, version: { tags: { a: 'b' } } });
});

test('a second version stores only what changed', async () => {
  await using directory = await testDirectory();
  const store = await newStore();
  await directory.write({ 'big.bin': Buffer.alloc(100_000, 1), 'small.bin': 'one' });
  await push(directory.path, { ...store, name: 'm' });
  await directory.write({ 'small.bin': 'two' });
  const second = await push(directory.path, { ...store, name: 'm' });
  expect(second).toMatchObject({ ref: 'm:2', bytes: { total: 100_003, new: 3, stored: 100_000 } });
  expect(second.files).toMatchObject([
    { path: 'big.bin', new: false },
    { path: 'small.bin', new: true },
  ]);
  const pulled = await pull('m:1', { ...store, output: directory.join('one') });
  expect(await readFile(join(pulled.path, 'small.bin'), 'utf8')).toBe('one');
});

test('what was captured is in the event and in a content, and the same manifest may carry another one', async () => {
  await using directory = await testDirectory();
  const store = await newStore();
  await directory.write({ 'model.pkl': 'x' });
  const captured: Capture = {
    flavor: 'sklearn',
    environment: { python: '3.11.7', requirements: ['scikit-learn==1.9.1'] },
    params: { depth: 3 },
    lineage: { git: { commit: 'abc', dirty: true } },
    example: { inputs: [{ x: 1 }], predictions: [2] },
    serializer: { name: 'pickle', executesCode: true },
  };
  const pushed = await push(directory.path, { ...store, name: 'm', captured });
  expect(pushed.version).toMatchObject({
    flavor: 'sklearn',
    params: { depth: 3 },
    lineage: { git: { dirty: true } },
    environment: { python: '3.11.7' },
  });
  const pulled = await pull('m', { ...store, output: directory.join('out') });
  expect(pulled.captured).toEqual({ ...captured, card: expect.stringContaining('# m') });
  expect(pulled.files).toEqual(['model.pkl']);
  expect(pulled.description).toMatchObject({ requirements: ['scikit-learn==1.9.1'], pythonVersion: '3.11.7' });
});

test('a taken label is refused before anything is stored', async () => {
  await using directory = await testDirectory();
  const store = await newStore();
  await directory.write({ 'model.bin': 'one' });
  await push(directory.path, { ...store, name: 'm', label: '1.0.0' });
  await directory.write({ 'model.bin': 'two' });
  const packs = await count(store.blobs, 'packs/');
  expect(await failure(push(directory.path, { ...store, name: 'm', label: '1.0.0' }))).toMatchObject({
    code: 'label-taken',
  });
  expect(await count(store.blobs, 'packs/')).toBe(packs);
});

test.each<[string, Partial<PushOptions>, string]>([
  ['a name with a path in it', { name: 'a/../b' }, 'invalid-name'],
  ['a name of 10 kB', { name: 'x'.repeat(10_000) }, 'invalid-name'],
  ['an alias that is a number', { aliases: ['7'] }, 'invalid-name'],
  ['a label that is a number', { label: '7' }, 'invalid-name'],
])('%s is refused and nothing is written', async (_, options, code) => {
  await using directory = await testDirectory();
  const store = await newStore();
  await directory.write({ 'model.bin': 'x' });
  expect(await failure(push(directory.path, { ...store, name: 'm', ...options }))).toMatchObject({ code });
  expect(await count(store.blobs, '')).toBe(1);
});

test('a file that changes after it was looked at is source-changed, and neither version nor model nor packs appear', async () => {
  await using directory = await testDirectory();
  const store = await newStore();
  await directory.write({ 'model.bin': 'before', 'other.bin': 'x' });
  const registry: Registry = {
    ...store.registry,
    model: async (...args) => {
      await writeFile(directory.join('model.bin'), 'later!');
      return await store.registry.model(...args);
    },
  };
  const error = await failure(push(directory.path, { ...store, registry, name: 'm' }));
  expect(error).toMatchObject({ code: 'source-changed' });
  expect(error.message).toContain('model.bin');
  expect(await failure(store.registry.resolve(parseReference('m')))).toMatchObject({
    code: expect.stringMatching(/not-found/),
  });
  expect(await count(store.blobs, '')).toBe(1);
});

test('whoever may create and not delete can push, as marks that stay are left to a collection', async () => {
  await using directory = await testDirectory();
  await directory.write(CHURN);
  const held = createMemoryBlobStore();
  await createStore(held);
  const forbidden = () => Promise.reject(new IngotError('forbidden', 'deleting is not allowed'));
  const blobs: BlobStore = { ...held, delete: forbidden };
  const pushed = await push(directory.path, { ...over(blobs), name: 'churn', aliases: ['production'] });
  expect(pushed.version.number).toBe(1);
  expect(await count(held, 'roots/uploads/')).toBe(1);
});

test('a push that dies at any write or delete leaves the whole version or none, and the next push succeeds', async () => {
  await using directory = await testDirectory();
  await using scratch = await testDirectory();
  await directory.write(CHURN);
  for (let step = 1; ; step++) {
    for (const when of ['before', 'after'] as const) {
      const blobs = createMemoryBlobStore();
      await createStore(blobs);
      let changes = 0;
      let dead = false;
      const die = (): void => {
        if (dead) throw new IngotError('unexpected', 'the process is dead');
      };
      const dying = observed(blobs, {
        before: ({ operation }) => {
          die();
          if (operation !== 'write' && operation !== 'delete') return;
          changes++;
          dead = when === 'before' && changes === step;
          die();
        },
        after: ({ operation }) => {
          dead ||= when === 'after' && changes === step && (operation === 'write' || operation === 'delete');
          die();
        },
      });
      const outcome = await push(directory.path, { ...over(dying), name: 'churn', aliases: ['production'] }).then(
        () => 'done',
        () => 'died',
      );
      const after = over(blobs);
      const view = await after.registry.model(parseModelName('churn')).catch(() => undefined);
      if (outcome === 'done') expect(view?.versions).toBe(1);
      if (view !== undefined && view.versions > 0) {
        const pulled = await pull('churn:1', {
          ...after,
          output: scratch.join('out'),
          force: true,
        });
        expect(pulled.files).toHaveLength(4);
        await rm(pulled.path, { recursive: true });
      }
      const again = await push(directory.path, { ...after, name: 'churn', aliases: ['production'] });
      expect(again).toMatchObject({ ref: 'churn:1', version: { aliases: ['production'] } });
      if (changes < step) return expect(step).toBeGreaterThan(5);
    }
  }
});

test('pull refuses a directory with other files, fills an empty one, leaves an equal one alone and replaces by force', async () => {
  await using directory = await testDirectory();
  const store = await newStore();
  await directory.write({ 'src/a.bin': 'a', 'src/b/c.bin': 'c', 'taken/mine.txt': 'mine', 'file.txt': 'x' });
  await push(directory.join('src'), { ...store, name: 'm' });
  expect(await failure(pull('m', { ...store, output: directory.join('taken') }))).toMatchObject({ code: 'conflict' });
  expect(await readdir(directory.join('taken'))).toEqual(['mine.txt']);
  expect(await failure(pull('m', { ...store, output: directory.join('file.txt') }))).toMatchObject({
    code: 'conflict',
  });
  await mkdir(directory.join('empty'));
  expect((await pull('m', { ...store, output: directory.join('empty') })).existed).toBe(false);
  const before = await stat(directory.join('empty', 'a.bin'));
  expect((await pull('m', { ...store, output: directory.join('empty') })).existed).toBe(true);
  expect((await stat(directory.join('empty', 'a.bin'))).mtimeMs).toBe(before.mtimeMs);
  await writeFile(directory.join('empty', 'a.bin'), 'b');
  expect(await failure(pull('m', { ...store, output: directory.join('empty') }))).toMatchObject({ code: 'conflict' });
  await pull('m', { ...store, output: directory.join('taken'), force: true });
  expect(await readdir(directory.join('taken'))).toEqual(['a.bin', 'b']);
  expect((await readdir(directory.path)).sort()).toEqual(['empty', 'file.txt', 'src', 'taken']);
});

test('damaged bytes in the store leave nothing behind and name the file', async () => {
  await using directory = await testDirectory();
  const store = await newStore();
  await directory.write({ 'src/model.bin': 'the bytes of the model' });
  await push(directory.join('src'), { ...store, name: 'm' });
  const flipped = observed(store.blobs, {
    piece: (call, bytes) =>
      call.key.startsWith('packs/') ? Buffer.from(bytes).map((byte, index) => (index === 0 ? byte ^ 1 : byte)) : bytes,
  });
  const error = await failure(pull('m', { ...over(flipped), output: directory.join('out') }));
  expect(error.code).toBe('integrity');
  expect(await readdir(directory.path)).toEqual(['src']);
});

test('the cache serves a package with the store gone, and notices files that were touched', async () => {
  await using directory = await testDirectory();
  const store = await newStore();
  await directory.write(Object.fromEntries(Object.entries(CHURN).map(([name, content]) => [`src/${name}`, content])));
  const captured: Capture = { example: { inputs: [{ tenure: 1, payment_method: 'PayPal' }] } };
  await push(directory.join('src'), { ...store, name: 'churn', captured });
  await using cache = openPackageCache({ directory: directory.join('cache') });
  const found = await pullToCache('churn', { ...store, cache });
  expect(found.existed).toBe(false);
  expect(found.package.servable).toMatchObject({
    flavor: 'python',
    interfacePath: 'interface.py',
    example: captured.example,
    requirements: ['scikit-learn==1.9.1', 'pandas==3.0.1'],
  });
  const { manifest, recipe } = found.resolved;
  const gone: ContentStore = {
    ...store.contents,
    openRecipe: () => Promise.reject(new IngotError('unavailable', 'gone')),
  };
  await using other = openPackageCache({ directory: directory.join('cache') });
  expect((await other.fetch({ manifest, recipe }, gone)).directory).toBe(found.path);
  await chmod(join(found.path, 'model.pkl'), 0o644);
  await writeFile(join(found.path, 'model.pkl'), 'tampered');
  expect(await other.get({ manifest })).toBeUndefined();
  expect((await pullToCache('churn', { ...store, cache: other })).existed).toBe(false);
  expect(await readFile(join(found.path, 'model.pkl'))).toEqual(Buffer.from(CHURN['model.pkl'] ?? ''));
  expect((await stat(directory.join('cache', 'packages'))).mode & 0o777).toBe(0o700);
});

test('pruning removes the least recently used packages, but never those in use', async () => {
  await using directory = await testDirectory();
  const store = await newStore();
  let now = Date.parse('2026-01-01T00:00:00Z');
  const clock = (): Date => {
    now += 60_000;
    return new Date(now);
  };
  for (const number of [1, 2, 3]) {
    await directory.write({ 'src/model.bin': Buffer.alloc(1000, number) });
    await push(directory.join('src'), { ...store, name: 'm' });
    await using cache = openPackageCache({ directory: directory.join('cache'), clock, maxBytes: 10_000 });
    await pullToCache(`m:${number}`, { ...store, cache });
  }
  now += 3_600_000;
  await using cache = openPackageCache({ directory: directory.join('cache'), clock, maxBytes: 2500 });
  await pullToCache('m:1', { ...store, cache });
  const { removed, kept } = await cache.prune();
  expect(removed).toHaveLength(1);
  expect(kept).toHaveLength(2);
  const all = await cache.prune({ maxBytes: 0 });
  expect(all.kept.map(({ sizeBytes }) => sizeBytes)).toEqual([1000]);
  expect(await readdir(directory.join('cache', 'packages'))).toHaveLength(1);
});

test('two caches that fetch the same package at once both get it whole', async () => {
  await using directory = await testDirectory();
  const store = await newStore();
  await directory.write({ 'src/model.bin': Buffer.alloc(300_000, 7) });
  const { version } = await push(directory.join('src'), { ...store, name: 'm' });
  const caches = Array.from({ length: 6 }, () => openPackageCache({ directory: directory.join('cache') }));
  const found = await Promise.all(caches.map((cache) => cache.fetch(version, store.contents)));
  expect(new Set(found.map((one) => one.directory)).size).toBe(1);
  expect(await readdir(directory.join('cache', 'packages'))).toHaveLength(1);
  for (const cache of caches) await cache[Symbol.asyncDispose]();
});

test('links inside a package are pulled as the files they lead to', async () => {
  await using directory = await testDirectory();
  const store = await newStore();
  await directory.write({ 'src/a.bin': 'a' });
  await symlink('a.bin', directory.join('src', 'b.bin'));
  await push(directory.join('src'), { ...store, name: 'm' });
  await pull('m', { ...store, output: directory.join('out') });
  expect(await readFile(directory.join('out', 'b.bin'), 'utf8')).toBe('a');
});

test('a new model that is easily taken for another is pushed with a warning, and the next time without', async () => {
  await using directory = await testDirectory();
  const store = await newStore();
  await directory.write({ 'model.pkl': 'x' });
  const pushed = async (name: string): Promise<readonly string[]> => {
    const { plan } = await push(directory.path, { ...store, name });
    return plan.problems.filter(({ rule }) => rule === 'name.alike').map(({ message }) => message);
  };
  expect(await pushed('churn-model')).toEqual([]);
  expect(await pushed('iris')).toEqual([]);
  expect(await pushed('churn_model')).toEqual(['"churn_model" is a new model, easily taken for "churn-model"']);
  expect(await pushed('iris/daily')).toEqual(['"iris/daily" is a new model, easily taken for "iris"']);
  expect(await pushed('churn_model')).toEqual([]);
});
