import { chmod, stat } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { createMemoryBlobStore } from './blob/memory.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import type { RecipeContent } from './content/content-store.ts';
import { createStore } from './content/store-format.ts';
import { digestOf } from './digest.ts';
import { parseManifest } from './package/manifest-read.ts';
import { readPackage } from './package/read.ts';
import { packTar } from './package/tar.ts';
import { CHURN, testDirectory, tinyOnnx } from './package/testing/fixtures.ts';
import { pull } from './pull.ts';
import { push } from './push.ts';
import { openLogRegistry } from './registry/open.ts';

test('above 1,000 files a directory becomes one deterministic tar layer whose files are still known', async () => {
  await using directory = await testDirectory();
  const files = Object.fromEntries(
    Array.from({ length: 1001 }, (_, index) => [
      `shards/${'deep/'.repeat(index % 3)}é-${index}.bin`,
      `content ${index}`,
    ]),
  );
  await directory.write({ ...CHURN, ...files, 'single/one.bin': 'x' });
  const plan = await readPackage(directory.path);
  expect(plan.files).toHaveLength(1006);
  const contents = plan.files.map(
    ({ path, digest, sizeBytes }): RecipeContent => ({ role: 'file', path, digest, sizeBytes, chunks: 1 }),
  );
  const back = parseManifest(plan.manifest, { contents });
  expect(back.layers.map(({ kind }) => kind).sort()).toEqual(['raw', 'raw', 'raw', 'raw', 'raw', 'tar']);
  expect(new Set(back.files.map(({ path }) => path))).toEqual(new Set(plan.files.map(({ path }) => path)));
  const tar = back.layers.find(({ kind }) => kind === 'tar');
  if (tar?.kind !== 'tar') throw new Error('no tar');
  const chunks: Uint8Array[] = [];
  const openers = new Map(plan.files.map((file) => [file.path, file]));
  for await (const piece of packTar(
    tar.files.map((file) => ({
      ...file,
      open: () => openers.get(file.path)?.open() ?? ([][Symbol.iterator]() as never),
    })),
  ))
    chunks.push(piece);
  const bytes = Buffer.concat(chunks);
  expect(digestOf(bytes)).toBe(tar.digest);
  expect(bytes.length).toBe(tar.sizeBytes);
  expect(parseManifest(plan.manifest).files).toHaveLength(5);
  expect(() =>
    parseManifest(plan.manifest, { contents: contents.slice(1, -1).filter(({ path }) => !path?.endsWith('7.bin')) }),
  ).toThrow(/the manifest 1001/);
});

test('packages of more than 1,000 files come back with their modes, verified against the manifest', async () => {
  await using directory = await testDirectory();
  const blobs = createMemoryBlobStore();
  await createStore(blobs);
  const store = { registry: openLogRegistry({ blobs, actor: 'test' }), contents: createBlobContentStore(blobs) };
  await directory.write(
    Object.fromEntries(Array.from({ length: 1005 }, (_, index) => [`src/shards/${index}.bin`, `shard ${index}`])),
  );
  await directory.write({ 'src/model.onnx': tinyOnnx() });
  await chmod(directory.join('src/shards/7.bin'), 0o755);
  await push(directory.join('src'), { ...store, name: 'm' });
  const pulled = await pull('m', { ...store, output: directory.join('out') });
  expect(pulled.files).toHaveLength(1006);
  expect((await stat(directory.join('out/shards/7.bin'))).mode & 0o777).toBe(0o755);
  expect((await stat(directory.join('out/shards/8.bin'))).mode & 0o777).toBe(0o644);
  expect((await pull('m', { ...store, output: directory.join('out') })).existed).toBe(true);
});
