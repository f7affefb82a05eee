/**
 * A process that pulls and may be killed on the way: `STORE CACHE FAULT [OUTPUT]`, where FAULT is `read:K` for the K-th
 * read of a pack, `piece:K` for the K-th piece that comes, or `none`. With OUTPUT it pulls into that directory.
 * The store is read as one that is far away, in small pieces.
 */

import { argv, kill, pid, stdout } from 'node:process';
import type { BlobStore } from './blob/blob-store.ts';
import { observed } from './blob/layers/observed.ts';
import { createLocalBlobStore } from './blob/local.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { openPackageCache } from './package/cache.ts';
import { pull, pullToCache } from './pull.ts';
import { openLogRegistry } from './registry/open.ts';

const PIECE_BYTES = 65_536;
const [store = '', directory = '', fault = 'none', output] = argv.slice(2);
const [when, step] = fault.split(':');
let reads = 0;
let pieces = 0;
const die = (now: string, count: number): void => {
  if (now === when && count === Number(step)) kill(pid, 'SIGKILL');
};

/** A store whose files nobody can open but by reading blobs. */
function farAway(inner: BlobStore): BlobStore {
  return {
    address: inner.address,
    capabilities: { ...inner.capabilities, localFiles: false },
    stat: (key, options) => inner.stat(key, options),
    write: (key, body, options) => inner.write(key, body, options),
    delete: (key, options) => inner.delete(key, options),
    list: (prefix, options) => inner.list(prefix, options),
    async *read(key, options) {
      for await (const bytes of inner.read(key, options)) {
        for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
      }
    },
  };
}

const blobs = observed(farAway(createLocalBlobStore(store)), {
  before: ({ operation, key }) => {
    if (operation === 'read' && key.startsWith('packs/')) die('read', ++reads);
  },
  piece: ({ key }, bytes) => {
    if (key.startsWith('packs/')) die('piece', ++pieces);
    return bytes;
  },
});
await using cache = openPackageCache({ directory });
const options = { registry: openLogRegistry({ blobs, actor: 'test' }), contents: createBlobContentStore(blobs), cache };
const { path, bytes } = await (output === undefined ? pullToCache('m', options) : pull('m', { ...options, output }));
stdout.write(`${JSON.stringify({ path, reads, pieces, bytes })}\n`);
