/** Publishes many versions to a store: `node fill-store.mjs DIRECTORY MODELS VERSIONS`. Needs the built libraries. */
import { createHash } from 'node:crypto';
import { createLocalBlobStore } from '@ingot/core/blob/local';
import { createStore } from '@ingot/core/content/store-format';
import { parseModelName } from '@ingot/core/ref';
import { openLogRegistry } from '@ingot/core/registry/open';

const [directory, models, versions] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const AT_ONCE = 16;

const blobs = createLocalBlobStore(directory);
await createStore(blobs);
const registry = openLogRegistry({ blobs, actor: 'bench' });

const digestOf = (text) => `sha256:${createHash('sha256').update(text).digest('hex')}`;

/** Names only: the contents do not matter to a listing. */
function draftOf(model, version) {
  const manifest = digestOf(`${model} ${version}`);
  return {
    manifest,
    recipe: { digest: digestOf(`recipe of ${manifest}`), pack: `bench-${model}-${version}/0`, offset: 0, length: 512 },
    sizeBytes: 48_000_000 + version,
    fileCount: 4,
    flavor: 'python',
    label: `1.${version}`,
    labelFrom: 'metadata',
    metrics: { auc: 0.9 + version / 1000 },
    scan: 'not scanned',
  };
}

const nameOf = (index) => parseModelName(`model-${String(index).padStart(4, '0')}`);

async function fillModel(index) {
  const name = nameOf(index);
  for (let version = 1; version <= versions; version++) {
    await registry.publish(name, draftOf(name, version), version === versions ? { aliases: ['production'] } : {});
  }
}

let next = 0;
const fill = async () => {
  while (next < models) await fillModel(next++);
};
try {
  for (let index = 0; index < models; index++) await registry.ensureModel(nameOf(index));
  await Promise.all(Array.from({ length: AT_ONCE }, fill));
} finally {
  await registry[Symbol.asyncDispose]();
}
