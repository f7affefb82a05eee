import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { ContentReader, Recipe, RecipeContent } from '../content/content-store.ts';
import { digestOf } from '../digest.ts';
import { hashPackage } from './hash-package.ts';
import { planLayers } from './layers.ts';
import type { HashedLayer } from './manifest.ts';
import { testDirectory } from './testing/fixtures.ts';
import { diskError, unpackPackage } from './unpack.ts';
import { walkDirectory } from './walk.ts';

const RECIPE: Recipe = {
  ref: { digest: digestOf(''), pack: 'x/0', offset: 0, length: 0 },
  contents: [],
  packs: [],
  pages: [],
};

/** A reader whose bytes are not what their digests say: unpacking must not depend on its honesty alone. */
function readerOf(bytes: Readonly<Record<string, string>>): ContentReader {
  return {
    openRecipe: async () => RECIPE,
    async *read(_, digest) {
      yield Buffer.from(bytes[digest] ?? '');
    },
  };
}

test('a tar layer whose files are not those of the manifest is an integrity error', async () => {
  await using directory = await testDirectory();
  const names = Array.from({ length: 12 }, (_, index) => `${index}`);
  await directory.write(Object.fromEntries(names.map((name) => [`src/f/${name}.bin`, name])));
  const { files } = await walkDirectory(directory.join('src'));
  const layers = await hashPackage(files, { layers: planLayers(files, 10) });
  expect(layers).toMatchObject([{ kind: 'tar', directory: 'f' }]);
  const honest: Record<string, string> = Object.fromEntries(names.map((name) => [digestOf(name), name]));
  await unpackPackage(readerOf(honest), { recipe: RECIPE, description: { layers } }, directory.join('good'));
  expect(await readdir(directory.join('good', 'f'))).toHaveLength(12);
  const lying = readerOf({ ...honest, [digestOf('7')]: '8' });
  await expect(
    unpackPackage(lying, { recipe: RECIPE, description: { layers } }, directory.join('bad')),
  ).rejects.toMatchObject({ code: 'integrity' });
});

test('a file of another size than the manifest says is an integrity error', async () => {
  await using directory = await testDirectory();
  const digest = digestOf('abc');
  const layers: HashedLayer[] = [
    { kind: 'raw', digest, sizeBytes: 3, file: { path: 'a.bin', sizeBytes: 3, mode: 0o644, digest } },
  ];
  for (const bytes of ['ab', 'abcd']) {
    const reader = readerOf({ [digest]: bytes });
    await expect(
      unpackPackage(reader, { recipe: RECIPE, description: { layers } }, directory.join(bytes)),
    ).rejects.toMatchObject({ code: 'integrity' });
  }
});

test.each(['../outside', '/tmp/outside', 'a/../../outside', ''])('the path %j is never written', async (path) => {
  await using directory = await testDirectory();
  const content: RecipeContent = { role: 'file', path, digest: digestOf('x'), sizeBytes: 1, chunks: 1 };
  const layers: HashedLayer[] = [
    {
      kind: 'raw',
      digest: content.digest,
      sizeBytes: 1,
      file: { path, sizeBytes: 1, mode: 0o644, digest: content.digest },
    },
  ];
  const reader = readerOf({ [content.digest]: 'x' });
  await expect(
    unpackPackage(reader, { recipe: RECIPE, description: { layers } }, directory.join('in')),
  ).rejects.toMatchObject({ code: 'invalid-package' });
  expect(await readdir(directory.path)).toEqual([]);
});

test('a file that stands where one is to be written is never followed or overwritten', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'in/a.bin': 'mine' });
  const digest = digestOf('x');
  const layers: HashedLayer[] = [
    { kind: 'raw', digest, sizeBytes: 1, file: { path: 'a.bin', sizeBytes: 1, mode: 0o644, digest } },
  ];
  await expect(
    unpackPackage(readerOf({ [digest]: 'x' }), { recipe: RECIPE, description: { layers } }, directory.join('in')),
  ).rejects.toThrow();
});

test('what Node itself says while a directory is written is no fault of the disk', () => {
  const missing = Object.assign(new Error('Cannot find module'), { code: 'ERR_MODULE_NOT_FOUND' });
  expect(diskError(missing, '/models', 'serve')).toBe(missing);
  const full = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
  expect(diskError(full, '/models', 'serve')).toMatchObject({ code: 'disk-full' });
});
