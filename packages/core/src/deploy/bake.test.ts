import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bodyOf, collect } from '../blob/bytes.ts';
import { IngotError, isIngotError } from '../errors.ts';
import { isJsonObject, parseJson } from '../json.ts';
import { ociDigestOf } from '../oci/digest.ts';
import { parseOciManifest } from '../oci/manifest.ts';
import type { OciPlace } from '../oci/oci-place.ts';
import { bakeImage } from './bake.ts';
import type { BakeOptions } from './bake-options.ts';
import { baseFromPlace } from './base-place.ts';
import { scratchBase } from './base-scratch.ts';
import type { ImageLayer } from './image-layer.ts';
import type { ImagePlan } from './image-plan.ts';
import { KeptLayers } from './kept-layers.ts';
import { MemoryPlace } from './testing/memory-place.ts';
import { putBase, putIndex, tarOf, textLayer } from './testing/tiny-base.ts';

let root: string;
let bases: MemoryPlace;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ingot-bake-'));
  bases = new MemoryPlace();
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64' };

function planOf(layers: readonly ImageLayer[], more: Partial<ImagePlan> = {}): () => Promise<ImagePlan> {
  return async () => ({
    layers,
    run: {
      entrypoint: ['/opt/ingot/bin/ingot', 'serve'],
      user: '65532:65532',
      env: { PATH: '/opt/ingot/bin:/usr/bin' },
    },
    labels: { 'org.opencontainers.image.title': 'churn' },
    ...more,
  });
}

function optionsIn(directory: string, more: Partial<BakeOptions> = {}): BakeOptions & { readonly to: MemoryPlace } {
  const base = baseFromPlace({
    place: bases,
    reference: 'base',
    name: 'oci:base:base',
    cache: join(root, directory, 'cache'),
  });
  const to = new MemoryPlace();
  return { base, tag: 'churn', cache: join(root, directory, 'cache'), platforms: [AMD64], ...more, to };
}

async function failure(work: Promise<unknown>): Promise<IngotError> {
  const error = await work.then(
    () => new Error('it worked'),
    (thrown: unknown) => thrown,
  );
  if (!isIngotError(error)) throw error;
  return error;
}

async function configOf(place: OciPlace, tag: string) {
  const manifest = parseOciManifest(await place.manifest(tag));
  if (manifest.kind !== 'manifest') throw new Error('an index');
  const value = parseJson((await collect(place.blob(manifest.config))).toString());
  if (!isJsonObject(value)) throw new Error('no object');
  return { manifest, value };
}

const layers = () => [
  textLayer('environment', { 'opt/env/numpy.py': 'numpy' }),
  textLayer('server', { 'opt/ingot/bin/ingot': 'server' }),
  textLayer('model', { 'models/churn/model.pkl': 'weights', 'models/churn/metadata.yaml': 'name: churn' }),
];

describe('bakeImage', () => {
  it('appends layers to a base whose layers, variables and labels stay', async () => {
    const base = await putBase(bases, {
      tag: 'base',
      config: { Env: ['LANG=C.UTF-8', 'PATH=/bin'], Cmd: ['bash'], User: 'root' },
    });
    const options = optionsIn('a');
    const result = await bakeImage(planOf(layers()), options);
    const { manifest, value } = await configOf(options.to, 'churn');
    expect(manifest.layers.map(({ digest }) => digest)).toEqual(result.images[0]?.layers.map(({ digest }) => digest));
    expect(value.config).toEqual({
      Entrypoint: ['/opt/ingot/bin/ingot', 'serve'],
      Env: ['LANG=C.UTF-8', 'PATH=/opt/ingot/bin:/usr/bin'],
      User: '65532:65532',
      Labels: {
        'org.opencontainers.image.title': 'churn',
        'org.opencontainers.image.base.name': 'oci:base:base',
        'org.opencontainers.image.base.digest': base.digest,
        'org.opencontainers.image.created': '1970-01-01T00:00:00Z',
      },
    });
    const tars = await Promise.all(
      manifest.layers.map(async (layer) => {
        const bytes = await collect(options.to.blob(layer));
        return ociDigestOf(layer.mediaType.endsWith('gzip') ? gunzipSync(bytes) : bytes);
      }),
    );
    expect(value.rootfs).toEqual({ type: 'layers', diff_ids: tars });
    expect(Array.isArray(value.history) && value.history.length).toBe(4);
    expect(manifest.annotations['org.opencontainers.image.base.digest']).toBe(base.digest);
    expect((await collect(options.to.blob(manifest.layers[0] ?? manifest.config))).byteLength).toBeGreaterThan(0);
  });

  it('gives the same digest from other folders and caches, at other times', async () => {
    await putBase(bases, { tag: 'base' });
    const [first, second] = [
      await bakeImage(planOf(layers()), optionsIn('a')),
      await bakeImage(planOf(layers().reverse().reverse()), optionsIn('b')),
    ];
    expect(second.digest).toBe(first.digest);
    const other = await bakeImage(planOf(layers()), optionsIn('c', { created: '2026-01-01T00:00:00Z' }));
    expect(other.digest).not.toBe(first.digest);
    expect(other.images[0]?.layers).toEqual(first.images[0]?.layers);
  });

  it('makes and moves only the layer whose inputs changed', async () => {
    await putBase(bases, { tag: 'base' });
    const options = optionsIn('a');
    await bakeImage(planOf(layers()), options);
    const again = [...layers().slice(0, 2), textLayer('model', { 'models/churn/model.pkl': 'better' })];
    const { images } = await bakeImage(planOf(again), options);
    expect(again.map(({ made }) => made())).toEqual([0, 0, 1]);
    expect(images[0]?.layers.map(({ name, put }) => `${name} ${put}`)).toEqual([
      'base exists',
      'environment exists',
      'server exists',
      'model created',
    ]);
  });

  it('takes kept layers to another place without making them, and makes a model anew', async () => {
    await putBase(bases, { tag: 'base' });
    const options = optionsIn('a');
    const first = await bakeImage(planOf(layers()), options);
    const again = layers();
    const second = await bakeImage(planOf(again), { ...options, to: new MemoryPlace() });
    expect(again.map(({ made }) => made())).toEqual([0, 0, 1]);
    expect(second.digest).toBe(first.digest);
    expect(second.storedBytes).toBe(0);
  });

  it('makes a layer anew when what was kept of it is damaged, or other bytes follow from its inputs', async () => {
    await putBase(bases, { tag: 'base' });
    const options = optionsIn('a');
    const first = await bakeImage(planOf(layers()), options);
    const kept = join(root, 'a', 'cache', 'layers');
    for (const name of await readdir(kept))
      await writeFile(join(kept, name), Buffer.alloc((await stat(join(kept, name))).size));
    const changed = [
      ...layers().slice(0, 2),
      textLayer('model', { 'models/churn/model.pkl': 'other' }, { inputs: layers()[2]?.inputs ?? {} }),
    ];
    const second = await bakeImage(planOf(changed), { ...options, to: new MemoryPlace() });
    expect(changed.map(({ made }) => made())).toEqual([1, 1, 2]);
    expect(second.images[0]?.layers.slice(0, 3).map(({ digest }) => digest)).toEqual(
      first.images[0]?.layers.slice(0, 3).map(({ digest }) => digest),
    );
    expect(second.digest).not.toBe(first.digest);
  });

  it('makes a layer anew that was pruned from the cache between being made and being put', async () => {
    await putBase(bases, { tag: 'base' });
    const [first, options] = [await bakeImage(planOf(layers()), optionsIn('a')), optionsIn('b')];
    const kept = join(root, 'b', 'cache', 'layers');
    const putBlob = options.to.putBlob.bind(options.to);
    options.to.putBlob = async (...call) => {
      await rm(kept, { recursive: true, force: true });
      return await putBlob(...call);
    };
    expect((await bakeImage(planOf(layers()), options)).digest).toBe(first.digest);
    const [layer] = first.images[0]?.layers ?? [];
    const read = collect(new KeptLayers(kept).read({ digest: layer?.digest ?? first.digest, size: 1 }));
    expect((await failure(read)).message).toContain('it was pruned from the cache');
  });

  it('reads a layer of a base again that came damaged, and no third time', async () => {
    await putBase(bases, { tag: 'base' });
    const options = optionsIn('a');
    let reads = 0;
    const damaged = (times: number): BakeOptions['base'] => {
      reads = 0;
      return async (...call) => {
        const base = await options.base(...call);
        const bad = bodyOf('other bytes').open;
        return { ...base, readLayer: (layer) => (reads++ < times ? bad() : base.readLayer(layer)) };
      };
    };
    await bakeImage(planOf([]), { ...options, base: damaged(1) });
    const twice = { ...options, base: damaged(2), to: new MemoryPlace() };
    expect((await failure(bakeImage(planOf([]), twice))).code).toBe('integrity');
    expect(reads).toBe(2);
  });

  it('compresses where it is asked to, the same each time, and names the tar inside', async () => {
    const gzip = () => textLayer('environment', { 'opt/env/zeros': '0'.repeat(300_000) }, { gzip: true });
    const options = optionsIn('a', { base: scratchBase });
    const first = await bakeImage(planOf([gzip()]), options);
    const second = await bakeImage(planOf([gzip()]), optionsIn('b', { base: scratchBase }));
    expect(second.digest).toBe(first.digest);
    const { manifest, value } = await configOf(options.to, 'churn');
    const [layer = manifest.config] = manifest.layers;
    const bytes = await collect(options.to.blob(layer));
    expect([...bytes.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    expect(value.rootfs).toEqual({ type: 'layers', diff_ids: [ociDigestOf(gunzipSync(bytes))] });
  });

  it('makes an index of several platforms, whose common layer is put once', async () => {
    const place = bases;
    const entries = [
      { platform: AMD64, manifest: await putBase(place, { platform: AMD64 }) },
      {
        platform: ARM64,
        manifest: await putBase(place, { platform: ARM64, tar: await tarOf([{ path: 'arm', text: 'arm' }]) }),
      },
    ];
    await putIndex(place, entries, 'base');
    const options = optionsIn('a', { platforms: [AMD64, ARM64] });
    const { digest, images } = await bakeImage(planOf(layers()), options);
    const index = parseOciManifest(await options.to.manifest('churn'));
    expect(index.kind === 'index' && index.manifests.map((entry) => [entry.digest, entry.platform])).toEqual(
      images.map((image) => [image.digest, image.platform]),
    );
    expect((await options.to.manifest('churn')).digest).toBe(digest);
    expect(images[1]?.layers.map(({ put }) => put)).toEqual(['created', 'exists', 'exists', 'exists']);
  });

  it('names the platforms that a base has when the one asked for is none of them', async () => {
    const place = bases;
    const manifest = await putBase(place, { platform: ARM64 });
    await putIndex(place, [{ platform: ARM64, manifest }], 'base');
    const error = await failure(bakeImage(planOf([]), optionsIn('a')));
    expect([error.code, error.message]).toEqual([
      'not-found',
      '"base" has no image for linux/amd64; it has linux/arm64',
    ]);
    await putBase(place, { platform: ARM64, tag: 'base' });
    const plain = await failure(bakeImage(planOf([]), optionsIn('a')));
    expect([plain.code, plain.message, plain.hint]).toEqual([
      'not-found',
      'oci:base:base has no image for linux/amd64; it has linux/arm64',
      '--platform linux/arm64',
    ]);
  });

  it('publishes nothing when a layer cannot be made', async () => {
    await putBase(bases, { tag: 'base' });
    const options = optionsIn('a');
    const broken: ImageLayer = {
      ...textLayer('model', {}),
      make: () => Promise.reject(new IngotError('unavailable', 'the store does not answer')),
    };
    expect((await failure(bakeImage(planOf([broken]), options))).code).toBe('unavailable');
    expect((await failure(options.to.manifest('churn'))).code).toBe('not-found');
  });

  it('says where base layers are in one registry, so that they are lent', async () => {
    await putBase(bases, { tag: 'base' });
    const options = optionsIn('a');
    const base: BakeOptions['base'] = async (...call) => ({
      ...(await options.base(...call)),
      repository: 'ghcr.io/team/base',
    });
    const lent: (string | undefined)[][] = [];
    for (const repository of ['ghcr.io/team/churn', 'ghcr.io/team/other', 'quay.io/team/other']) {
      const to = new MemoryPlace();
      await bakeImage(planOf([textLayer('server', { x: 'x' })]), { ...options, base, to, repository });
      lent.push(to.asked);
    }
    // The base's layer, the server's, and the config, which nobody else has.
    expect(lent).toEqual([
      ['team/base', undefined, undefined],
      ['team/base', 'team/churn', undefined],
      [undefined, undefined, undefined],
    ]);
  });
});

describe('the facts of a base', () => {
  const facts = async (tar?: Buffer) => {
    await putBase(bases, { tag: 'base', ...(tar && { tar }) });
    return (await optionsIn('a').base(AMD64)).facts();
  };

  it('tell distribution, Python, C library, shell and certificates', async () => {
    expect(await facts()).toEqual({
      distribution: { id: 'debian', version: '12' },
      python: { path: '/usr/bin/python3.11', version: '3.11' },
      libc: { name: 'glibc', version: '2.36' },
      hasShell: true,
      hasCertificates: true,
      libraries: ['libc.so.6'],
    });
  });

  it('are remembered, so that the layers are read once', async () => {
    const known = await facts();
    const base = await optionsIn('a').base(AMD64);
    expect(
      await {
        ...base,
        readLayer: () => {
          throw new Error('read again');
        },
      }.facts(),
    ).toEqual(known);
  });

  it.each([
    ['an absolute path', [{ path: '/etc/passwd', text: 'x' }], 'absolute path "/etc/passwd"'],
    ['a path out of the image', [{ path: 'a/../../etc/passwd', text: 'x' }], 'leads out of the image'],
    [
      'a hard link out of the image',
      [{ path: 'a', kind: 'hardlink' as const, target: '../etc/passwd' }],
      'leads out of the image',
    ],
    [
      'a path whose line break hides that it leads out',
      [{ path: 'a\n/../../etc/passwd', text: 'x' }],
      'leads out of the image',
    ],
    ['a whiteout of a folder above', [{ path: 'etc/.wh...', text: '' }], 'hides "etc/.wh..."'],
    [
      'a file below a link out of the image',
      [
        { path: 'a/b', kind: 'link' as const, target: '../../etc' },
        { path: 'a/b/passwd', text: 'x' },
      ],
      '"a/b/passwd" below a link that leads out',
    ],
    ['a name of more than 1 MiB', [{ path: `é${'a'.repeat(1024 * 1024)}`, text: 'x' }], 'longer than 1 MiB'],
  ])('refuse a layer with %s', async (_, members, message) => {
    const error = await failure(facts(await tarOf(members)));
    expect(error.code).toBe('invalid-package');
    expect(error.message).toContain(message);
  });

  it.each([
    ['takes its name back', 'x', '8 path=\n', 'leads out of the image'],
    ['names all members', 'g', '10 path=a\n', 'names all members that follow'],
    ['is damaged', 'x', '7 path=a\n', 'a header in it is damaged'],
  ])('refuse a layer with a header that %s', async (_, type, text, message) => {
    const tar = await tarOf([
      { path: 'header', text },
      { path: '../etc/passwd', text: 'x' },
    ]);
    const sum = Number.parseInt(tar.toString('latin1', 148, 154), 8) + type.charCodeAt(0) - '0'.charCodeAt(0);
    tar.write(type, 156);
    tar.write(sum.toString(8).padStart(6, '0'), 148);
    expect((await failure(facts(tar))).message).toContain(message);
  });

  it('refuse a layer that is cut off, and one that is another than the config says, whatever is known of that', async () => {
    const whole = await tarOf([{ path: 'usr/bin/python3.11', text: 'x'.repeat(3000) }]);
    expect((await failure(facts(whole.subarray(0, 2000)))).code).toBe('invalid-package');
    await facts(whole);
    await putBase(bases, { tag: 'base', tar: await tarOf([{ path: 'other', text: 'x' }]), says: whole });
    expect((await failure((await optionsIn('a').base(AMD64)).facts())).code).toBe('integrity');
  });
});

describe('layers', () => {
  it('are made of paths inside of the image, one entry a path', async () => {
    const wrong: Record<string, string>[] = [{ '../x': '' }, { '/x': '' }, { a: '', 'a/b': '' }];
    for (const files of wrong) {
      const error = await failure(
        bakeImage(planOf([textLayer('model', files)]), optionsIn('a', { base: scratchBase })),
      );
      expect(error.code).toBe('invalid-package');
    }
  });

  it('are not what they were said to be when a file changed its size', async () => {
    const path = join(root, 'touched');
    await writeFile(path, 'x');
    await utimes(path, 1, 1);
    const layer = textLayer('model', { 'models/a': 'abc' });
    const changing: ImageLayer = {
      ...layer,
      make: async () => {
        const { entries } = await layer.make();
        return {
          entries: entries.map((entry) => (entry.kind === 'file' ? { ...entry, sizeBytes: 4 } : entry)),
          [Symbol.asyncDispose]: async () => {},
        };
      },
    };
    const error = await failure(bakeImage(planOf([changing]), optionsIn('a', { base: scratchBase })));
    expect([error.code, error.message]).toEqual(['source-changed', '"models/a" has fewer bytes than the 4 it had']);
  });
});
