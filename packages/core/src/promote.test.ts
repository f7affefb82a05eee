import { expect, test } from 'vitest';
import { bodyOf, collect } from './blob/bytes.ts';
import type { BlobStore } from './blob/blob-store.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { createStore } from './content/store-format.ts';
import { digestOf } from './digest.ts';
import { IngotError } from './errors.ts';
import { testDirectory } from './package/testing/fixtures.ts';
import { planPromotion, promoteBetween } from './promote.ts';
import { push } from './push.ts';
import { parseModelName, parseReference } from './ref.ts';
import type { AttachedManifest } from './registry/attachments.ts';
import { CareLogs } from './registry/care-logs.ts';
import { parseLog } from './registry/log-documents.ts';
import { openLogRegistry } from './registry/open.ts';
import { storeAttachment } from './store-attachment.ts';

const CHURN = parseModelName('churn');

async function newEnd(name: string) {
  const blobs: BlobStore = createMemoryBlobStore();
  const { id } = await createStore(blobs);
  const registry = openLogRegistry({ blobs, actor: `${name}@test` });
  return { blobs, registry, contents: createBlobContentStore(blobs), address: `memory:${name}`, store: id };
}

async function stagingAndProduction() {
  await using directory = await testDirectory();
  const [from, to] = [await newEnd('staging'), await newEnd('production')];
  for (const text of ['one', 'two']) {
    await directory.write({ [`${text}/model.bin`]: text });
    await push(directory.join(text), { ...from, name: 'churn', label: `1.${text}`, tags: { team: 'growth' } });
  }
  return { from, to, alias: 'production', reason: 'it is better' };
}

async function summaries(end: Awaited<ReturnType<typeof newEnd>>): Promise<string[]> {
  const told = [];
  for await (const { summary, reason } of end.registry.history(CHURN)) told.push(`${summary} (${reason})`);
  return told;
}

test('a promoted version is the same there under a number of its own, and both histories tell of it', async () => {
  const options = await stagingAndProduction();
  const { from, to } = options;
  await from.registry.approve(parseReference('churn:2'), { stage: 'Production' });
  const done = await promoteBetween(parseReference('churn:2'), options);
  const source = await from.registry.version(parseReference('churn:2'));
  expect(done).toMatchObject({ move: { from: null, to: 1 }, noted: true, bytes: { stored: 0 } });
  const { version } = done;
  expect(version).toMatchObject({ number: 1, manifest: source.manifest, label: '1.two', tags: { team: 'growth' } });
  const origin = version.lineage?.origins?.at(-1);
  expect(origin).toMatchObject({ registry: 'memory:staging', number: 2, approvals: [{ purpose: 'Production' }] });
  const recipe = await to.contents.openRecipe(version.recipe);
  const [history] = recipe.contents.filter(({ role }) => role === 'history');
  expect(origin?.history).toBe(history?.digest);
  const events = parseLog(await collect(to.contents.read(recipe, history?.digest ?? source.manifest)), 'it');
  expect(events.map(({ head }) => head.kind)).toEqual(['version-published', 'version-published', 'approval-given']);
  expect((await summaries(from)).at(-1)).toBe(
    'version 2: tag promoted.production=churn:1 of memory:production (it is better)',
  );
  expect(await summaries(to)).toEqual([
    expect.stringContaining('from churn:2 of memory:staging, published there by staging@test) (it is better)'),
    'production set to 1 (it is better)',
  ]);
});

test('what is there already is not copied again, and only the alias moves', async () => {
  const options = await stagingAndProduction();
  await promoteBetween(parseReference('churn:1'), options);
  await promoteBetween(parseReference('churn:2'), options);
  const before = (await summaries(options.from)).length;
  const back = await promoteBetween(parseReference('churn:1'), options);
  expect(back).toMatchObject({ there: 1, current: 2, move: { from: 2, to: 1 } });
  expect(back.bytes).toBeUndefined();
  expect((await summaries(options.from)).length).toBe(before);
});

test('a refused alias leaves the version there, and says so; who may only read the source is told that it tells nothing', async () => {
  const options = await stagingAndProduction();
  const refusing = {
    ...options.to.registry,
    setAlias: async () => {
      throw new IngotError('refused', 'one approval is missing', { hint: 'ingot approve churn:1 --alias production' });
    },
  };
  await expect(
    promoteBetween(parseReference('churn:2'), { ...options, to: { ...options.to, registry: refusing } }),
  ).rejects.toMatchObject({
    code: 'refused',
    hint: 'ingot approve churn:1 --alias production --registry memory:production',
    details: { number: 1, alias: 'production' },
  });
  expect(await planPromotion(parseReference('churn:2'), options)).toMatchObject({ there: 1, current: null });
  const readOnly = {
    ...options.from.registry,
    update: async () => {
      throw new IngotError('forbidden', 'you may only read');
    },
  };
  const from = { ...options.from, registry: readOnly };
  expect(await promoteBetween(parseReference('churn:2'), { ...options, from })).toMatchObject({ noted: false });
});

test('a version that went through two registries says both', async () => {
  const options = await stagingAndProduction();
  await promoteBetween(parseReference('churn:2'), options);
  const last = await newEnd('edge');
  const { version } = await promoteBetween(parseReference('churn:1'), { ...options, from: options.to, to: last });
  expect(version.lineage?.origins?.map(({ registry }) => registry)).toEqual(['memory:staging', 'memory:production']);
  const { contents } = await last.contents.openRecipe(version.recipe);
  expect(
    contents
      .filter(({ role }) => role === 'history')
      .map(({ digest }) => digest)
      .sort(),
  ).toEqual(version.lineage?.origins?.map(({ history }) => history).sort());
});

test('a registry is not promoted into itself', async () => {
  const options = await stagingAndProduction();
  await expect(promoteBetween(parseReference('churn'), { ...options, to: options.from })).rejects.toMatchObject({
    code: 'usage',
  });
});

test('what is attached to a version is attached to it there, once, also what came after it', async () => {
  const options = await stagingAndProduction();
  const { from, to } = options;
  const { manifest: subject } = await from.registry.version(parseReference('churn:2'));
  const attach = async (text: string, more: Partial<AttachedManifest> = {}) => {
    const [bytes, layer] = [Buffer.from(`{"of":"${text}"}`), Buffer.from(text)];
    const manifest = digestOf(bytes);
    const said = { subject, manifest, mediaType: 'application/json', sizeBytes: bytes.length, ...more };
    const content = digestOf(layer);
    const blobs = [{ digest: content, content, sizeBytes: layer.length, open: () => bodyOf(layer).open() }];
    await storeAttachment(CHURN, { said, bytes, blobs }, from);
    return manifest;
  };
  const first = await attach('first', { tag: 'one' });
  const other = await from.registry.version(parseReference('churn:1'));
  await attach('of another version', { subject: other.manifest });
  expect((await promoteBetween(parseReference('churn:2'), options)).attached).toEqual({ new: 1, there: 0, left: 0 });
  const second = await attach('second');
  expect((await promoteBetween(parseReference('churn:2'), options)).attached).toEqual({ new: 1, there: 1, left: 0 });
  const [there] = (await new CareLogs(to.blobs).read()).models.values();
  expect(there?.attached.map(({ manifest, tags }) => [manifest, tags])).toEqual([
    [first, ['one']],
    [second, []],
  ]);
  const brought = await to.contents.openRecipe(there?.attached[0]?.recipe ?? expect.fail());
  expect((await collect(to.contents.read(brought, first))).toString()).toBe('{"of":"first"}');
});
