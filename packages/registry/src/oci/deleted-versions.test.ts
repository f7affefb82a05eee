import assert from 'node:assert/strict';
import { draftOf } from '@ingot/core/registry/conformance/case';
import { parseModelName, parseReference } from '@ingot/core/ref';
import { test } from 'vitest';
import { trialApp } from '../http/testing/registry-app.ts';
import { forgetDeletedVersions } from './deleted-versions.ts';
import { ManifestRows } from './manifest-rows.ts';
import { readManifest } from './read-manifest.ts';
import { parseRepository } from './repository.ts';

const [NAME, OTHER] = [parseModelName('churn'), parseModelName('gone')];
const CONFIG = { mediaType: 'application/x', digest: `sha256:${'0'.repeat(64)}`, size: 1 };
const TYPE = 'application/vnd.oci.image.manifest.v1+json';

test('manifests of versions and models that were deleted are forgotten, and nothing else', async () => {
  const { services, ...trial } = await trialApp({ protocols: [] });
  await using _ = trial;
  const { registry, database } = services;
  const rows = new ManifestRows(services);
  const pushed = async (name: typeof NAME, text: string) => {
    const { id: modelId } = await registry.ensureModel(name);
    const { version } = await registry.publish(name, draftOf(text));
    const value = { schemaVersion: 2, config: CONFIG, annotations: { text } };
    const bytes = Buffer.from(JSON.stringify(value));
    const manifest = readManifest(bytes, value, TYPE);
    const { number } = version;
    await rows.put({ repository: parseRepository(name), manifest, version: { modelId, number }, tags: [], by: 'x' });
    return { modelId, number };
  };
  const [first, second, third] = [await pushed(NAME, 'one'), await pushed(NAME, 'two'), await pushed(OTHER, 'three')];
  assert.equal(await forgetDeletedVersions(database, rows), 0);
  await registry.deleteVersion(parseReference(`churn:${first.number}`));
  await registry.deleteModel(OTHER);
  assert.equal(await forgetDeletedVersions(database, rows), 2);
  const left = await Promise.all([first, second, third].map(({ modelId, number }) => rows.ofVersion(modelId, number)));
  assert.deepEqual(
    left.map((manifest) => manifest !== undefined),
    [false, true, false],
  );
});
