import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { BlobStore } from './blob/blob-store.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import { looksLikeBundle } from './bundle-archive.ts';
import { exportBundle } from './bundle-export.ts';
import { planBundle, runBundle } from './bundle-import.ts';
import { collect } from './blob/bytes.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { createStore } from './content/store-format.ts';
import { digestOf } from './digest.ts';
import { IngotError, isIngotError } from './errors.ts';
import { type TestDirectory, testDirectory } from './package/testing/fixtures.ts';
import { tarHeader, tarPadding, TAR_END } from './package/tar.ts';
import { pull } from './pull.ts';
import { push } from './push.ts';
import { parseModelName, parseReference } from './ref.ts';
import { parseLog } from './registry/log-documents.ts';
import { openLogRegistry } from './registry/open.ts';

const CHURN = parseModelName('churn');

async function newStore(name: string) {
  const blobs: BlobStore = createMemoryBlobStore();
  const { id } = await createStore(blobs);
  const registry = openLogRegistry({ blobs, actor: `${name}@test` });
  return { blobs, registry, contents: createBlobContentStore(blobs), address: `memory:${name}`, store: id };
}

type Store = Awaited<ReturnType<typeof newStore>>;

async function pushed(directory: TestDirectory, store: Store, text: string, name = 'churn'): Promise<void> {
  await directory.write({ [`${text}/model.bin`]: text.repeat(1000), [`${text}/run.sh`]: '#!/bin/sh\n' });
  await push(directory.join(text), { ...store, name, metrics: { auc: 0.9 }, tags: { team: 'growth' } });
}

async function exported(directory: TestDirectory, store: Store, refs: readonly string[], file = 'churn.tar') {
  return await exportBundle(refs.map(parseReference), { ...store, output: directory.join(file) });
}

async function imported(path: string, store: Store, options: { aliases?: boolean } = {}) {
  await using plan = await planBundle(path, store);
  return await runBundle(plan, { ...store, ...options });
}

async function failure(work: Promise<unknown>): Promise<IngotError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isIngotError(error)) throw new Error('it should have failed with an IngotError', { cause: error });
  return error;
}

test('a version on the other side has the same number, digest, facts and files, and the history it had', async () => {
  await using directory = await testDirectory();
  const [lab, plant] = [await newStore('lab'), await newStore('plant')];
  await pushed(directory, lab, 'one');
  await pushed(directory, lab, 'two');
  await lab.registry.setAlias(CHURN, 'production', 2);
  await lab.registry.approve(parseReference('churn:2'), { alias: 'production' });
  const { path } = await exported(directory, lab, ['churn@production']);
  const { outcomes, aliases } = await imported(path, plant);
  expect(outcomes).toMatchObject([{ number: 2, added: true }]);
  expect(aliases).toMatchObject([{ alias: 'production', from: null, to: 2 }]);
  const [before, after] = [
    await lab.registry.version(parseReference('churn:2')),
    await plant.registry.version(parseReference('churn@production')),
  ];
  expect(after).toMatchObject({
    number: 2,
    manifest: before.manifest,
    metrics: { auc: 0.9 },
    tags: { team: 'growth' },
  });
  const origin = after.lineage?.origins?.[0];
  expect(origin).toMatchObject({
    registry: 'memory:lab',
    store: lab.store,
    number: 2,
    publishedBy: 'lab@test',
    approvals: [{ purpose: '@production', by: 'lab@test' }],
  });
  const recipe = await plant.contents.openRecipe(after.recipe);
  const history = await collect(plant.contents.read(recipe, origin?.history ?? digestOf('')));
  const events = parseLog(history, 'the history');
  const there = [];
  for await (const { digest } of lab.registry.history(CHURN)) there.push(digest);
  expect(events.map(({ digest }) => digest)).toEqual(there);
  const pulled = await pull('churn:2', { ...plant, output: directory.join('out') });
  expect(pulled.files).toEqual(['model.bin', 'run.sh']);
  expect(await readFile(directory.join('out/model.bin'), 'utf8')).toBe('two'.repeat(1000));
});

test('the same versions give the same bytes, and a name that is taken is left alone', async () => {
  await using directory = await testDirectory();
  const lab = await newStore('lab');
  await pushed(directory, lab, 'one');
  const first = await exported(directory, lab, ['churn:1'], 'a.tar');
  const second = await exported(directory, lab, ['churn'], 'b.tar');
  expect(second.digest).toBe(first.digest);
  expect(digestOf(await readFile(directory.join('a.tar')))).toBe(first.digest);
  expect((await readFile(directory.join('a.tar'))).length).toBe(first.sizeBytes);
  expect((await failure(exported(directory, lab, ['churn:1'], 'a.tar'))).code).toBe('conflict');
});

test('importing again adds nothing, a later bundle goes on with the same numbers, an older one comes retired', async () => {
  await using directory = await testDirectory();
  const [lab, plant] = [await newStore('lab'), await newStore('plant')];
  for (const text of ['one', 'two', 'three']) await pushed(directory, lab, text);
  const { path } = await exported(directory, lab, ['churn:2']);
  await imported(path, plant);
  expect((await imported(path, plant)).outcomes).toMatchObject([{ number: 2, added: false }]);
  const later = await exported(directory, lab, ['churn:3'], 'later.tar');
  expect((await imported(later.path, plant)).outcomes).toMatchObject([{ number: 3, added: true }]);
  const older = await exported(directory, lab, ['churn:1'], 'older.tar');
  expect((await imported(older.path, plant)).outcomes).toMatchObject([{ number: 4, added: true }]);
  expect((await plant.registry.resolve(parseReference('churn'))).number).toBe(3);
});

test('where a model of that name has versions of its own, what comes gets the next numbers', async () => {
  await using directory = await testDirectory();
  const [lab, plant] = [await newStore('lab'), await newStore('plant')];
  for (const text of ['one', 'two', 'three']) await pushed(directory, lab, text);
  await pushed(directory, plant, 'own');
  const { path } = await exported(directory, lab, ['churn:3']);
  expect((await imported(path, plant)).outcomes).toMatchObject([{ number: 2, added: true }]);
  expect((await imported(path, plant)).outcomes).toMatchObject([{ number: 2, added: false }]);
});

/** Rewrites a bundle: its members may be changed, left out, doubled and ordered anew. */
async function rewritten(
  directory: TestDirectory,
  path: string,
  change: (members: { path: string; bytes: Buffer }[]) => readonly { path: string; bytes: Buffer }[],
): Promise<string> {
  const tar = await readFile(path);
  const members: { path: string; bytes: Buffer }[] = [];
  for (let at = 0; tar[at] !== 0; ) {
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 135), 8);
    const name = tar.toString('latin1', at, at + 100).replace(/\0.*$/s, '');
    members.push({ path: name, bytes: tar.subarray(at + 512, at + 512 + size) });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  const parts = change(members).flatMap((member) => [
    tarHeader({ path: member.path, sizeBytes: member.bytes.length, mode: 0o644 }),
    member.bytes,
    tarPadding(member.bytes.length),
  ]);
  const output = directory.join('rewritten.tar');
  await writeFile(output, Buffer.concat([...parts, TAR_END]));
  return output;
}

test('a bundle that was reordered is read as it is; changed, cut, doubled or hostile ones publish nothing', async () => {
  await using directory = await testDirectory();
  const [lab, plant] = [await newStore('lab'), await newStore('plant')];
  await pushed(directory, lab, 'one');
  const { path, sizeBytes } = await exported(directory, lab, ['churn:1']);
  const refused = async (change: Parameters<typeof rewritten>[2]): Promise<string> =>
    (await failure(imported(await rewritten(directory, path, change), plant))).code;
  const isModel = ({ bytes }: { bytes: Buffer }): boolean => bytes.toString('utf8').startsWith('oneone');
  expect(
    await refused((all) =>
      all.map((each) => (isModel(each) ? { ...each, bytes: Buffer.from(each.bytes.map((b) => b ^ 1)) } : each)),
    ),
  ).toBe('integrity');
  expect(await refused((all) => all.filter((each) => !isModel(each)))).toBe('integrity');
  expect(await refused((all) => [...all, ...all.slice(-1)])).toBe('invalid-package');
  for (const name of ['/etc/passwd', '../x', 'a/./b', 'a\\b'])
    expect(await refused((all) => [...all, { path: name, bytes: Buffer.from('x') }])).toBe('invalid-package');
  const isHistory = ({ bytes }: { bytes: Buffer }): boolean => bytes.includes('"kind":"version-published"');
  expect(await refused((all) => all.filter((each) => !isHistory(each)))).toBe('integrity');
  const whole = await readFile(path);
  for (const [at, type] of [
    [156, '2'],
    [156, '1'],
    [156, 'L'],
  ] as const) {
    const linked = Buffer.from(whole);
    linked.write(type, at, 'latin1');
    const sum = linked.subarray(0, 512).reduce((all, byte, n) => all + (n >= 148 && n < 156 ? 32 : byte), 0);
    linked.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    await writeFile(directory.join('linked.tar'), linked);
    expect((await failure(imported(directory.join('linked.tar'), plant))).code).toBe('invalid-package');
  }
  for (const length of [sizeBytes - 1024, sizeBytes - 2000, 600]) {
    await writeFile(directory.join('cut.tar'), whole);
    await truncate(directory.join('cut.tar'), length);
    expect((await failure(imported(directory.join('cut.tar'), plant))).code).toBe('integrity');
  }
  expect(
    (
      await failure(
        plant.registry.model(CHURN).then(({ versions }) => {
          if (versions === 0) throw new IngotError('model-not-found', 'none');
        }),
      )
    ).code,
  ).toBe('model-not-found');
  const turned = await rewritten(directory, path, (all) => [...all].reverse());
  expect((await imported(turned, plant)).outcomes).toMatchObject([{ number: 1, added: true }]);
});

/** Writes another contents list into a bundle, with all that names it: only the history is as it was. */
function relisted(members: { path: string; bytes: Buffer }[], change: (text: string) => string) {
  let [from, to] = [
    { digest: '', size: 0 },
    { digest: '', size: 0 },
  ];
  const named = (text: string): string =>
    text.replace(from.digest, to.digest).replace(new RegExp(`"size":${from.size}\\b`), `"size":${to.size}`);
  const altered = (start: string, work: (text: string) => string): void => {
    for (const member of members) {
      const text = member.bytes.toString('utf8');
      if (!text.includes(start) || (member.path === 'index.json') !== (start === '"manifests"')) continue;
      const bytes = Buffer.from(work(text));
      [from, to] = [
        { digest: digestOf(member.bytes), size: member.bytes.length },
        { digest: digestOf(bytes), size: bytes.length },
      ];
      member.bytes = bytes;
      if (member.path !== 'index.json') member.path = `blobs/sha256/${to.digest.slice(7)}`;
    }
  };
  altered('"format":1', change);
  altered('"org.opencontainers.image.title":"bundle.json"', named);
  altered('"manifests"', named);
  return members;
}

test('what the contents list says must be what the history tells, edits included', async () => {
  await using directory = await testDirectory();
  const [lab, plant] = [await newStore('lab'), await newStore('plant')];
  await pushed(directory, lab, 'one');
  await pushed(directory, lab, 'two');
  await lab.registry.update(parseReference('churn:1'), { metrics: { f1: 0.5 }, tags: { team: null }, card: '# one' });
  await lab.registry.setAlias(CHURN, 'production', 1);
  await lab.registry.approve(parseReference('churn:1'), { alias: 'production' });
  await lab.registry.retire(parseReference('churn:2'));
  const { path } = await exported(directory, lab, ['churn:1', 'churn:2']);
  const changed = (from: string, to: string) =>
    rewritten(directory, path, (all) => relisted(all, (text) => text.replace(from, to)));
  const lies = [
    ['"auc":0.9', '"auc":0.99'],
    ['"production":1', '"production":2'],
    ['"by":"lab@test"', '"by":"the-board"'],
    ['"publishedBy":"lab@test"', '"publishedBy":"ana@test"'],
    ['"card":"# one"', '"card":"# fine"'],
    ['"retired":true,', ''],
  ] as const;
  for (const [from, to] of lies) {
    const error = await failure(imported(await changed(from, to), plant));
    expect([from, error.code]).toEqual([from, 'tampered']);
  }
  expect((await imported(await changed('nothing', ''), plant)).outcomes).toMatchObject([{ number: 1 }, { number: 2 }]);
});

test('a bundle is known by its beginning, and one that was compressed is told', async () => {
  await using directory = await testDirectory();
  const lab = await newStore('lab');
  await pushed(directory, lab, 'one');
  const { path } = await exported(directory, lab, ['churn:1']);
  expect(await looksLikeBundle(path)).toBe(true);
  await writeFile(directory.join('model.gz'), gzipSync('a model'));
  expect(await looksLikeBundle(directory.join('model.gz'))).toBe(false);
  await writeFile(directory.join('churn.tar.gz'), gzipSync(await readFile(path)));
  expect(await failure(looksLikeBundle(directory.join('churn.tar.gz')))).toMatchObject({ code: 'usage' });
});

test('an export that is interrupted leaves no file', async () => {
  await using directory = await testDirectory();
  const lab = await newStore('lab');
  await pushed(directory, lab, 'one');
  const stop = new AbortController();
  const work = exportBundle([parseReference('churn')], {
    ...lab,
    output: directory.join('churn.tar'),
    signal: stop.signal,
    onProgress: () => stop.abort(),
  });
  expect((await failure(work)).code).toBe('interrupted');
  expect((await readdir(directory.path)).filter((name) => name.includes('tar'))).toEqual([]);
});
