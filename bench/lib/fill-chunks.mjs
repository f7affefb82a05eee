/**
 * Fills a store with versions of many chunks: `node fill-chunks.mjs DIRECTORY VERSIONS DELETED`. Each version has 20,000
 * chunks of its own in packs of 128, as 1.25 GiB of weights have; a chunk is 16 bytes here instead of 64 KiB, which a
 * collection does not notice, because it reads no chunks. The first DELETED versions are deleted. Needs the built libraries.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLocalBlobStore } from '@ingot/core/blob/local';
import { packOf } from '@ingot/core/content/pack';
import { encodePage, encodeRecipe } from '@ingot/core/content/recipe';
import { createStore } from '@ingot/core/content/store-format';
import { parseModelName } from '@ingot/core/ref';
import { openLogRegistry } from '@ingot/core/registry/open';

const CHUNKS = 20_000;
const CHUNKS_A_PACK = 128;
const CHUNKS_A_PAGE = 256;
const CHUNK_BYTES = 16;

const [directory, versions, deleted] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const name = parseModelName('large');
const blobs = createLocalBlobStore(directory);
await createStore(blobs);
const registry = openLogRegistry({ blobs, actor: 'bench' });

await registry.ensureModel(name);

const digestOf = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** Writes a pack past the store, which would wait for the disk at each of thousands. */
async function writePack(pack, contents) {
  const entries = contents.map(({ digest, bytes }) => ({ digest, length: bytes.length, open: async function* () { yield bytes; } }));
  const pieces = [];
  for await (const bytes of packOf(entries).open()) pieces.push(bytes);
  const path = join(directory, 'packs', `${pack}.pack`);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, Buffer.concat(pieces));
}

async function publish(version) {
  const upload = `bench-${version}`;
  const pieces = [];
  for (let first = 0, n = 0; first < CHUNKS; first += CHUNKS_A_PACK, n++) {
    const contents = Array.from({ length: Math.min(CHUNKS_A_PACK, CHUNKS - first) }, (_, at) => {
      const bytes = Buffer.alloc(CHUNK_BYTES);
      bytes.writeUInt32LE(version, 0);
      bytes.writeUInt32LE(first + at, 4);
      return { bytes, digest: digestOf(bytes) };
    });
    await writePack(`${upload}/${n}`, contents);
    for (const [at, { digest }] of contents.entries()) pieces.push({ digest, pack: `${upload}/${n}`, offset: at * CHUNK_BYTES, length: CHUNK_BYTES });
  }
  await registry.publish(name, await draftOf(version, upload, pieces));
}

/** The pack that describes a version: manifest, pages, recipe. */
async function draftOf(version, upload, pieces) {
  const pack = `${upload}/${Math.ceil(CHUNKS / CHUNKS_A_PACK)}`;
  const contents = [];
  let offset = 0;
  const add = (bytes) => {
    const digest = digestOf(bytes);
    contents.push({ digest, bytes });
    offset += bytes.length;
    return { digest, pack, offset: offset - bytes.length, length: bytes.length };
  };
  const manifest = add(Buffer.from(`{"version":${version}}`));
  const all = [...pieces, manifest];
  const pages = [];
  for (let at = 0; at < all.length; at += CHUNKS_A_PAGE) {
    const some = all.slice(at, at + CHUNKS_A_PAGE);
    pages.push({ ...add(encodePage(some)), pieces: some.length });
  }
  const sizeBytes = CHUNKS * CHUNK_BYTES;
  const files = [
    { role: 'file', path: 'weights.bin', digest: digestOf(`weights ${version}`), sizeBytes, chunks: CHUNKS },
    { role: 'manifest', digest: manifest.digest, sizeBytes: manifest.length, chunks: 1 },
  ];
  const packs = [...new Set(pieces.map((piece) => piece.pack)), pack];
  const recipe = add(encodeRecipe({ contents: files, pages, packs }));
  await writePack(pack, contents);
  return { manifest: manifest.digest, recipe, sizeBytes, fileCount: 1, flavor: 'file', scan: 'not scanned' };
}

try {
  for (let version = 1; version <= versions; version++) await publish(version);
  for (let number = 1; number <= deleted; number++) await registry.deleteVersion({ name, selector: { kind: 'version', number } });
} finally {
  await registry[Symbol.asyncDispose]();
}
