/**
 * Writes the logs of many versions over some models as publishing would, without the contents that they name and without
 * waiting for the disk, so that an index of them can be rebuilt: `node fill-events.mjs DIRECTORY VERSIONS MODELS`.
 */
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { createStore } from '@ingot/core/content/store-format';
import { digestOf } from '@ingot/core/digest';
import { parseModelName } from '@ingot/core/ref';
import { openLogRegistry } from '@ingot/core/registry/open';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readIfPresent } from '@ingot/core/blob/bytes';

const [directory, versions, models] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const blobs = createMemoryBlobStore();
await createStore(blobs);
const registry = openLogRegistry({ blobs, actor: 'bench' });
const each = Math.floor(versions / models);
for (let model = 0; model < models; model++) {
  const name = parseModelName(`model-${model}`);
  await registry.ensureModel(name);
  for (let version = 1; version <= each; version++) {
    const digest = digestOf(`${model} ${version}`);
    const draft = {
      manifest: digest,
      recipe: { digest, pack: `${'0'.repeat(32)}/1`, offset: 0, length: 1 },
      sizeBytes: 1000,
      fileCount: 2,
      flavor: 'sklearn',
      scan: 'not scanned',
      metrics: { loss: 1 / version },
      tags: { team: version % 10 === 0 ? 'red' : 'blue' },
      params: { depth: version % 7 },
    };
    await registry.publish(name, draft, { always: true });
  }
  if (model % 10 === 9) console.error(`- ${(model + 1) * each} versions`);
}
await registry[Symbol.asyncDispose]?.();
for await (const { key } of blobs.list('')) {
  const path = join(directory, key);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, await readIfPresent(blobs, key, {}));
}
