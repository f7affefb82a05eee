import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bodyOf, collect } from '../blob/bytes.ts';
import { isIngotError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { ociDigestOf } from './digest.ts';
import { OciLayout } from './layout.ts';
import { holder, TURN } from './layout-turn.ts';
import { describeManifest, writeManifest } from './manifest.ts';
import type { Descriptor, StoredManifest } from './oci-place.ts';

/** Above the largest process id of Linux. */
const NO_PROCESS = 2 ** 22 + 1;

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ingot-layout-'));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

async function put(layout: OciLayout, text: string): Promise<Descriptor> {
  const descriptor = { mediaType: 'text/plain', digest: ociDigestOf(text), size: Buffer.byteLength(text) };
  await layout.putBlob(descriptor, bodyOf(text).open);
  return descriptor;
}

async function artifact(layout: OciLayout, text: string): Promise<StoredManifest> {
  return writeManifest({ config: await put(layout, '{}'), layers: [await put(layout, text)] });
}

async function listed(tags: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const tag of tags) found.push(tag);
  return found;
}

const failing = async (work: Promise<unknown>) =>
  await work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('a layout directory', () => {
  it('gives what was put, by tag and by digest, and lists its tags', async () => {
    const layout = new OciLayout(join(root, 'new', 'place'));
    const manifest = await artifact(layout, 'hello');
    await layout.putManifest(manifest, { tag: 'churn:7' });
    const again = new OciLayout(layout.directory);
    expect((await again.manifest('churn:7')).digest).toBe(manifest.digest);
    expect(Buffer.from((await again.manifest(manifest.digest)).bytes)).toEqual(Buffer.from(manifest.bytes));
    const blob = { digest: ociDigestOf('hello'), size: 5 };
    expect((await collect(again.blob(blob))).toString()).toBe('hello');
    expect((await collect(again.blob(blob, { range: { start: 1, end: 3 } }))).toString()).toBe('el');
    expect(await listed(again.tags())).toEqual(['churn:7']);
    expect(await again.putBlob(blob, bodyOf('hello').open)).toBe('exists');
    expect(await again.only()).toBe('churn:7');
  });

  it('takes sha512 digests', async () => {
    const layout = new OciLayout(root);
    const blob = { digest: ociDigestOf('x', 'sha512'), size: 1 };
    expect(await layout.putBlob(blob, bodyOf('x').open)).toBe('created');
    expect((await collect(layout.blob(blob))).toString()).toBe('x');
  });

  it('keeps nothing of a blob whose bytes are others', async () => {
    const layout = new OciLayout(root);
    const wanted = { digest: ociDigestOf('good'), size: 4 };
    for (const bad of ['evil', 'long one', 'sh'])
      expect(isIngotError(await failing(layout.putBlob(wanted, bodyOf(bad).open)), 'integrity')).toBe(true);
    expect(await layout.hasBlob(wanted.digest)).toBe(false);
    expect(await readdir(join(root, 'blobs', 'sha256'))).toEqual([]);
  });

  it('finds out a blob that was changed on the disk', async () => {
    const layout = new OciLayout(root);
    const blob = await put(layout, 'hello');
    await writeFile(join(root, 'blobs', 'sha256', blob.digest.slice(7)), 'hullo');
    expect(isIngotError(await failing(collect(layout.blob(blob))), 'integrity')).toBe(true);
  });

  it('lists each of six writers at once', async () => {
    const names = Array.from({ length: 6 }, (_, at) => `m:${at}`);
    await Promise.all(
      names.map(async (tag) => {
        const layout = new OciLayout(root);
        await layout.putManifest(await artifact(layout, tag), { tag });
      }),
    );
    expect((await listed(new OciLayout(root).tags())).sort()).toEqual(names.sort());
    expect((await readdir(root)).sort()).toEqual(['blobs', 'index.json', 'oci-layout']);
  });

  it('goes on where a writer died in its turn', async () => {
    const layout = new OciLayout(root);
    await layout.putManifest(await artifact(layout, 'one'), { tag: 'one' });
    const turn = join(root, TURN);
    await mkdir(turn);
    await writeFile(join(turn, holder(NO_PROCESS)), '');
    await layout.putManifest(await artifact(layout, 'two'), { tag: 'two' });
    expect(await listed(layout.tags())).toEqual(['one', 'two']);
  });

  it('moves a tag, and keeps what other tools wrote', async () => {
    const layout = new OciLayout(root);
    await layout.putManifest(await artifact(layout, 'one'), { tag: 'latest' });
    const path = join(root, 'index.json');
    const index = JSON.parse(await readFile(path, 'utf8'));
    index.annotations = { theirs: 'kept' };
    index.manifests[0].platform = { os: 'linux', architecture: 'amd64', 'os.version': '5' };
    index.manifests[0].annotations['org.opencontainers.image.ref.name'] = 'theirs';
    await writeFile(path, JSON.stringify(index));
    const two = await artifact(layout, 'two');
    await layout.putManifest(two, { tag: 'latest' });
    await layout.putManifest(await artifact(layout, 'three'), { tag: 'latest' });
    const after = parseJson(await readFile(path, 'utf8'));
    expect(after).toMatchObject({
      annotations: { theirs: 'kept' },
      manifests: [
        { platform: { 'os.version': '5' } },
        { annotations: { 'org.opencontainers.image.ref.name': 'latest' } },
      ],
    });
    expect(await listed(layout.tags())).toEqual(['latest', 'theirs']);
    expect((await layout.manifest(two.digest)).digest).toBe(two.digest);
  });

  it('lists an index in place of the manifests it lists', async () => {
    const layout = new OciLayout(root);
    const children = [await artifact(layout, 'amd'), await artifact(layout, 'arm')];
    for (const child of children) await layout.putManifest(child);
    expect((await layout.index()).entries).toHaveLength(2);
    await layout.putManifest(writeManifest({ manifests: children.map(describeManifest) }), { tag: 'v1' });
    expect((await layout.index()).entries.map(({ name }) => name)).toEqual(['v1']);
  });

  it('names the nearest tag, and says what a directory is not', async () => {
    const layout = new OciLayout(root);
    await writeFile(join(root, 'thesis.doc'), '');
    expect(isIngotError(await failing(layout.tags()[Symbol.asyncIterator]().next()), 'not-found')).toBe(true);
    expect(isIngotError(await failing(put(layout, 'x')), 'conflict')).toBe(true);
    await rm(join(root, 'thesis.doc'));
    await layout.putManifest(await artifact(layout, 'one'), { tag: 'production' });
    expect(await failing(layout.manifest('prodction'))).toMatchObject({ code: 'not-found', nearest: 'production' });
  });

  it('tells who refers to a manifest', async () => {
    const layout = new OciLayout(root);
    const subject = await artifact(layout, 'one');
    await layout.putManifest(subject, { tag: 'one' });
    const config = await put(layout, '{}');
    const signature = writeManifest({ config, layers: [], subject: describeManifest(subject), artifactType: 'a/sig' });
    await layout.putManifest(signature);
    expect(await layout.referrers(subject.digest)).toMatchObject([{ digest: signature.digest, artifactType: 'a/sig' }]);
    expect(await layout.referrers(subject.digest, { artifactType: 'a/other' })).toEqual([]);
  });
});
