import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import type { BlobStore } from '../blob/blob-store.ts';
import { bodyOf, collect } from '../blob/bytes.ts';
import { failsWith, keysOf } from '../blob/conformance/case.ts';
import { observed } from '../blob/layers/observed.ts';
import { createLocalBlobStore } from '../blob/local.ts';
import { createMemoryBlobStore } from '../blob/memory.ts';
import { digestOf } from '../digest.ts';
import { IngotError, isIngotError } from '../errors.ts';
import { canonicalJson } from '../json.ts';
import { createBlobContentStore } from './blob-content-store.ts';
import { CONTENT_STORE_CASES, contentOf, noise, pushAll } from './conformance.ts';
import type { ContentStore, RecipeRef } from './content-store.ts';
import { readPackFooter } from './pack.ts';
import { parseUploadRoot } from './roots.ts';

const subject = { open: () => createBlobContentStore(createMemoryBlobStore()), modelId: () => 'churn-0a1b' };
let base = '';
let made = 0;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'ingot-contents-'));
});

afterAll(async () => {
  await rm(base, { recursive: true, force: true });
});

describe('contents in a directory keep the contract of content stores', () => {
  for (const { name, run } of CONTENT_STORE_CASES) {
    test(name, async () => {
      made += 1;
      const directory = join(base, `store-${made}`);
      await run({ ...subject, open: () => createBlobContentStore(createLocalBlobStore(directory)) });
    });
  }
});

describe('contents in memory, in many small packs, keep the contract of content stores', () => {
  for (const { name, run } of CONTENT_STORE_CASES) {
    test(name, async () => {
      const blobs = createMemoryBlobStore();
      await run({ ...subject, open: () => createBlobContentStore(blobs, { packBytes: 10_000 }) });
    });
  }
});

describe('an upload', () => {
  test('costs one pack and one root, and leaves only the pack', async () => {
    const blobs = createMemoryBlobStore();
    const writes: string[] = [];
    const store = createBlobContentStore(
      observed(blobs, { before: ({ operation, key }) => void (operation === 'write' && writes.push(key)) }),
      {
        randomId: () => 'upload1',
      },
    );
    await pushAll(store, subject, [contentOf('a', 'x'), contentOf('', '{}', 'manifest')]);
    assert.deepEqual(writes, ['packs/upload1/0.pack', 'roots/uploads/upload1/0.json']);
    assert.deepEqual(await keysOf(blobs, ''), ['packs/upload1/0.pack']);
  });

  test('fills packs with one file after another, and closes each before it grows too large', async () => {
    const blobs = createMemoryBlobStore();
    const store = createBlobContentStore(blobs, { packBytes: 1000, randomId: () => 'u' });
    await pushAll(store, subject, [
      contentOf('a', noise(400, 1)),
      contentOf('big', noise(5000, 2)),
      contentOf('b', noise(400, 3)),
      contentOf('c', noise(400, 4)),
    ]);
    const lengths = [];
    for (let n = 0; n < 3; n += 1) lengths.push((await readPackFooter(blobs, `u/${n}`)).map(({ length }) => length));
    assert.deepEqual(lengths[0], [400]);
    assert.deepEqual(lengths[1], [5000]);
    assert.deepEqual(lengths[2]?.slice(0, 2), [400, 400]);
  });

  test('names in its root every pack it relies on, older ones too', async () => {
    const blobs = createMemoryBlobStore();
    let id = 0;
    const store = createBlobContentStore(blobs, { randomId: () => `u${++id}`, now: () => new Date(0) });
    const first = await pushAll(store, subject, [contentOf('a', 'old')]);
    await using upload = await store.openUpload({ modelId: 'churn-0a1b', base: [first.recipe] });
    await upload.put(contentOf('a', 'old'));
    await upload.put(contentOf('b', 'new'));
    await upload.seal();
    const root = parseUploadRoot(await collect(blobs.read('roots/uploads/u2/0.json')), 'root');
    assert.deepEqual(root, {
      upload: 'u2',
      modelId: 'churn-0a1b',
      at: '1970-01-01T00:00:00.000Z',
      packs: ['u1/0', 'u2/0'],
    });
  });

  test('that is sealed and never released keeps its root: its event may be on the way still', async () => {
    const blobs = createMemoryBlobStore();
    {
      await using upload = await createBlobContentStore(blobs, { randomId: () => 'u' }).openUpload({ modelId: 'm-0' });
      await upload.put(contentOf('a', 'x'));
      await upload.seal();
    }
    assert.deepEqual(await keysOf(blobs, ''), ['packs/u/0.pack', 'roots/uploads/u/0.json']);
  });

  test('that is disposed before it was sealed whole gives its space back', async () => {
    const blobs = createMemoryBlobStore();
    {
      await using upload = await createBlobContentStore(blobs, { packBytes: 10 }).openUpload({ modelId: 'm-0' });
      await upload.put(contentOf('a', 'more than ten bytes'));
      await upload.put(contentOf('b', 'and some more'));
      const other = { ...contentOf('c', 'announced as other bytes'), digest: digestOf('other') };
      await failsWith(() => upload.put(other), 'source-changed');
      await failsWith(() => upload.seal(), 'source-changed');
      assert.ok((await keysOf(blobs, 'packs/')).length > 0);
    }
    assert.deepEqual(await keysOf(blobs, ''), []);
  });

  test('shares the pages of an unchanged part with the version before', async () => {
    const blobs = createMemoryBlobStore();
    const store = createBlobContentStore(blobs);
    const files = Array.from({ length: 2000 }, (_, n) => contentOf(`f/${String(n).padStart(4, '0')}`, `number ${n}`));
    const first = await store.openRecipe((await pushAll(store, subject, files)).recipe);
    const changed = files
      .with(1000, contentOf('f/1000', 'changed'))
      .toSpliced(500, 0, contentOf('f/0499a', 'inserted'));
    const second = await store.openRecipe((await pushAll(store, subject, changed, [first.ref])).recipe);
    const known = new Set(first.pages.map(({ digest }) => digest));
    const fresh = second.pages.filter(({ digest }) => !known.has(digest));
    assert.ok(second.pages.length >= 4, `${second.pages.length} pages`);
    assert.ok(fresh.length <= 2, `${fresh.length} of ${second.pages.length} pages are new`);
  });

  async function cutShort(code: 'disk-full' | 'refused', journals: string) {
    const blobs = createMemoryBlobStore();
    let full = true;
    const failing = observed(blobs, {
      before: ({ operation, key }) => {
        if (full && operation === 'write' && key.endsWith('/3.pack')) throw new IngotError(code, 'no more');
      },
    });
    const store = createBlobContentStore(failing, { packBytes: 100, journals });
    const files = Array.from({ length: 8 }, (_, n) => contentOf(`${n}`, noise(90, n)));
    await failsWith(() => pushAll(store, subject, files), code);
    assert.deepEqual(await keysOf(blobs, 'roots/'), []);
    full = false;
    return { blobs, store, files };
  }

  test('that was cut short by a full disk is resumed by the next one, which writes only the rest', async () => {
    const journals = join(base, 'journals-resumed');
    const { blobs, store, files } = await cutShort('disk-full', journals);
    const standing = (await keysOf(blobs, 'packs/')).length;
    assert.ok(standing >= 2, `${standing} packs`);
    const { recipe, newBytes } = await pushAll(store, subject, files);
    assert.equal(newBytes, 90 * (8 - standing));
    const opened = await store.openRecipe(recipe);
    for (const { digest } of files) assert.equal(digestOf(await collect(store.read(opened, digest))), digest);
    assert.deepEqual(await readdir(journals), []);
  });

  test('whose journal names packs that are gone, or that is damaged, is pushed as if there were none', async () => {
    const journals = join(base, 'journals-wrong');
    const { blobs, store, files } = await cutShort('disk-full', journals);
    for (const key of await keysOf(blobs, 'packs/')) await blobs.delete(key);
    await writeFile(join(journals, 'damaged.json'), '{"format":1,');
    assert.equal((await pushAll(store, subject, files)).newBytes, 90 * 8);
  });

  test('that failed for good leaves neither packs nor a journal', async () => {
    const journals = join(base, 'journals-failed');
    const { blobs } = await cutShort('refused', journals);
    assert.deepEqual(await keysOf(blobs, ''), []);
    assert.deepEqual(await readdir(journals), []);
  });

  test('that may still run is not resumed: it might remove its packs', async () => {
    const journals = join(base, 'journals-running');
    const blobs = createMemoryBlobStore();
    const store = createBlobContentStore(blobs, { packBytes: 100, journals });
    const files = Array.from({ length: 8 }, (_, n) => contentOf(`${n}`, noise(90, n)));
    await using running = await store.openUpload({ modelId: 'm-0' });
    for (const file of files) await running.put(file);
    await running.seal();
    assert.equal((await readdir(journals)).filter((name) => name.endsWith('.json')).length, 1);
    assert.equal((await pushAll(store, subject, files)).newBytes, 90 * 8);
  });

  test('takes a reply that was lost for what it was when the pack is its own, and for a conflict when it is not', async () => {
    for (const mine of [true, false]) {
      const blobs = createMemoryBlobStore();
      const losing: BlobStore = {
        ...blobs,
        write: async (key, body, options) => {
          if (key.startsWith('packs/')) await blobs.write(key, mine ? body : bodyOf('other'), options);
          return await blobs.write(key, body, options);
        },
      };
      const push = () => pushAll(createBlobContentStore(losing), subject, [contentOf('a', 'x')]);
      if (mine) assert.equal((await push()).newBytes, 1);
      else await failsWith(push, 'conflict');
    }
  });
});

describe('an upload beside a collection', () => {
  async function withVersion(): Promise<{ blobs: BlobStore; store: ContentStore; recipe: RecipeRef; pack: string }> {
    const blobs = createMemoryBlobStore();
    const store = createBlobContentStore(blobs);
    const { recipe } = await pushAll(store, subject, [contentOf('kept', 'kept bytes')]);
    return { blobs, store, recipe, pack: recipe.pack };
  }

  async function secondVersion(store: ContentStore, recipe: RecipeRef): Promise<RecipeRef> {
    const sealed = await pushAll(
      store,
      subject,
      [contentOf('kept', 'kept bytes'), contentOf('new', 'new bytes')],
      [recipe],
    );
    const opened = await store.openRecipe(sealed.recipe);
    assert.equal(String(await collect(store.read(opened, digestOf('kept bytes')))), 'kept bytes');
    assert.equal(String(await collect(store.read(opened, digestOf('new bytes')))), 'new bytes');
    return sealed.recipe;
  }

  test('writes anew what lies in a condemned pack, and relies on it no more', async () => {
    const { blobs, store, recipe, pack } = await withVersion();
    await blobs.write('gc/run1.json', bodyOf(canonicalJson({ format: 1, packs: [pack] })));
    const second = await secondVersion(store, recipe);
    assert.ok(!(await store.openRecipe(second)).packs.includes(pack));
  });

  test('writes anew what lies in a pack that is gone already', async () => {
    const { blobs, recipe, pack } = await withVersion();
    // The pack goes after the recipe of the base was read, as when a collection ends in between.
    const racing = observed(blobs, {
      after: async ({ operation, key }) => {
        if (operation === 'write' && key.startsWith('packs/')) await blobs.delete(`packs/${pack}.pack`);
      },
    });
    const second = await secondVersion(createBlobContentStore(racing), recipe);
    assert.ok(!(await createBlobContentStore(blobs).openRecipe(second)).packs.includes(pack));
  });

  test('whose own packs are condemned before its root stands writes them anew under other names', async () => {
    const blobs = createMemoryBlobStore();
    const racing = observed(blobs, {
      after: async ({ operation, key }) => {
        if (operation === 'write' && key === 'packs/u/0.pack')
          await blobs.write('gc/run1.json', bodyOf(canonicalJson({ format: 1, packs: ['u/0'] })));
      },
    });
    const store = createBlobContentStore(racing, { randomId: () => 'u' });
    await using upload = await store.openUpload({ modelId: 'm-0' });
    await upload.put(contentOf('a', 'x'));
    const { recipe, newBytes } = await upload.seal();
    assert.deepEqual({ pack: recipe.pack, newBytes }, { pack: 'u/1', newBytes: 1 });
    assert.deepEqual(await keysOf(blobs, 'roots/'), ['roots/uploads/u/0.json', 'roots/uploads/u/1.json']);
    await upload.release();
    assert.deepEqual(await keysOf(blobs, 'roots/'), []);
  });
});

describe('damage', () => {
  const model = contentOf('model.pkl', noise(9_000_000, 5));
  const small = contentOf('small.txt', 'small file');

  async function damagedBy(change: (bytes: Buffer) => Buffer): Promise<{ store: ContentStore; recipe: RecipeRef }> {
    const blobs = createMemoryBlobStore();
    const { recipe } = await pushAll(createBlobContentStore(blobs, { packBytes: 2 ** 24 }), subject, [small, model]);
    const key = `packs/${recipe.pack}.pack`;
    const bytes = change(await collect(blobs.read(key)));
    await blobs.delete(key);
    await blobs.write(key, bodyOf(bytes));
    return { store: createBlobContentStore(blobs), recipe };
  }

  async function served(
    store: ContentStore,
    recipe: RecipeRef,
    content: typeof model,
  ): Promise<{ bytes: number; error: unknown }> {
    let bytes = 0;
    try {
      for await (const piece of store.read(await store.openRecipe(recipe), content.digest)) bytes += piece.byteLength;
    } catch (error) {
      return { bytes, error };
    }
    return { bytes, error: undefined };
  }

  test('of one bit is integrity naming content, file and pack, and no reader gets to the end', async () => {
    for (const at of [10, 4_000_000, 9_000_009]) {
      const { store, recipe } = await damagedBy((bytes) => {
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        return bytes;
      });
      const { bytes, error } = await served(store, recipe, model);
      assert.ok(isIngotError(error, 'integrity'), String(error));
      for (const named of [model.digest, 'model.pkl', recipe.pack])
        assert.ok(error.message.includes(named), error.message);
      assert.ok(bytes < model.sizeBytes);
    }
  });

  test('of a small file shows before any of its bytes are given', async () => {
    const { store, recipe } = await damagedBy((bytes) => {
      bytes[9] = (bytes[9] ?? 0) ^ 0x80;
      return bytes;
    });
    const { bytes, error } = await served(store, recipe, small);
    assert.ok(isIngotError(error, 'integrity'));
    assert.equal(bytes, 0);
  });

  test('that cuts a pack short is integrity, or shows when the recipe is opened', async () => {
    const { store, recipe } = await damagedBy((bytes) => bytes.subarray(0, 5_000_000));
    await failsWith(() => store.openRecipe(recipe), 'integrity');
  });

  test('that loses a pack is content-not-found naming content and pack', async () => {
    const blobs = createMemoryBlobStore();
    const store = createBlobContentStore(blobs, { packBytes: 1_000_000, randomId: () => 'u' });
    const { recipe } = await pushAll(store, subject, [small, model]);
    await blobs.delete('packs/u/1.pack');
    const { error } = await served(store, recipe, model);
    assert.ok(isIngotError(error, 'content-not-found'));
    for (const named of [model.digest, 'u/1']) assert.ok(error.message.includes(named), error.message);
  });
});
