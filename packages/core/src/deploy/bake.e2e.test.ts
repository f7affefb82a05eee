import { mkdtemp, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDistribution } from '../../test/servers/distribution.ts';
import { imageTool } from '../../test/servers/image-tools.ts';
import { needServer } from '../../test/servers/need-server.ts';
import { OciArchiveWriter } from '../oci/archive-writer.ts';
import { OciLayout } from '../oci/layout.ts';
import type { OciPlace } from '../oci/oci-place.ts';
import { RegistryPlace } from '../oci/registry-place.ts';
import { bakeImage } from './bake.ts';
import { baseFromPlace } from './base-place.ts';
import type { ImageLayer } from './image-layer.ts';
import { layerMembers, packLayer } from './layer-tar.ts';
import { putBase, textLayer } from './testing/tiny-base.ts';

const AMD64 = { os: 'linux', architecture: 'amd64' };
const LONG = `models/churn/${'folder/'.repeat(30)}größe.bin`;

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'ingot-bake-'));
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

const environment = (): ImageLayer => {
  const layer = textLayer('environment', { 'opt/env/numpy.py': 'numpy' }, { gzip: true });
  return {
    ...layer,
    make: async () => {
      const { entries } = await layer.make();
      const more = [
        { kind: 'link', path: 'opt/env/python', target: '/usr/bin/python3.11' },
        { kind: 'directory', path: 'var/cache/ingot', mode: 0o1777 },
      ] as const;
      return { entries: [...entries, ...more], [Symbol.asyncDispose]: async () => {} };
    },
  };
};
const model = () => textLayer('model', { 'models/churn/model.pkl': 'weights', [LONG]: 'long' });

async function bake(
  to: OciPlace,
  more: { readonly tag?: string; readonly repository?: string; readonly layers?: readonly ImageLayer[] } = {},
) {
  const base = new OciLayout(join(root, 'base'));
  if (!(await stat(join(root, 'base')).catch(() => undefined))) await putBase(base, { tag: 'base', gzip: true });
  const { tag = '7', repository, layers = [environment(), model()] } = more;
  return await bakeImage(async () => ({ layers, run: { cmd: ['/bin/sh'], user: '65532:65532' }, labels: {} }), {
    base: baseFromPlace({ place: base, reference: 'base', name: 'base', cache: join(root, 'cache') }),
    to,
    tag,
    platforms: [AMD64],
    cache: join(root, 'cache'),
    ...(repository !== undefined && { repository }),
  });
}

const crane = (...args: string[]): Promise<string> => imageTool('crane', args, root);

describe('a baked image', () => {
  it('is unpacked by umoci, with links, modes and long names', async () => {
    const { images } = await bake(new OciLayout(join(root, 'image')));
    await imageTool('umoci', ['unpack', '--rootless', '--image', 'image:7', 'bundle'], root);
    const file = (path: string): string => join(root, 'bundle/rootfs', path);
    expect(await readFile(file('models/churn/model.pkl'), 'utf8')).toBe('weights');
    expect(await readFile(file(LONG), 'utf8')).toBe('long');
    expect(await readFile(file('usr/bin/dash'), 'utf8')).toBe('shell');
    expect(await readlink(file('opt/env/python'))).toBe('/usr/bin/python3.11');
    expect((await stat(file('var/cache/ingot'))).mode & 0o7777).toBe(0o1777);
    const { process: started }: { process: unknown } = JSON.parse(
      await readFile(join(root, 'bundle/config.json'), 'utf8'),
    );
    expect(started).toMatchObject({ args: ['/bin/sh'], user: { uid: 65532, gid: 65532 } });
    const said: unknown = JSON.parse(await imageTool('skopeo', ['inspect', 'oci:image:7'], root));
    expect(said).toMatchObject({ Digest: images[0]?.digest, Created: '1970-01-01T00:00:00Z' });
  });

  it('is whole to crane as an archive for docker', async () => {
    await using archive = await OciArchiveWriter.begin(join(root, 'churn.tar'), { docker: true });
    await bake(archive, { tag: 'churn:7' });
    await archive.finish();
    expect(await crane('validate', '--tarball', 'churn.tar')).toContain('PASS');
  });
});

await needServer(
  'registry',
  () => startDistribution(),
  ({ host }) => {
    const place = (name: string) => new RegistryPlace(host, name, { env: {} });

    describe('an image in the reference registry', () => {
      it('is whole to crane, has one digest in all places, and lends its layers to the next', async () => {
        const first = await bake(place('team/churn'), { repository: `${host}/team/churn` });
        expect(await crane('validate', '--remote', `${host}/team/churn:7`, '--insecure')).toContain('PASS');
        expect((await crane('digest', `${host}/team/churn:7`, '--insecure')).trim()).toBe(first.digest);
        expect((await new OciLayout(join(root, 'image')).manifest('7')).digest).toBe(first.digest);
        const again = await bake(place('team/churn'), { repository: `${host}/team/churn` });
        expect([again.digest, again.newBytes]).toEqual([first.digest, 0]);
        const other = await bake(place('team/other'), { repository: `${host}/team/other` });
        expect(other.images[0]?.layers.map(({ put }) => put)).toEqual(['mounted', 'mounted', 'mounted']);
      });

      it('has the diff ids that crane gives layers of the same tars', async () => {
        const layers = [model()];
        const [layer] = layers;
        await bake(place('team/plain'), { layers });
        const made = await layer?.make();
        const tar: Uint8Array[] = [];
        for await (const piece of packLayer(layerMembers(made?.entries ?? []))) tar.push(piece);
        await writeFile(join(root, 'layer.tar'), Buffer.concat(tar));
        await bake(place('team/base'), { layers: [], tag: 'base' });
        await crane(
          'append',
          '-b',
          `${host}/team/base:base`,
          '-f',
          'layer.tar',
          '-t',
          `${host}/team/appended:7`,
          '--insecure',
        );
        const diffIds = async (name: string): Promise<unknown> => {
          const { rootfs }: { rootfs: unknown } = JSON.parse(
            await crane('config', `${host}/team/${name}:7`, '--insecure'),
          );
          return rootfs;
        };
        expect(await diffIds('plain')).toEqual(await diffIds('appended'));
      });

      it('comes about when the registry was away half-way and the same is baked again, without what was sent', async () => {
        const layers = [environment(), textLayer('model', { 'models/late/model.pkl': 'late' })];
        const started = bake(withoutModels(place('team/late')), { repository: `${host}/team/late`, layers });
        await expect(started).rejects.toThrow('the registry went away');
        await expect(place('team/late').manifest('7')).rejects.toMatchObject({ code: 'not-found' });
        const { images } = await bake(place('team/late'), { repository: `${host}/team/late`, layers });
        expect(images[0]?.layers.map(({ name, put }) => `${name} ${put}`)).toEqual([
          'base exists',
          'environment exists',
          'model created',
        ]);
      });
    });
  },
);

/** A place whose models do not arrive. */
function withoutModels(real: RegistryPlace): OciPlace {
  return {
    manifest: (...call) => real.manifest(...call),
    blob: (...call) => real.blob(...call),
    tags: (...call) => real.tags(...call),
    referrers: (...call) => real.referrers(...call),
    hasBlob: (...call) => real.hasBlob(...call),
    putManifest: (...call) => real.putManifest(...call),
    putBlob: (...call) => real.putBlob(...call),
    newBlob: () => Promise.reject(new Error('the registry went away')),
  };
}
