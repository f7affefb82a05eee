/**
 * Pushes many versions of one model, `grown`, each a small package with contents of its own, so that packs and events lie in
 * the store as a team's years leave them: `node fill-versions.mjs DIRECTORY VERSIONS`. Needs the built libraries.
 */
import { randomFillSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalBlobStore } from '@ingot/core/blob/local';
import { createBlobContentStore } from '@ingot/core/content/blob-content-store';
import { createStore } from '@ingot/core/content/store-format';
import { push } from '@ingot/core/push';
import { openLogRegistry } from '@ingot/core/registry/open';

const [directory, versions] = [process.argv[2], Number(process.argv[3])];
const WEIGHT_BYTES = 16 * 1024;

const folder = mkdtempSync(join(tmpdir(), 'ingot-bench-grown-'));
const blobs = createLocalBlobStore(directory);
await createStore(blobs);
const registry = openLogRegistry({ blobs, actor: 'bench' });
const contents = createBlobContentStore(blobs);
const weights = Buffer.alloc(WEIGHT_BYTES);
try {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'readme.txt'), 'A model with a long history.\n');
  for (let version = 1; version <= versions; version++) {
    writeFileSync(join(folder, 'weights.bin'), randomFillSync(weights));
    await push(folder, { registry, contents, name: 'grown', metrics: { loss: 1 / version } });
    if (version % 1000 === 0) console.error(`- ${version} versions`);
  }
} finally {
  await registry[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
}
