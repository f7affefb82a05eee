import { collect } from '@ingot/core/blob/bytes';
import { digestOf } from '@ingot/core/digest';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ArtifactPath } from './artifact-path.ts';
import { ArtifactTree } from './artifact-tree.ts';
import { sweepRoots } from './holdings.ts';
import { packStaged } from './packing.ts';
import { type ArtifactTests, bodyOf, noise, openArtifactTests, type ServedArtifacts } from './testing/served.ts';

let tests: ArtifactTests;
let served: ServedArtifacts;
let tree: ArtifactTree;

beforeAll(async () => {
  tests = await openArtifactTests();
});

beforeEach(async () => {
  served = await tests.begin();
  tree = new ArtifactTree(served.context);
});

afterAll(() => tests[Symbol.asyncDispose]());

const at = (text: string): ArtifactPath => ArtifactPath.parse(text);

async function textAt(path: string): Promise<string> {
  return Buffer.from(await collect(tree.read(await tree.file(at(path))))).toString();
}

async function rootsNow(): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of served.blobs.list('roots/')) keys.push(key);
  return keys;
}

describe('the artifact tree', () => {
  it('gives what was put, and lists directories that nobody made', async () => {
    const put = await tree.put(at('0/r/artifacts/a/b.txt'), bodyOf('hello'), { sizeBytes: 5 });
    expect(put).toEqual({ digest: digestOf('hello'), sizeBytes: 5 });
    expect(await textAt('0/r/artifacts/a/b.txt')).toBe('hello');
    expect(await tree.list(at('0/r/artifacts'))).toEqual([{ name: 'a', sizeBytes: undefined }]);
    expect(await tree.list(at('0/r/artifacts/a'))).toEqual([{ name: 'b.txt', sizeBytes: 5 }]);
    expect(await tree.list(at('0/r/artifacts/a/b.txt'))).toEqual([]);
    expect(await tree.list(at('0/nothing'))).toEqual([]);
    expect(await tree.list(undefined)).toEqual([{ name: '0', sizeBytes: undefined }]);
  });

  it('writes nothing to the store for a small file, and a pack and a root for a large one', async () => {
    await tree.put(at('0/r/small'), bodyOf(noise(1000)));
    expect(await rootsNow()).toEqual([]);
    await tree.put(at('0/r/large'), bodyOf(noise(400_000)), { sizeBytes: 400_000 });
    expect(await rootsNow()).toHaveLength(1);
    const read = await collect(
      tree.read(await tree.file(at('0/r/large')), { range: { start: 300_000, end: 300_010 } }),
    );
    expect(Buffer.from(read).equals(noise(400_000).subarray(300_000, 300_010))).toBe(true);
  });

  it('takes a large file whose size nobody said', async () => {
    await tree.put(at('0/r/large'), bodyOf(noise(400_000)));
    expect((await tree.file(at('0/r/large'))).digest).toBe(digestOf(noise(400_000)));
  });

  it('replaces a file, and lets go of what only the old one needed', async () => {
    await tree.put(at('0/r/f'), bodyOf(noise(400_000)), { sizeBytes: 400_000 });
    await tree.put(at('0/r/f'), bodyOf('new'));
    expect(await textAt('0/r/f')).toBe('new');
    expect(await rootsNow()).toEqual([]);
  });

  it('does not put a file where a directory is, nor below a file, and others that come with it are taken', async () => {
    await tree.put(at('0/r/a/b'), bodyOf('x'));
    const puts = await Promise.allSettled([
      tree.put(at('0/r/a'), bodyOf('x')),
      tree.put(at('0/r/a/b/c'), bodyOf('x')),
      tree.put(at('0/r/fine'), bodyOf('fine')),
    ]);
    expect(puts.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
    expect(puts[0]).toMatchObject({ reason: { code: 'invalid-request' } });
    expect(await textAt('0/r/fine')).toBe('fine');
  });

  it('refuses a body of another size than it was said to have, and keeps nothing of it', async () => {
    await expect(tree.put(at('0/r/f'), bodyOf('abc'), { sizeBytes: 4 })).rejects.toMatchObject({
      code: 'invalid-request',
    });
    await expect(tree.put(at('0/r/g'), bodyOf(noise(300_000)), { sizeBytes: 300_001 })).rejects.toMatchObject({
      code: 'source-changed',
    });
    expect(await tree.list(at('0/r'))).toEqual([]);
    expect(await rootsNow()).toEqual([]);
  });

  it('removes directories with all in them', async () => {
    await tree.put(at('0/r/a/b'), bodyOf(noise(300_000)), { sizeBytes: 300_000 });
    await tree.put(at('0/r/a/c/d'), bodyOf('x'));
    await tree.put(at('0/r/ab'), bodyOf('stays'));
    await tree.remove(at('0/r/a'));
    expect(await tree.list(at('0/r'))).toEqual([{ name: 'ab', sizeBytes: 5 }]);
    expect(await rootsNow()).toEqual([]);
    await expect(tree.file(at('0/r/a/b'))).rejects.toThrow('No such artifact');
  });

  it('takes a thousand small files at once, in a handful of transactions', async () => {
    await Promise.all(Array.from({ length: 1000 }, (_, n) => tree.put(at(`0/r/${n % 10}/${n}`), bodyOf(`file ${n}`))));
    expect(await tree.list(at('0/r/3'))).toHaveLength(100);
    expect(await textAt('0/r/7/777')).toBe('file 777');
  });

  it('stores a large file again only as far as it is new', async () => {
    const bytes = noise(3_000_000);
    await tree.put(at('0/r1/model.bin'), bodyOf(bytes), { sizeBytes: bytes.length });
    const before = await storedBytes();
    const changed = new Uint8Array(bytes);
    changed.set(noise(1000, 9), 1_500_000);
    await tree.put(at('0/r2/model.bin'), bodyOf(changed), { sizeBytes: bytes.length });
    expect((await storedBytes()) - before).toBeLessThan(600_000);
    expect((await tree.file(at('0/r2/model.bin'))).digest).toBe(digestOf(changed));
  });
});

async function storedBytes(): Promise<number> {
  let sum = 0;
  for await (const { sizeBytes } of served.blobs.list('packs/')) sum += sizeBytes;
  return sum;
}

describe('staged files', () => {
  it('move into one pack with a root, and read the same', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, n) => tree.put(at(`0/r/${n}`), bodyOf(`file ${n % 7}`))));
    expect(await packStaged(served.context, { until: '2026-11-21T12:00:00.000Z' })).toBe(20);
    expect(await rootsNow()).toHaveLength(1);
    expect(await textAt('0/r/13')).toBe('file 6');
    expect(await packStaged(served.context, { until: '2027-01-01T00:00:00.000Z' })).toBe(0);
  });

  it('stay where they are until they are old enough', async () => {
    await tree.put(at('0/r/f'), bodyOf('x'));
    expect(await packStaged(served.context, { until: '2026-11-21T11:59:59.999Z' })).toBe(0);
  });

  it('are read by whoever found them before they moved', async () => {
    await tree.put(at('0/r/f'), bodyOf('x'));
    const file = await tree.file(at('0/r/f'));
    await packStaged(served.context, { until: '2027-01-01T00:00:00.000Z' });
    expect(Buffer.from(await collect(tree.read(file))).toString()).toBe('x');
  });
});

describe('roots that a dead server left', () => {
  it('go when they are old, and those of other servers and of files stay', async () => {
    const { contents } = served.context.store;
    const left = async (owner: string, id: string): Promise<void> => {
      await using upload = await contents.openUpload({ keptAs: { kind: 'artifacts', id, owner } });
      await upload.put({ role: 'file', path: 'f', sizeBytes: 1, open: () => bodyOf('x') });
      await upload.seal();
      await upload.release();
    };
    await left(served.context.owner, 'dead');
    await left('another-server', 'theirs');
    await tree.put(at('0/r/f'), bodyOf(noise(300_000)), { sizeBytes: 300_000 });
    expect(await sweepRoots(served.context)).toBe(0);
    served.setTime('2099-01-01T00:00:00.000Z');
    expect(await sweepRoots(served.context)).toBe(1);
    const roots = await rootsNow();
    expect(roots).toHaveLength(2);
    expect(roots).not.toContain('roots/artifacts/dead.json');
  });
});
