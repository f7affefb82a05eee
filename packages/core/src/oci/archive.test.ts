import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bodyOf, collect } from '../blob/bytes.ts';
import { packTar, type TarEntry } from '../package/tar.ts';
import { openOciArchive } from './archive-reader.ts';
import { OciArchiveWriter } from './archive-writer.ts';
import { ociDigestOf } from './digest.ts';
import { findEntry, onlyEntry, parseLayoutIndex } from './layout-index.ts';
import { parseOciManifest, writeManifest } from './manifest.ts';
import { OCI_MEDIA_TYPES } from './media-types.ts';
import type { Descriptor, OciPlace } from './oci-place.ts';
import { scanTar } from './tar-files.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ingot-archive-'));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

async function put(place: OciPlace, text: string, mediaType: string = OCI_MEDIA_TYPES.layer): Promise<Descriptor> {
  const descriptor = { mediaType, digest: ociDigestOf(text), size: Buffer.byteLength(text) };
  await place.putBlob(descriptor, bodyOf(text).open);
  return descriptor;
}

async function tarOf(
  name: string,
  files: Readonly<Record<string, Uint8Array | string>>,
  more: readonly TarEntry[] = [],
) {
  const entries = Object.entries(files).map(([path, content]) => {
    const bytes = Buffer.from(content);
    return { path, sizeBytes: bytes.length, mode: 0o644, open: bodyOf(bytes).open };
  });
  const path = join(root, name);
  await writeFile(
    path,
    await collect(packTar([...entries, ...more.map((entry) => ({ ...entry, open: bodyOf('').open }))])),
  );
  return path;
}

const membersOf = async (path: string) => {
  await using handle = await open(path);
  return [...(await scanTar(handle, path)).keys()];
};

describe('a layout in a tar', () => {
  it('gives what was put, and is nowhere until it is finished', async () => {
    const path = join(root, 'churn.tar');
    await using archive = await OciArchiveWriter.begin(path);
    const layer = await put(archive, 'x'.repeat(3000));
    const manifest = writeManifest({ config: await put(archive, '{}', OCI_MEDIA_TYPES.config), layers: [layer] });
    await archive.putManifest(manifest, { tag: 'churn:7' });
    expect((await collect(archive.blob(layer))).length).toBe(3000);
    expect(await readdir(root)).not.toContain('churn.tar');
    await archive.finish();
    expect(await readdir(root)).toEqual(['churn.tar']);
    await using again = await openOciArchive(path);
    expect(again.address).toBe(`oci-archive:${path}`);
    expect((await again.manifest(await again.only())).digest).toBe(manifest.digest);
    expect((await collect(again.blob(layer, { range: { start: 2990, end: 3000 } }))).toString()).toBe('x'.repeat(10));
  });

  it('leaves nothing behind when it is given up', async () => {
    {
      await using archive = await OciArchiveWriter.begin(join(root, 'churn.tar'));
      await put(archive, 'some');
    }
    expect(await readdir(root)).toEqual([]);
  });

  it('goes on after a blob that broke off or was another', async () => {
    const path = join(root, 'churn.tar');
    await using archive = await OciArchiveWriter.begin(path);
    const wanted = { digest: ociDigestOf('good'), size: 4 };
    await expect(archive.putBlob(wanted, bodyOf('evil').open)).rejects.toMatchObject({ code: 'integrity' });
    await expect(archive.newBlob(4, bodyOf('sh').open)).rejects.toMatchObject({ code: 'integrity' });
    expect(await archive.hasBlob(wanted.digest)).toBe(false);
    const [one, two, again] = await Promise.all([
      archive.putBlob(wanted, bodyOf('good').open),
      archive.newBlob(700, bodyOf('n'.repeat(700)).open),
      archive.newBlob(4, bodyOf('good').open),
    ]);
    expect([one, two.put, again.put]).toEqual(['created', 'created', 'exists']);
    await archive.putManifest(writeManifest({ config: { ...wanted, mediaType: 'a/b' }, layers: [] }));
    await archive.finish();
    expect(await membersOf(path)).toHaveLength(5);
  });

  it("is an archive of Docker's too when asked", async () => {
    const path = join(root, 'churn.tar');
    await using archive = await OciArchiveWriter.begin(path, { docker: true });
    const layers = [await put(archive, 'layer')];
    const config = await put(archive, '{"rootfs":{}}', OCI_MEDIA_TYPES.config);
    await archive.putManifest(writeManifest({ config, layers }), { tag: 'churn:7' });
    await archive.finish();
    await using handle = await open(path);
    const member = (await scanTar(handle, path)).get('manifest.json');
    if (member?.kind !== 'file') throw new Error('no manifest.json');
    const { buffer } = await handle.read(Buffer.alloc(member.sizeBytes), 0, member.sizeBytes, member.start);
    expect(JSON.parse(buffer.toString())).toEqual([
      {
        Config: `blobs/sha256/${config.digest.slice(7)}`,
        RepoTags: ['churn:7'],
        Layers: [`blobs/sha256/${ociDigestOf('layer').slice(7)}`],
      },
    ]);
    await using again = await openOciArchive(path);
    const [entry] = (await again.index()).entries;
    expect(entry?.descriptor.annotations).toMatchObject({ 'io.containerd.image.name': 'docker.io/library/churn:7' });
  });

  it('is read by the names of images where Docker saved several of one tag', () => {
    const entries = ['library/churn', 'team/fraud'].map((name) => ({
      mediaType: OCI_MEDIA_TYPES.manifest,
      digest: ociDigestOf(name),
      size: 1,
      annotations: {
        'io.containerd.image.name': `docker.io/${name}:latest`,
        'org.opencontainers.image.ref.name': 'latest',
      },
    }));
    const index = parseLayoutIndex(Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: entries })));
    expect(onlyEntry(index)).toBeUndefined();
    expect(findEntry(index, 'team/fraud:latest', 'saved.tar')?.digest).toBe(entries[1]?.digest);
    expect(() => findEntry(index, 'latest', 'saved.tar')).toThrow(
      'saved.tar has several images with the tag "latest"; it has churn:latest, team/fraud:latest',
    );
  });
});

describe('what `docker save` wrote before it knew layouts', () => {
  const tar = 'the bytes of a layer';
  const config = (diffIds: readonly string[]) => JSON.stringify({ rootfs: { type: 'layers', diff_ids: diffIds } });

  it('is read as an image, its shared and packed layers too', async () => {
    const packed = gzipSync('another layer');
    const diffIds = [ociDigestOf(tar), ociDigestOf(tar), ociDigestOf('another layer')];
    const path = await tarOf(
      'old.tar',
      {
        'manifest.json': JSON.stringify([
          {
            Config: 'c.json',
            RepoTags: ['churn:7', 'churn:latest'],
            Layers: ['a/layer.tar', 'b/layer.tar', 'c.tar.gz'],
          },
        ]),
        'c.json': config(diffIds),
        'a/layer.tar': tar,
        'c.tar.gz': packed,
      },
      [{ path: 'b/layer.tar', kind: 'link', target: '../a/layer.tar', sizeBytes: 0, mode: 0o777 }],
    );
    await using archive = await openOciArchive(path);
    expect(archive.address).toBe(`docker-archive:${path}`);
    const manifest = parseOciManifest(await archive.manifest('churn:7'));
    if (manifest.kind !== 'manifest') throw new Error('no image');
    expect(manifest.layers.map(({ mediaType }) => mediaType)).toEqual([
      OCI_MEDIA_TYPES.layer,
      OCI_MEDIA_TYPES.layer,
      OCI_MEDIA_TYPES.layerGzip,
    ]);
    const [first, , last] = manifest.layers;
    if (first === undefined || last === undefined) throw new Error('layers are missing');
    expect((await collect(archive.blob(first))).toString()).toBe(tar);
    expect(await collect(archive.blob(last))).toEqual(packed);
    expect((await collect(archive.blob(manifest.config))).toString()).toBe(config(diffIds));
  });

  it('is found out where a layer is not that of its config', async () => {
    const path = await tarOf('lying.tar', {
      'manifest.json': JSON.stringify([{ Config: 'c.json', Layers: ['l.tar'] }]),
      'c.json': config([ociDigestOf('other bytes')]),
      'l.tar': tar,
    });
    await using archive = await openOciArchive(path);
    const manifest = parseOciManifest(await archive.manifest(await archive.only()));
    const [layer] = manifest.kind === 'manifest' ? manifest.layers : [];
    if (layer === undefined) throw new Error('no layer');
    await expect(collect(archive.blob(layer))).rejects.toMatchObject({ code: 'integrity' });
  });

  it.each<[string, Readonly<Record<string, string>>, RegExp]>([
    ['it holds something else', { 'thesis.txt': 'x' }, /no readable manifest.json/],
    ['its manifest is no list', { 'manifest.json': '{}' }, /no list/],
    [
      'a layer is missing',
      { 'manifest.json': '[{"Config":"c","Layers":["l"]}]', c: config([ociDigestOf('x')]) },
      /no l$/,
    ],
    [
      'layers and config differ',
      { 'manifest.json': '[{"Config":"c","Layers":["l"]}]', c: '{}', l: '' },
      /1 layers for 0/,
    ],
  ])('is refused where %s', async (_, files, why) => {
    const path = await tarOf('bad.tar', files);
    await expect(openOciArchive(path)).rejects.toThrow(why);
  });

  it('is refused where links lead in circles, and where it ends in the middle', async () => {
    const loop: TarEntry = { path: 'manifest.json', kind: 'link', target: 'manifest.json', sizeBytes: 0, mode: 0o777 };
    await expect(openOciArchive(await tarOf('loop.tar', {}, [loop]))).rejects.toThrow(/no readable manifest.json/);
    const path = await tarOf('cut.tar', { big: Buffer.alloc(5000) });
    await (
      await open(path, 'r+').then(async (handle) => ({ end: () => handle.close(), cut: await handle.truncate(2000) }))
    ).end();
    await expect(openOciArchive(path)).rejects.toThrow(/ends in the middle/);
  });
});
