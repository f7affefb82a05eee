/**
 * What every content store must do, as a list of named cases that any test runner can run.
 *
 * @example
 * for (const { name, run } of CONTENT_STORE_CASES) {
 *   test(name, async () => run(await freshStorage()));
 * }
 */

import assert from 'node:assert/strict';
import { collect } from '../blob/bytes.ts';
import { type Digest, digestOf } from '../digest.ts';
import type { ErrorCode } from '../errors.ts';
import { isIngotError } from '../errors.ts';
import type {
  ContentBody,
  ContentOptions,
  ContentRole,
  ContentStore,
  RecipeRef,
  SealedUpload,
} from './content-store.ts';

/** One empty storage. Every `open` gives another client of it, as another process would have. */
export interface ContentStoreSubject {
  open(): ContentStore | Promise<ContentStore>;
  /** Makes sure that a model may be uploaded to, and gives its id. */
  modelId(): string | Promise<string>;
}

/** A statement about content stores and the code that shows it; `run` rejects when it is false. */
export interface ContentStoreCase {
  readonly name: string;
  run(subject: ContentStoreSubject): Promise<void>;
}

/** Makes a content of bytes. Default role: `file` at `path`. */
export function contentOf(
  path: string,
  bytes: Uint8Array | string,
  role: ContentRole = 'file',
): ContentBody & { readonly digest: Digest } {
  const buffer = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  return {
    role,
    ...(role === 'file' ? { path } : {}),
    digest: digestOf(buffer),
    sizeBytes: buffer.byteLength,
    open: async function* () {
      for (let at = 0; at < buffer.byteLength; at += 300_001) yield buffer.subarray(at, at + 300_001);
    },
  };
}

/** Stores contents in one upload, released at once, and gives the reference of the recipe. */
export async function pushAll(
  store: ContentStore,
  subject: ContentStoreSubject,
  contents: readonly ContentBody[],
  base: readonly RecipeRef[] = [],
): Promise<SealedUpload & { put: ('new' | 'stored')[] }> {
  await using upload = await store.openUpload({ modelId: await subject.modelId(), base });
  const put: ('new' | 'stored')[] = [];
  for (const content of contents) put.push((await upload.put(content)).newBytes > 0 ? 'new' : 'stored');
  const sealed = await upload.seal();
  await upload.release();
  return { ...sealed, put };
}

/** Repeatable bytes that do not compress and differ by seed. */
export function noise(sizeBytes: number, seed: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let at = 0; at < sizeBytes; at += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

async function failsWith(work: () => Promise<unknown>, code: ErrorCode, mention?: string): Promise<void> {
  try {
    await work();
  } catch (error) {
    assert.ok(isIngotError(error, code), `expected ${code}, got ${String(error)}`);
    if (mention !== undefined) assert.match(error.message, new RegExp(mention));
    return;
  }
  assert.fail(`expected ${code}, but nothing failed`);
}

async function readsBack(
  store: ContentStore,
  ref: RecipeRef,
  contents: readonly (ContentBody & { readonly digest: Digest })[],
  options?: ContentOptions,
): Promise<void> {
  const recipe = await store.openRecipe(ref, options);
  assert.deepEqual(
    new Set(
      recipe.contents.map(({ role, path, digest, sizeBytes }) => JSON.stringify({ role, path, digest, sizeBytes })),
    ),
    new Set(contents.map(({ role, path, digest, sizeBytes }) => JSON.stringify({ role, path, digest, sizeBytes }))),
  );
  for (const { digest, sizeBytes } of contents) {
    const bytes = await collect(store.read(recipe, digest, options));
    assert.equal(bytes.byteLength, sizeBytes);
    assert.equal(digestOf(bytes), digest);
  }
}

const PACKAGE = [
  contentOf('model.pkl', noise(3_000_000, 1)),
  contentOf('interface.py', 'def load_model(): ...\n'),
  contentOf('deep/er/größe 🦊.txt', 'text'),
  contentOf('empty.txt', ''),
  contentOf('also-empty', ''),
  contentOf('copy-of-interface.py', 'def load_model(): ...\n'),
  contentOf('', '{"schemaVersion":2}', 'manifest'),
  contentOf('', '{}', 'config'),
  contentOf('', '{"git":null}', 'captured'),
];

/** All cases of the suite; each wants a fresh, empty storage. */
export const CONTENT_STORE_CASES: readonly ContentStoreCase[] = [
  {
    name: 'what was pushed reads back byte for byte, through another client too',
    run: async (subject) => {
      const { recipe } = await pushAll(await subject.open(), subject, PACKAGE);
      await readsBack(await subject.open(), recipe, PACKAGE);
    },
  },
  {
    name: 'an upload of nothing has a recipe of nothing',
    run: async (subject) => {
      const store = await subject.open();
      const { recipe } = await pushAll(store, subject, []);
      assert.deepEqual((await store.openRecipe(recipe)).contents, []);
    },
  },
  {
    name: 'put says what is new, seal counts each content once',
    run: async (subject) => {
      const { put, newBytes, storedBytes } = await pushAll(await subject.open(), subject, [
        contentOf('a', 'same'),
        contentOf('b', 'same'),
        contentOf('c', 'other!'),
      ]);
      assert.deepEqual(put, ['new', 'stored', 'new']);
      assert.deepEqual({ newBytes, storedBytes }, { newBytes: 10, storedBytes: 4 });
    },
  },
  {
    name: 'a second version writes only what changed, and both read back',
    run: async (subject) => {
      const store = await subject.open();
      const first = await pushAll(store, subject, PACKAGE);
      const changed = [...PACKAGE.slice(1), contentOf('model.pkl', noise(2_000_000, 2))];
      const second = await pushAll(store, subject, changed, [first.recipe]);
      assert.equal(second.newBytes, 2_000_000);
      assert.equal(second.put.filter((result) => result === 'new').length, 1);
      await readsBack(store, first.recipe, PACKAGE);
      await readsBack(store, second.recipe, changed);
    },
  },
  {
    name: 'a content whose size nobody knows beforehand is stored as any other, also one of no bytes',
    run: async (subject) => {
      const store = await subject.open();
      const bytes = noise(1024 * 1024 + 1, 4);
      for (const size of [0, 1, 1024 * 1024, 1024 * 1024 + 1]) {
        const content = contentOf('model.pkl', bytes.subarray(0, size));
        const { recipe } = await pushAll(store, subject, [{ ...content, sizeBytes: 700_000, openEnded: true }]);
        await readsBack(store, recipe, [content]);
      }
    },
  },
  {
    name: 'a content that is made of others is listed without being read, and reads back',
    run: async (subject) => {
      const store = await subject.open();
      const parts = [200_000, 1, 0, 300_000].map((size, n) => contentOf(`part-${n}`, noise(size, n)));
      const base: RecipeRef[] = [];
      for (const part of parts) base.unshift((await pushAll(store, subject, [part])).recipe);
      const bytes = Buffer.concat(await Promise.all(parts.map(({ open }) => collect(open()))));
      const whole = contentOf('model.pkl', bytes);
      const unread = (): never => assert.fail('it was read');
      const joined = parts.map(({ digest }) => digest);
      const { recipe, newBytes } = await pushAll(store, subject, [{ ...whole, joined, open: unread }], base);
      assert.equal(newBytes, 0);
      await readsBack(store, recipe, [whole]);
      const again = await pushAll(store, subject, [{ ...whole, joined }], base.slice(1));
      await readsBack(store, again.recipe, [whole]);
    },
  },
  {
    name: 'a base recipe that is not there costs bytes and nothing else',
    run: async (subject) => {
      const store = await subject.open();
      const gone: RecipeRef = { digest: digestOf('gone'), pack: 'gone/0', offset: 0, length: 4 };
      const { recipe } = await pushAll(store, subject, PACKAGE, [gone]);
      await readsBack(store, recipe, PACKAGE);
    },
  },
  {
    name: 'a thousand small files read back',
    run: async (subject) => {
      const store = await subject.open();
      const files = Array.from({ length: 1000 }, (_, n) => contentOf(`shard/${n}.txt`, `file number ${n}`));
      const { recipe } = await pushAll(store, subject, files);
      await readsBack(store, recipe, files);
    },
  },
  {
    name: 'a content that is not in the recipe, or a recipe that is not there, is content-not-found',
    run: async (subject) => {
      const store = await subject.open();
      const { recipe } = await pushAll(store, subject, PACKAGE);
      const opened = await store.openRecipe(recipe);
      await failsWith(() => collect(store.read(opened, digestOf('never'))), 'content-not-found');
      await failsWith(() => store.openRecipe({ ...recipe, pack: 'never/0' }), 'content-not-found');
    },
  },
  {
    name: 'a recipe whose bytes are not those of its digest is refused',
    run: async (subject) => {
      const store = await subject.open();
      const { recipe } = await pushAll(store, subject, PACKAGE);
      await failsWith(() => store.openRecipe({ ...recipe, digest: digestOf('another') }), 'integrity');
      await failsWith(() => store.openRecipe({ ...recipe, offset: recipe.offset - 1 }), 'integrity');
      await failsWith(() => store.openRecipe({ ...recipe, pack: '../../etc/passwd' }), 'integrity');
    },
  },
  {
    name: 'a file that changes while it is pushed is named, and nothing is published of it',
    run: async (subject) => {
      const store = await subject.open();
      const announced = contentOf('weights.bin', noise(500_000, 3));
      const bodies = [noise(500_000, 4), noise(499_999, 3), noise(500_001, 3), Buffer.alloc(0)];
      for (const bytes of bodies) {
        await using upload = await store.openUpload({ modelId: await subject.modelId() });
        const put = upload.put({ ...announced, open: contentOf('', bytes).open });
        await failsWith(() => put, 'source-changed', 'weights\\.bin');
        await failsWith(() => upload.seal(), 'source-changed', 'weights\\.bin');
      }
      await using upload = await store.openUpload({ modelId: await subject.modelId() });
      const open = () => {
        throw Object.assign(new Error('gone'), { code: 'ENOENT' });
      };
      await failsWith(() => upload.put({ ...announced, open }), 'source-changed', 'weights\\.bin');
    },
  },
  {
    name: 'progress grows to the size of each file, storing and fetching',
    run: async (subject) => {
      const store = await subject.open();
      const seen: Record<string, number> = {};
      const onProgress: ContentOptions['onProgress'] = ({ phase, path, doneBytes, totalBytes }) => {
        const key = `${phase} ${path}`;
        assert.ok(doneBytes >= (seen[key] ?? 0) && doneBytes <= totalBytes, key);
        seen[key] = doneBytes;
      };
      await using upload = await store.openUpload({ modelId: await subject.modelId() });
      const model = contentOf('model.pkl', noise(3_000_000, 1));
      await upload.put(model, { onProgress });
      const { recipe } = await upload.seal();
      await readsBack(store, recipe, [model], { onProgress });
      assert.deepEqual(seen, { 'store model.pkl': 3_000_000, 'fetch model.pkl': 3_000_000 });
    },
  },
  {
    name: 'the signal stops a push and a pull half-way',
    run: async (subject) => {
      const store = await subject.open();
      const model = contentOf('model.pkl', noise(3_000_000, 1));
      const pushing = new AbortController();
      await using upload = await store.openUpload({ modelId: await subject.modelId() });
      const stopPush = { signal: pushing.signal, onProgress: () => pushing.abort() };
      await failsWith(async () => {
        await upload.put(model, stopPush);
        await upload.put(contentOf('next', 'next'), stopPush);
      }, 'interrupted');

      const { recipe } = await pushAll(store, subject, [model]);
      const pulling = new AbortController();
      const stopPull = { signal: pulling.signal, onProgress: () => pulling.abort() };
      await failsWith(() => readsBack(store, recipe, [model], { signal: AbortSignal.abort() }), 'interrupted');
      const opened = await store.openRecipe(recipe);
      await failsWith(() => collect(store.read(opened, model.digest, stopPull)), 'interrupted');
    },
  },
  {
    name: 'ten pushes at once do not disturb each other',
    run: async (subject) => {
      const packages = Array.from({ length: 10 }, (_, n) => [
        contentOf('model', noise(200_000, n)),
        contentOf('same', 'same in all'),
      ]);
      const store = await subject.open();
      const pushed = await Promise.all(packages.map((contents) => pushAll(store, subject, contents)));
      for (const [n, contents] of packages.entries()) {
        const ref = pushed[n]?.recipe;
        assert.ok(ref);
        await readsBack(store, ref, contents);
      }
    },
  },
];
