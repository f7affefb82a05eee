import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import type { BlobStore } from '../blob/blob-store.ts';
import { bodyOf, collect } from '../blob/bytes.ts';
import { createMemoryBlobStore } from '../blob/memory.ts';
import { digestOf } from '../digest.ts';
import { createBlobContentStore } from './blob-content-store.ts';
import { contentOf, noise } from './conformance.ts';
import type { ContentBody, Recipe, RecipeRef, SealedUpload } from './content-store.ts';
import { RecipeReader } from './recipe-reader.ts';

const chunker = { minBytes: 1024, maxBytes: 8192, threshold: 2 ** 23 };
/** 600 chunks, in several pages. */
const MODEL = noise(800_000, 1);

type Named = 'remembered' | 'unknown';

function bodyOfFile(path: string, bytes: Buffer, named: Named): ContentBody {
  const { digest, ...body } = contentOf(path, bytes);
  return named === 'remembered' ? { ...body, remembered: digest } : body;
}

/** Pushes everything at once, as a push does. */
async function push(
  blobs: BlobStore,
  id: string,
  bodies: readonly ContentBody[],
  base: readonly RecipeRef[] = [],
): Promise<{ sealed: SealedUpload; recipe: Recipe }> {
  const store = createBlobContentStore(blobs, { chunker, randomId: () => id, packBytes: 100_000 });
  await using upload = await store.openUpload({ modelId: 'm-0', base });
  await Promise.all(bodies.map((body) => upload.put(body)));
  const sealed = await upload.seal();
  await upload.release();
  return { sealed, recipe: await store.openRecipe(sealed.recipe) };
}

async function readsBack(blobs: BlobStore, recipe: Recipe, files: ReadonlyMap<string, Buffer>): Promise<void> {
  const store = createBlobContentStore(blobs);
  for (const { path = '', digest } of recipe.contents)
    assert.ok((await collect(store.read(recipe, digest))).equals(files.get(path) ?? Buffer.from('?')), path);
}

describe('a version of which files are remembered', () => {
  const sizes = fc.constantFrom(0, 10, 900, 5_000, 60_000, 250_000);
  const file = fc.record({
    size: sizes,
    seed: fc.nat(5),
    fate: fc.constantFrom('kept', 'changed', 'gone', 'inserted'),
  });

  test('has the very recipe that it has when all of them are read, and reads back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(file, { minLength: 1, maxLength: 8 }), async (plan) => {
        const [before, after] = [new Map<string, Buffer>(), new Map<string, Buffer>()];
        for (const [n, { size, seed, fate }] of plan.entries()) {
          const bytes = noise(size, seed);
          if (fate !== 'inserted') before.set(`${n}`, bytes);
          if (fate !== 'gone') after.set(`${n}`, fate === 'changed' ? Buffer.concat([bytes, Buffer.from('+')]) : bytes);
        }
        const versions = await Promise.all(
          (['remembered', 'unknown'] as const).map(async (named) => {
            const blobs = createMemoryBlobStore();
            const bodies = (files: ReadonlyMap<string, Buffer>) =>
              [...files].map(([path, bytes]) => bodyOfFile(path, bytes, named));
            const manifest = (version: number) => contentOf('', `{"version":${version}}`, 'manifest');
            const first = await push(blobs, 'v1', [...bodies(before), manifest(1)]);
            const second = await push(blobs, 'v2', [...bodies(after), manifest(2)], [first.recipe.ref]);
            await readsBack(blobs, second.recipe, new Map([...after, ['', Buffer.from('{"version":2}')]]));
            const { newBytes, storedBytes, newChunks, storedChunks } = second.sealed;
            return { recipe: second.recipe, counts: { newBytes, storedBytes, newChunks, storedChunks } };
          }),
        );
        assert.deepEqual(versions[0], versions[1]);
      }),
      { numRuns: 8 },
    );
  });

  test('finds a small file that is not remembered among what is stored', async () => {
    const blobs = createMemoryBlobStore();
    const files = (named: Named) => [
      bodyOfFile('a.json', Buffer.from('{}'), named),
      bodyOfFile('m', MODEL, 'remembered'),
    ];
    const first = await push(blobs, 'v1', files('remembered'));
    const { sealed } = await push(
      blobs,
      'v2',
      [...files('unknown'), contentOf('', '{"v":2}', 'manifest')],
      [first.recipe.ref],
    );
    assert.equal(sealed.newBytes, '{"v":2}'.length);
  });

  test('relies on every pack that its chunks lie in, and on no others', async () => {
    const blobs = createMemoryBlobStore();
    const gone = bodyOfFile('gone', noise(500_000, 2), 'unknown');
    const first = await push(blobs, 'v1', [bodyOfFile('m', MODEL, 'unknown'), gone]);
    const { recipe } = await push(blobs, 'v2', [bodyOfFile('m', MODEL, 'remembered')], [first.recipe.ref]);
    const chunks = new RecipeReader(blobs).pieces(recipe, recipe.contents[0]?.digest ?? digestOf(''));
    const packs = new Set<string>();
    for await (const some of chunks) for (const { pack } of some) packs.add(pack);
    const others = [...recipe.pages, recipe.ref].map(({ pack }) => pack);
    assert.deepEqual(new Set(recipe.packs), new Set([...packs, ...others]));
    assert.ok(packs.size > 6 && first.recipe.packs.length > packs.size + 3, first.recipe.packs.join(' '));
  });

  test('is written anew where a page of the version before is damaged, though its chunks are whole', async () => {
    const blobs = createMemoryBlobStore();
    const first = await push(blobs, 'v1', [bodyOfFile('m', MODEL, 'unknown')]);
    const page = first.recipe.pages[1];
    assert.ok(page !== undefined && first.recipe.pages.length > 3);
    const key = `packs/${page.pack}.pack`;
    const bytes = await collect(blobs.read(key));
    bytes.writeUInt8(bytes.readUInt8(page.offset + page.length - 5) ^ 1, page.offset + page.length - 5);
    await blobs.delete(key);
    await blobs.write(key, bodyOf(bytes));
    const { recipe, sealed } = await push(blobs, 'v2', [bodyOfFile('m', MODEL, 'remembered')], [first.recipe.ref]);
    assert.ok(sealed.newBytes > 0 && sealed.newBytes < MODEL.byteLength / 2, `${sealed.newBytes} bytes`);
    await readsBack(blobs, recipe, new Map([['m', MODEL]]));
  });
});
