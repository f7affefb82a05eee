import { describe, expect, it } from 'vitest';
import { collect } from '../blob/bytes.ts';
import { createMemoryBlobStore } from '../blob/memory.ts';
import { createBlobContentStore } from './blob-content-store.ts';
import { ownerOfRoot, parseRoot } from './roots.ts';

const KEPT = { keptAs: { kind: 'artifacts', id: 'a1', owner: 'server-1' } } as const;

function bytesOf(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = 7;
  for (let at = 0; at < size; at += 1) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

async function stored(bytes: Uint8Array) {
  const blobs = createMemoryBlobStore();
  const contents = createBlobContentStore(blobs);
  await using upload = await contents.openUpload(KEPT);
  const { digest } = await upload.put({
    role: 'file',
    path: 'model.bin',
    sizeBytes: bytes.length,
    open: async function* () {
      yield bytes;
    },
  });
  const sealed = await upload.seal();
  await upload.release();
  return { blobs, contents, sealed, digest };
}

describe('contents that a root of their own keeps', () => {
  it('have a root that stands after the release, names their packs and says whose it is', async () => {
    const { blobs, sealed } = await stored(bytesOf(1000));
    expect(sealed.root).toBe('roots/artifacts/a1.json');
    const root = await collect(blobs.read(sealed.root ?? ''));
    expect(parseRoot(root, 'the root')).toEqual([sealed.recipe.pack]);
    expect(ownerOfRoot(root, 'the root')).toBe('server-1');
  });

  it('never write over the root of others', async () => {
    const { blobs, contents } = await stored(bytesOf(10));
    await using upload = await contents.openUpload(KEPT);
    expect((await upload.seal()).root).toBe('roots/artifacts/a1-1.json');
    expect(await blobs.stat('roots/artifacts/a1.json')).toBeDefined();
  });

  it('cannot pass for the root of an upload', async () => {
    const contents = createBlobContentStore(createMemoryBlobStore());
    await using upload = await contents.openUpload({ keptAs: { ...KEPT.keptAs, kind: 'uploads' } });
    await expect(upload.seal()).rejects.toMatchObject({ code: 'usage' });
  });

  it('give any range of a content of many pieces', async () => {
    const bytes = bytesOf(700_000);
    const { contents, sealed, digest } = await stored(bytes);
    const recipe = await contents.openRecipe(sealed.recipe);
    expect(recipe.contents[0]?.chunks).toBeGreaterThan(3);
    for (const [start, end] of [
      [0, 1],
      [0, 700_000],
      [65_535, 65_537],
      [333_333, 600_001],
      [699_999, 700_000],
      [5, 5],
    ] as const)
      expect(
        Buffer.from(await collect(contents.read(recipe, digest, { range: { start, end } }))).equals(
          bytes.subarray(start, end),
        ),
      ).toBe(true);
    await expect(collect(contents.read(recipe, digest, { range: { start: 1, end: 700_001 } }))).rejects.toThrow(
      'no bytes',
    );
  });
});
