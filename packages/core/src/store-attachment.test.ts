import { expect, test } from 'vitest';
import { check } from './check.ts';
import { collect as collectGarbage } from './collect.ts';
import { type Digest, digestOf } from './digest.ts';
import { mirror } from './mirror.ts';
import { bytesOf, failure, filled, memory, NAME, over } from './mirror-trial.ts';
import { testDirectory, type TestDirectory } from './package/testing/fixtures.ts';
import { parseReference } from './ref.ts';
import type { AttachedManifest } from './registry/attachments.ts';
import { CareLogs, neededRecipes } from './registry/care-logs.ts';
import { storeAttachment } from './store-attachment.ts';

const VERSION = parseReference('churn:1');

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** A store of two versions, and what attaches a signature to the first. */
async function signing(directory: TestDirectory) {
  const store = await filled(directory);
  const { manifest: subject } = await store.registry.version(VERSION);
  const attach = async (text: string, more: Partial<AttachedManifest> = {}): Promise<Digest> => {
    const [layer, bytes] = [Buffer.from(`layer of ${text}`), Buffer.from(`{"of":"${text}"}`)];
    const content = digestOf(layer);
    const manifest = digestOf(bytes);
    const said = { subject, manifest, mediaType: 'application/json', sizeBytes: bytes.byteLength, ...more };
    const blobs = [{ digest: content, content, sizeBytes: layer.byteLength, open: () => only(layer) }];
    await storeAttachment(NAME, { said, bytes, blobs }, store);
    return manifest;
  };
  /** Numbers of versions, and labels of what is attached, whose contents are needed. */
  const needed = async (blobs = store.blobs): Promise<readonly (string | number)[]> => {
    const [model] = (await new CareLogs(blobs).read()).models.values();
    return model === undefined ? [] : neededRecipes(model).flatMap(({ label, number }) => number ?? label);
  };
  const label = (manifest: Digest): string => `churn@${manifest} (attached)`;
  return { store, subject, attach, needed, label };
}

test('what is attached is kept by a collection, found whole by a check, and carried by a mirror', async () => {
  await using directory = await testDirectory();
  const { store, attach, needed, label } = await signing(directory);
  const manifest = await attach('signature');
  await collectGarbage({ blobs: store.blobs, actor: 'test', graceMs: 0 });
  expect(await needed()).toEqual([1, 2, label(manifest)]);
  const mirrored = memory('memory:mirror');
  await mirror({ source: store.blobs, destination: mirrored });
  expect(await needed(mirrored)).toEqual([1, 2, label(manifest)]);
  for (const blobs of [store.blobs, mirrored]) {
    expect((await check({ blobs })).ok).toBe(true);
    const model = [...(await new CareLogs(blobs).read()).models.values()][0];
    const recipe = await over(blobs).contents.openRecipe(model?.attached[0]?.recipe ?? expect.fail('nothing attached'));
    const pieces: Uint8Array[] = [];
    for await (const piece of over(blobs).contents.read(recipe, manifest)) pieces.push(piece);
    expect(Buffer.concat(pieces).toString()).toBe('{"of":"signature"}');
  }
});

test('what is detached, replaced under its tag, or attached to a deleted version is released', async () => {
  await using directory = await testDirectory();
  const { store, subject, attach, needed, label } = await signing(directory);
  const sbom = await attach('sbom', { tag: 'sbom' });
  const first = await attach('first', { tag: 'x.sig', byTag: true });
  const second = await attach('second', { tag: 'x.sig', byTag: true });
  expect(await needed()).toEqual([1, 2, label(sbom), label(second)]);
  expect(await needed()).not.toContain(label(first));
  await store.registry.detach(NAME, subject, { manifest: sbom, tag: 'sbom' });
  expect(await needed()).toContain(label(sbom));
  await store.registry.detach(NAME, subject, { manifest: second, tag: 'x.sig' });
  expect(await needed()).toEqual([1, 2, label(sbom)]);
  await store.registry.setHold(NAME, { hold: 'case', number: 1 });
  expect((await failure(store.registry.detach(NAME, subject, { manifest: sbom }))).code).toBe('refused');
  await store.registry.releaseHold(NAME, 'case');
  await store.registry.detach(NAME, subject, { manifest: sbom }, { reason: 'superseded' });
  await attach('last');
  const mirrored = memory('memory:mirror');
  await mirror({ source: store.blobs, destination: mirrored });
  await attach('after');
  await store.registry.removeAlias(NAME, 'production');
  await store.registry.deleteVersion(VERSION);
  await collectGarbage({ blobs: store.blobs, actor: 'test', graceMs: 0 });
  expect(await needed()).toEqual([2]);
  expect((await check({ blobs: store.blobs })).ok).toBe(true);
  expect((await failure(attach('late'))).code).toBe('version-not-found');
  // The mirror needs none of what the source has lost meanwhile.
  await mirror({ source: store.blobs, destination: mirrored });
  expect(await bytesOf(mirrored, 'models/')).toEqual(await bytesOf(store.blobs, 'models/'));
});
