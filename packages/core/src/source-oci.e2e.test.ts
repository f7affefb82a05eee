import { readdir, readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { bodyOf, collect } from './blob/bytes.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import { IngotError } from './errors.ts';
import { ociDigestOf } from './oci/digest.ts';
import { OciLayout } from './oci/layout.ts';
import { writeManifest } from './oci/manifest.ts';
import { OCI_MEDIA_TYPES } from './oci/media-types.ts';
import type { Descriptor } from './oci/oci-place.ts';
import { openPackageCache } from './package/cache.ts';
import { packTar, type TarEntry } from './package/tar.ts';
import { type TestDirectory, testDirectory } from './package/testing/fixtures.ts';
import { SourceFollower } from './source-follow.ts';
import type { OciSource, OpenRepository } from './source-oci.ts';
import { SourceReader } from './source-reader.ts';

const TITLE = 'org.opencontainers.image.title';
const MODEL = 'application/vnd.cncf.model.manifest.v1+json';
const RAW = 'application/vnd.cncf.model.weight.v1.raw';
const TAR = 'application/vnd.cncf.model.weight.v1.tar';

type Files = Readonly<Record<string, string>>;

function world(directory: TestDirectory, openRepository?: OpenRepository) {
  const layout = new OciLayout(directory.join('layout'));
  const reader = new SourceReader({
    cache: openPackageCache({ directory: directory.join('cache') }),
    directory: directory.join('cache/sources'),
    open: async () => createMemoryBlobStore(),
    host: { cwd: directory.path },
    ...(openRepository && { openRepository }),
  });
  const put = async (bytes: Uint8Array | string, mediaType: string, annotations = {}): Promise<Descriptor> => {
    const body = bodyOf(bytes);
    const descriptor = { mediaType, digest: ociDigestOf(bytes), size: body.sizeBytes, annotations };
    await layout.putBlob(descriptor, body.open);
    return descriptor;
  };
  const tag = async (name: string, layers: readonly Descriptor[], config: Descriptor, artifactType?: string) =>
    await layout.putManifest(writeManifest({ config, layers, ...(artifactType && { artifactType }) }), { tag: name });
  return {
    layout,
    reader,
    put,
    /** An artifact with a config of its own. */
    artifact: async (name: string, layers: readonly Descriptor[], config: object = {}, type = MODEL) =>
      await tag(name, layers, await put(JSON.stringify(config), type.replace('manifest', 'config')), type),
    image: async (name: string, layers: readonly Buffer[], labels: Files = {}) => {
      const config = await put(JSON.stringify({ config: { Labels: labels } }), OCI_MEDIA_TYPES.config);
      await tag(name, await Promise.all(layers.map((tar) => put(tar, OCI_MEDIA_TYPES.layerGzip))), config);
    },
    files: async (name: string): Promise<Files> => {
      const { cached } = await reader.open(`oci:./layout:${name}`);
      const paths = cached.description.files.map(({ path }) => path);
      return Object.fromEntries(
        await Promise.all(
          paths.map(async (path) => [path, await readFile(`${cached.directory}/${path}`, 'utf8')] as const),
        ),
      );
    },
  };
}

async function tarOf(files: Files, more: readonly Partial<TarEntry>[] = []): Promise<Buffer> {
  const entries = [
    ...Object.entries(files).map(([path, text]) => ({
      path,
      sizeBytes: Buffer.byteLength(text),
      mode: 0o644,
      open: bodyOf(text).open,
    })),
    ...more.map((entry) => ({ path: '', sizeBytes: 0, mode: 0o777, ...entry, open: bodyOf('').open })),
  ];
  return await collect(packTar(entries));
}

const link = (path: string, target: string): Partial<TarEntry> => ({ kind: 'link', path, target });

const PACKAGE: Files = { 'model.h5': 'weights', 'requirements.txt': 'numpy==2.0.0\n' };

test('files are read from raw layers, tars, packed tars and what oras calls a layer of an image', async () => {
  await using directory = await testDirectory();
  const { artifact, put, files } = world(directory);
  const raw = Object.entries(PACKAGE).map(([path, text]) => put(text, RAW, { 'org.cncf.model.filepath': path }));
  await artifact('raw', await Promise.all(raw));
  await artifact('tar', [await put(await tarOf(PACKAGE), TAR)]);
  await artifact('gzip', [await put(gzipSync(await tarOf(PACKAGE)), `${TAR}+gzip`)]);
  const titled = Object.entries(PACKAGE).map(([path, text]) => put(text, OCI_MEDIA_TYPES.layer, { [TITLE]: path }));
  await artifact('oras', await Promise.all(titled), {}, 'application/vnd.unknown.artifact.v1');
  const folder = await tarOf(
    Object.fromEntries(Object.entries(PACKAGE).map(([path, text]) => [`churn/${path}`, text])),
  );
  const unpack = { [TITLE]: 'churn', 'io.deis.oras.content.unpack': 'true' };
  await artifact('folder', [await put(gzipSync(folder), OCI_MEDIA_TYPES.layerGzip, unpack)], {}, 'a/b');
  await artifact('python', [await put(gzipSync(folder), OCI_MEDIA_TYPES.layerGzip, { [TITLE]: 'churn' })], {}, 'a/b');
  for (const name of ['raw', 'tar', 'gzip', 'oras', 'folder', 'python'])
    expect({ name, ...(await files(name)) }).toEqual({ name, ...PACKAGE });
});

test("a kit of KitOps' gives its name and version", async () => {
  await using directory = await testDirectory();
  const { put, layout, reader } = world(directory);
  const kitfile = { manifestVersion: '1.0.0', package: { name: 'churn-kit', version: '1.2.0' } };
  const config = await put(JSON.stringify(kitfile), 'application/vnd.kitops.modelkit.config.v1+json');
  const layer = await put(gzipSync(await tarOf(PACKAGE)), 'application/vnd.kitops.modelkit.model.v1.tar+gzip');
  await layout.putManifest(writeManifest({ config, layers: [layer] }), { tag: 'latest' });
  const { record } = await reader.open('oci:./layout');
  expect(record).toMatchObject({ model: 'churn-kit', version: { text: '1.2.0', label: '1.2.0' } });
});

test('of an image what lies in /models is read: later layers delete, replace and link', async () => {
  await using directory = await testDirectory();
  const { image, files } = world(directory);
  const first = await tarOf({
    'etc/passwd': 'root',
    'models/churn/old.h5': 'old',
    'models/churn/model.h5': 'one',
    'models/churn/deep/a.txt': 'a',
  });
  const second = await tarOf(
    {
      './models/churn/model.h5': 'two',
      'models/churn/.wh.old.h5': '',
      'models/churn/deep/.wh..wh..opq': '',
      'models/churn/deep/b.txt': 'b',
    },
    [
      link('models/churn/same.txt', 'deep/b.txt'),
      link('models/churn/rooted.txt', '/models/churn/deep/b.txt'),
      { kind: 'hardlink', path: 'models/churn/hard.txt', target: 'models/churn/deep/b.txt' },
    ],
  );
  await image('car:1', [gzipSync(first), gzipSync(second)]);
  expect(await files('car:1')).toEqual({
    'model.h5': 'two',
    'deep/b.txt': 'b',
    'same.txt': 'b',
    'rooted.txt': 'b',
    'hard.txt': 'b',
  });
});

test('of several models in an image one is named', async () => {
  await using directory = await testDirectory();
  const { image, files } = world(directory);
  await image('two', [gzipSync(await tarOf({ 'models/churn/model.h5': 'c', 'models/team/wine/model.h5': 'w' }))]);
  await expect(files('two')).rejects.toMatchObject({ code: 'conflict', details: { models: ['churn', 'team/wine'] } });
  expect(await files('two#team/wine')).toEqual({ 'model.h5': 'w' });
  await expect(files('two#win')).rejects.toMatchObject({ code: 'not-found' });
});

test('nothing leaves its directory, whatever names, links and sizes say', async () => {
  await using directory = await testDirectory();
  const { artifact, image, put, files } = world(directory);
  const named = async (name: string, path: string) => await artifact(name, [await put('x', RAW, { [TITLE]: path })]);
  await named('climbs', '../../outside.h5');
  await named('absolute', '/etc/outside.h5');
  await named('reserved', 'ingot-layers/0.tar');
  await artifact('twice', [await put('x', RAW, { [TITLE]: 'Model.h5' }), await put('y', RAW, { [TITLE]: 'model.h5' })]);
  await artifact('tar-climbs', [await put(await tarOf({ '../outside.h5': 'x' }), TAR)]);
  await artifact('tar-link', [await put(await tarOf({}, [link('model.h5', '/etc/passwd')]), TAR)]);
  await image('image-link', [gzipSync(await tarOf({ 'models/a.h5': 'x' }, [link('models/b.h5', '../etc/passwd')]))]);
  await image('image-climbs', [gzipSync(await tarOf({ 'models/../outside.h5': 'x', 'models/a/../../../b': 'y' }))]);
  await image('image-broken', [gzipSync(await tarOf({ 'models/a.h5': 'x'.repeat(5000) })).subarray(0, 40)]);
  await artifact('nameless', [await put('x', 'application/octet-stream')]);
  for (const name of [
    'climbs',
    'absolute',
    'reserved',
    'twice',
    'tar-climbs',
    'tar-link',
    'image-link',
    'image-climbs',
    'image-broken',
    'nameless',
  ])
    await expect(files(name), name).rejects.toMatchObject({ code: 'invalid-package' });
  expect((await readdir(directory.path)).sort()).toEqual(['cache', 'layout']);
});

test('bytes that are not those of the manifest are refused, and come again', async () => {
  await using directory = await testDirectory();
  const { artifact, put, files, layout } = world(directory);
  const layer = await put('right', RAW, { [TITLE]: 'model.h5' });
  await artifact('m', [layer]);
  const path = `${layout.directory}/blobs/sha256/${layer.digest.slice(7)}`;
  await writeFile(path, 'wrong');
  await expect(files('m')).rejects.toMatchObject({ code: 'integrity' });
  await expect(files('m')).rejects.toMatchObject({ code: 'integrity' });
  await writeFile(path, 'right');
  expect(await files('m')).toEqual({ 'model.h5': 'right' });
});

test('a tag that moves is followed, and what it meant last is given while the registry is away', async () => {
  await using directory = await testDirectory();
  const { artifact, put, layout } = world(directory);
  const isAway = { now: false };
  // The layout stands for what the repository holds.
  const repository: OciSource = {
    manifest: async (reference) => {
      if (isAway.now) throw new IngotError('unavailable', 'away');
      return await layout.manifest(reference);
    },
    blob: (...args) => layout.blob(...args),
    tags: () => layout.tags(),
    referrers: async () => [],
  };
  const { reader } = world(directory, async () => repository);
  await artifact('1', [await put('one', RAW, { [TITLE]: 'model.h5' })]);
  let time = 0;
  const follower = new SourceFollower({ reader, clock: () => time, random: () => 0 });
  const look = async () => {
    time += 10_000;
    const { record, staleSince } = await follower.open('oci://registry.example/team/m:1');
    return { revision: record.revision, isStale: staleSince !== undefined };
  };
  const first = await look();
  await artifact('1', [await put('two', RAW, { [TITLE]: 'model.h5' })]);
  const second = await look();
  expect([second.revision === first.revision, second.isStale]).toEqual([false, false]);
  isAway.now = true;
  expect(await look()).toEqual({ revision: second.revision, isStale: true });
});
