/**
 * A process that brings a version into a cache and may be killed on the way: `STORE CACHE FAULT`, where FAULT is
 * `read:K` for the K-th read of a pack, `piece:K` for the K-th piece that comes, or `none`.
 */

import { argv, kill, pid, stdout } from 'node:process';
import { observed } from './blob/layers/observed.ts';
import { createLocalBlobStore } from './blob/local.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { openPackageCache } from './package/cache.ts';
import { pullToCache } from './pull.ts';
import { openLogRegistry } from './registry/open.ts';

const [store = '', directory = '', fault = 'none'] = argv.slice(2);
const [when, step] = fault.split(':');
let reads = 0;
let pieces = 0;
const die = (now: string, count: number): void => {
  if (now === when && count === Number(step)) kill(pid, 'SIGKILL');
};
const blobs = observed(createLocalBlobStore(store), {
  before: ({ operation, key }) => {
    if (operation === 'read' && key.startsWith('packs/')) die('read', ++reads);
  },
  piece: ({ key }, bytes) => {
    if (key.startsWith('packs/')) die('piece', ++pieces);
    return bytes;
  },
});
await using cache = openPackageCache({ directory });
const { path } = await pullToCache('m', {
  registry: openLogRegistry({ blobs, actor: 'test' }),
  contents: createBlobContentStore(blobs),
  cache,
});
stdout.write(`${JSON.stringify({ path, reads, pieces })}\n`);
