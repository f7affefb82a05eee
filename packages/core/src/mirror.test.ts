import { expect, test } from 'vitest';
import type { BlobStore } from './blob/blob-store.ts';
import { bodyOf, collect } from './blob/bytes.ts';
import { observed } from './blob/layers/observed.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { createStore } from './content/store-format.ts';
import { IngotError, isIngotError } from './errors.ts';
import { mirror } from './mirror.ts';
import { CHURN, type TestDirectory, testDirectory } from './package/testing/fixtures.ts';
import { push } from './push.ts';
import { parseModelName, parseReference } from './ref.ts';
import { openLogRegistry } from './registry/open.ts';

const NAME = parseModelName('churn');

function memory(address: string): BlobStore {
  return createMemoryBlobStore({ address });
}

function over(blobs: BlobStore) {
  return { blobs, registry: openLogRegistry({ blobs, actor: 'test' }), contents: createBlobContentStore(blobs) };
}

async function pushed(directory: TestDirectory, store: ReturnType<typeof over>, text: string, name = 'churn') {
  await directory.write({ ...prefixed('churn', CHURN), 'churn/weights.txt': text });
  return await push(directory.join('churn'), { ...store, name });
}

function prefixed(folder: string, files: Readonly<Record<string, string | Uint8Array>>) {
  return Object.fromEntries(Object.entries(files).map(([path, content]) => [`${folder}/${path}`, content]));
}

async function bytesOf(blobs: BlobStore, prefix: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { key } of blobs.list(prefix)) found[key] = (await collect(blobs.read(key))).toString('base64');
  return found;
}

async function failure(work: Promise<unknown>): Promise<IngotError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isIngotError(error)) throw new Error('it should have failed with an IngotError', { cause: error });
  return error;
}

async function filled(directory: TestDirectory) {
  const source = over(memory('memory:source'));
  await createStore(source.blobs);
  await pushed(directory, source, 'one');
  await pushed(directory, source, 'two');
  await source.registry.setAlias(NAME, 'production', 1, { reason: 'first' });
  return source;
}

test('a mirror holds the same logs and packs, byte for byte, and no roots of its own', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  const result = await mirror({ source: source.blobs, destination });
  expect(result).toMatchObject({ models: 1, packs: { new: 2 }, events: { there: 0 } });
  for (const prefix of ['names/log/', 'models/', 'packs/'])
    expect(await bytesOf(destination, prefix)).toEqual(await bytesOf(source.blobs, prefix));
  expect(await bytesOf(destination, 'roots/')).toEqual({});
  const { number } = await over(destination).registry.resolve(parseReference('churn@production'));
  expect(number).toBe(1);
});

test('a mirror refuses other writes and names the store it follows', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  await mirror({ source: source.blobs, destination });
  const error = await failure(over(destination).registry.setAlias(NAME, 'staging', 2));
  expect(error.code).toBe('refused');
  expect(error.message).toContain('memory:source');
});

test('mirroring again copies only what is new, and nothing when nothing is', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  await mirror({ source: source.blobs, destination });
  await pushed(directory, source, 'three');
  const second = await mirror({ source: source.blobs, destination });
  expect(second).toMatchObject({ packs: { new: 1 }, events: { new: 1 } });
  const writes: string[] = [];
  const counted = observed(destination, {
    before: ({ operation, key }) => {
      if (operation === 'write') writes.push(key);
    },
  });
  expect(await mirror({ source: source.blobs, destination: counted })).toMatchObject({
    packs: { new: 0 },
    events: { new: 0 },
  });
  expect(writes).toEqual([]);
});

test('a dry run writes nothing and says what would come', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  const result = await mirror({ source: source.blobs, destination, dryRun: true });
  expect(result.packs.new).toBe(2);
  expect(await bytesOf(destination, '')).toEqual({});
});

test('a destination whose history is another is a conflict that names the log, and nothing is merged', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  await mirror({ source: source.blobs, destination });
  const log =
    Object.keys(await bytesOf(destination, 'models/')).find((key) => key.endsWith('/log/0000000003.json')) ?? '';
  await source.blobs.delete(log);
  await source.registry[Symbol.asyncDispose]();
  await over(source.blobs).registry.setAlias(NAME, 'production', 2);
  const error = await failure(mirror({ source: source.blobs, destination }));
  expect(error.code).toBe('conflict');
  expect(error.details).toMatchObject({ seq: 3 });
});

test('a store of its own, a mirror of another store, and a folder of other files are left alone', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const own = memory('memory:own');
  await createStore(own);
  expect((await failure(mirror({ source: source.blobs, destination: own }))).code).toBe('conflict');
  const other = memory('memory:other');
  await mirror({ source: own, destination: other });
  expect((await failure(mirror({ source: source.blobs, destination: other }))).message).toContain('memory:own');
  const files = memory('memory:files');
  await files.write('notes.txt', bodyOf('mine'));
  expect((await failure(mirror({ source: source.blobs, destination: files }))).details).toMatchObject({
    found: 'notes.txt',
  });
  expect((await failure(mirror({ source: source.blobs, destination: source.blobs }))).code).toBe('usage');
});

test('a damaged pack is not copied, its model stays behind, and other models arrive', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const { sealed } = await pushed(directory, source, 'four', 'fraud');
  const key = `packs/${sealed?.recipe.pack}.pack`;
  const bytes = await collect(source.blobs.read(key));
  bytes[3] = (bytes[3] ?? 0) ^ 1;
  await source.blobs.delete(key);
  await source.blobs.write(key, bodyOf(bytes));
  const destination = memory('memory:mirror');
  const error = await failure(mirror({ source: source.blobs, destination }));
  expect(error.code).toBe('integrity');
  expect(error.message).toContain(sealed?.recipe.pack);
  const copy = over(destination);
  expect((await copy.registry.resolve(parseReference('churn'))).number).toBe(2);
  expect((await failure(copy.registry.resolve(parseReference('fraud')))).code).toMatch(/not-found/);
  expect(await destination.stat(key)).toBeUndefined();
});

test('one cut short at any write goes on where it was', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  for (let cut = 1; cut < 40; cut += 1) {
    const destination = memory('memory:mirror');
    let writes = 0;
    const dying = observed(destination, {
      before: ({ operation }) => {
        if (operation === 'write' && ++writes >= cut) throw new IngotError('unavailable', 'cut', { retryable: false });
      },
    });
    const died = await mirror({ source: source.blobs, destination: dying }).then(
      () => false,
      () => true,
    );
    await mirror({ source: source.blobs, destination });
    expect(await bytesOf(destination, 'models/')).toEqual(await bytesOf(source.blobs, 'models/'));
    expect(await bytesOf(destination, 'packs/')).toEqual(await bytesOf(source.blobs, 'packs/'));
    if (!died) return;
  }
  throw new Error('mirroring never ended');
});

test('versions that were deleted come without their contents', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  await source.registry.deleteVersion(parseReference('churn:2'));
  const destination = memory('memory:mirror');
  expect(await mirror({ source: source.blobs, destination })).toMatchObject({ packs: { new: 1 } });
  expect((await over(destination).registry.resolve(parseReference('churn'))).number).toBe(1);
});
