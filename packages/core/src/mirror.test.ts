import { expect, test } from 'vitest';
import { bodyOf, collect } from './blob/bytes.ts';
import { observed } from './blob/layers/observed.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import { createStore, detachStore, openStore } from './content/store-format.ts';
import { collect as collectGarbage } from './collect.ts';
import { IngotError } from './errors.ts';
import { mirror } from './mirror.ts';
import { bytesOf, failure, filled, memory, NAME, over, pushed } from './mirror-trial.ts';
import { testDirectory } from './package/testing/fixtures.ts';
import { parseReference } from './ref.ts';

test('a mirror holds the same logs and packs, byte for byte, and no roots of its own', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  const result = await mirror({ source: source.blobs, destination });
  expect(result).toMatchObject({ models: 1, packs: { new: 2 }, events: { there: 0 } });
  for (const prefix of ['names/log/', 'models/', 'packs/'])
    expect(await bytesOf(destination, prefix)).toEqual(await bytesOf(source.blobs, prefix));
  expect(await bytesOf(destination, 'roots/')).toEqual({});
  const { number } = await over(destination).registry.resolve(parseReference('churn@production'));
  expect(number).toBe(1);
});

test('a mirror refuses other writes and names the store it follows', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  await mirror({ source: source.blobs, destination });
  const error = await failure(over(destination).registry.setAlias(NAME, 'staging', 2));
  expect(error.code).toBe('refused');
  expect(error.message).toContain('memory:source');
});

test('mirroring again copies only what is new, and nothing when nothing is', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  await mirror({ source: source.blobs, destination });
  await pushed(directory, source, 'three');
  const second = await mirror({ source: source.blobs, destination });
  expect(second).toMatchObject({ packs: { new: 1 }, events: { new: 1 } });
  const writes: string[] = [];
  const counted = observed(destination, {
    before: ({ operation, key }) => {
      if (operation === 'write') writes.push(key);
    },
  });
  expect(await mirror({ source: source.blobs, destination: counted })).toMatchObject({
    packs: { new: 0 },
    events: { new: 0 },
  });
  expect(writes).toEqual([]);
});

test('a dry run writes nothing and says what would come', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  const result = await mirror({ source: source.blobs, destination, dryRun: true });
  expect(result.packs.new).toBe(2);
  expect(await bytesOf(destination, '')).toEqual({});
});

test('a destination whose history is another is a conflict that names the log, and nothing is merged', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  await mirror({ source: source.blobs, destination });
  const log =
    Object.keys(await bytesOf(destination, 'models/')).find((key) => key.endsWith('/log/0000000003.json')) ?? '';
  await source.blobs.delete(log);
  await source.registry[Symbol.asyncDispose]();
  await over(source.blobs).registry.setAlias(NAME, 'production', 2);
  const error = await failure(mirror({ source: source.blobs, destination }));
  expect(error.code).toBe('conflict');
  expect(error.details).toMatchObject({ seq: 3 });
});

test('a store of its own, a mirror of another store, and a folder of other files are left alone', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const own = memory('memory:own');
  await createStore(own);
  expect((await failure(mirror({ source: source.blobs, destination: own }))).code).toBe('conflict');
  const other = memory('memory:other');
  await mirror({ source: own, destination: other });
  expect((await failure(mirror({ source: source.blobs, destination: other }))).message).toContain('memory:own');
  const files = memory('memory:files');
  await files.write('notes.txt', bodyOf('mine'));
  expect((await failure(mirror({ source: source.blobs, destination: files }))).details).toMatchObject({
    found: 'notes.txt',
  });
  expect((await failure(mirror({ source: source.blobs, destination: source.blobs }))).code).toBe('usage');
});

test('a damaged pack is not copied, its model stays behind, and other models arrive', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const { sealed } = await pushed(directory, source, 'four', 'fraud');
  const key = `packs/${sealed?.recipe.pack}.pack`;
  const bytes = await collect(source.blobs.read(key));
  bytes[3] = (bytes[3] ?? 0) ^ 1;
  await source.blobs.delete(key);
  await source.blobs.write(key, bodyOf(bytes));
  const destination = memory('memory:mirror');
  const error = await failure(mirror({ source: source.blobs, destination }));
  expect(error.code).toBe('integrity');
  expect(error.message).toContain(sealed?.recipe.pack);
  const copy = over(destination);
  expect((await copy.registry.resolve(parseReference('churn'))).number).toBe(2);
  expect((await failure(copy.registry.resolve(parseReference('fraud')))).code).toMatch(/not-found/);
  expect(await destination.stat(key)).toBeUndefined();
});

test('one cut short at any write goes on where it was', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  for (let cut = 1; cut < 40; cut += 1) {
    const destination = memory('memory:mirror');
    let writes = 0;
    const dying = observed(destination, {
      before: ({ operation }) => {
        if (operation === 'write' && ++writes >= cut) throw new IngotError('unavailable', 'cut', { retryable: false });
      },
    });
    const died = await mirror({ source: source.blobs, destination: dying }).then(
      () => false,
      () => true,
    );
    await mirror({ source: source.blobs, destination });
    expect(await bytesOf(destination, 'models/')).toEqual(await bytesOf(source.blobs, 'models/'));
    expect(await bytesOf(destination, 'packs/')).toEqual(await bytesOf(source.blobs, 'packs/'));
    if (!died) return;
  }
  throw new Error('mirroring never ended');
});

test('a mirroring that goes on reads no pack again that has arrived', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  const dying = observed(destination, {
    before: ({ operation, key }) => {
      if (operation === 'write' && key.includes('/log/')) throw new IngotError('unavailable', 'cut');
    },
  });
  await failure(mirror({ source: source.blobs, destination: dying }));
  const whole: string[] = [];
  const noted = observed(source.blobs, {
    before: ({ operation, key }) => {
      if (operation === 'stat' && key.startsWith('packs/')) whole.push(key);
    },
  });
  expect(await mirror({ source: noted, destination })).toMatchObject({ packs: { new: 0 }, events: { new: 4 } });
  expect(whole).toEqual([]);
});

test('versions that were deleted come without their contents', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  await source.registry.deleteVersion(parseReference('churn:2'));
  const destination = memory('memory:mirror');
  expect(await mirror({ source: source.blobs, destination })).toMatchObject({ packs: { new: 1 } });
  expect((await over(destination).registry.resolve(parseReference('churn'))).number).toBe(1);
});

test('one cut short between a publication and its deletion says that the version has not arrived, until the next run', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  await mirror({ source: source.blobs, destination });
  await pushed(directory, source, 'three');
  await source.registry.deleteVersion(parseReference('churn:3'));
  const dying = observed(destination, {
    before: ({ operation, key }) => {
      if (operation === 'write' && key.endsWith('/log/0000000005.json') && key.startsWith('models/'))
        throw new IngotError('unavailable', 'cut', { retryable: false });
    },
  });
  await failure(mirror({ source: source.blobs, destination: dying }));
  const resolved = (reference: string) => over(destination).registry.resolve(parseReference(reference));
  expect((await resolved('churn')).number).toBe(2);
  expect(await failure(resolved('churn:3'))).toMatchObject({ code: 'unavailable' });
  await mirror({ source: source.blobs, destination });
  expect(await failure(resolved('churn:3'))).toMatchObject({ code: 'version-not-found' });
});

test('the mark of a mirror has a sum, and of two mirrorings into one empty place the slower one goes on or is refused', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const other = over(memory('memory:other'));
  await createStore(other.blobs);
  await pushed(directory, other, 'its own', 'fraud');
  const destination = memory('memory:mirror');
  const [first, second] = await Promise.allSettled([
    mirror({ source: source.blobs, destination }),
    mirror({ source: other.blobs, destination }),
  ]);
  expect([first.status, second.status].sort()).toEqual(['fulfilled', 'rejected']);
  expect(JSON.parse(String(await collect(destination.read('ingot.json'))))).toHaveProperty('sum');
  const winner = first.status === 'fulfilled' ? source : other;
  expect(await bytesOf(destination, 'packs/')).toEqual(await bytesOf(winner.blobs, 'packs/'));
  const both = await Promise.all([1, 2].map(() => mirror({ source: winner.blobs, destination })));
  expect(both.map(({ packs }) => packs.new)).toEqual([0, 0]);
});

test('two mirrorings at once, of a source that grows, both end well', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  let grown = false;
  const growing = observed(source.blobs, {
    after: async ({ operation, key }) => {
      if (grown || operation !== 'list' || key !== 'models/') return;
      grown = true;
      await pushed(directory, source, 'three');
      await mirror({ source: source.blobs, destination });
    },
  });
  expect(await mirror({ source: growing, destination })).toMatchObject({ models: 1 });
  await Promise.all([1, 2, 3].map(() => mirror({ source: source.blobs, destination })));
  for (const prefix of ['names/log/', 'models/', 'packs/'])
    expect(await bytesOf(destination, prefix)).toEqual(await bytesOf(source.blobs, prefix));
  expect(await bytesOf(destination, 'roots/')).toEqual({});
});

test('a mirroring with nothing new makes nine requests and two a model, and writes nothing', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  await pushed(directory, source, 'a', 'fraud');
  await pushed(directory, source, 'b', 'price');
  const destination = memory('memory:mirror');
  await mirror({ source: source.blobs, destination });
  const calls: string[] = [];
  const note = { before: ({ operation }: { readonly operation: string }) => void calls.push(operation) };
  await mirror({ source: observed(source.blobs, note), destination: observed(destination, note) });
  expect(calls.sort()).toEqual([...Array(6).fill('list'), ...Array(3 + 2 * 4).fill('read')]);
});

test('a dry run says how many bytes would come, and those are the bytes that come', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  const would = await mirror({ source: source.blobs, destination, dryRun: true });
  const did = await mirror({ source: source.blobs, destination });
  expect(would).toEqual({ ...did, dryRun: true });
  expect(did.packs.bytes).toBeGreaterThan(100);
});

test('some models alone can be mirrored, and the others later', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const { version } = await pushed(directory, source, 'a', 'fraud');
  const destination = memory('memory:mirror');
  const models = new Set([version.modelId]);
  expect(await mirror({ source: source.blobs, destination, models })).toMatchObject({ models: 1, packs: { new: 1 } });
  const copy = over(destination);
  expect((await copy.registry.resolve(parseReference('fraud'))).number).toBe(1);
  const error = await failure(copy.registry.resolve(parseReference('churn')));
  expect(error.code).toBe('version-not-found');
  expect(error.message).toContain('memory:source');
  await mirror({ source: source.blobs, destination });
  expect((await over(destination).registry.resolve(parseReference('churn'))).number).toBe(2);
});

test('packs that a collection moved in the source arrive as they are now, and versions are whole', async () => {
  await using directory = await testDirectory();
  const source = over(memory('memory:source'));
  await createStore(source.blobs);
  for (const text of ['a', 'b']) await pushed(directory, source, text.repeat(300_000));
  await pushed(directory, source, 'c'.repeat(300_000), 'fraud');
  await source.registry.deleteVersion(parseReference('churn:1'));
  const gc = { blobs: source.blobs, actor: 'test', graceMs: 0, repackAtLeastBytes: 1 };
  await collectGarbage(gc);
  await collectGarbage(gc);
  const moved = Object.keys(await bytesOf(source.blobs, 'packs/')).filter((key) => key.endsWith('.moved'));
  expect(moved).toHaveLength(1);
  const destination = memory('memory:mirror');
  await mirror({ source: source.blobs, destination });
  expect(await bytesOf(destination, 'packs/')).toEqual(await bytesOf(source.blobs, 'packs/'));
  const { check } = await import('./check.ts');
  expect(await check({ blobs: destination, readData: true })).toMatchObject({ ok: true, versions: [] });
});

test('a version that is deleted and collected in the source while it is mirrored does not stop the mirror', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  let deleted = false;
  const racing = observed(source.blobs, {
    before: async ({ operation, key }) => {
      if (deleted || operation !== 'read' || !key.startsWith('packs/')) return;
      deleted = true;
      await source.registry.deleteVersion(parseReference('churn:2'));
      await collectGarbage({ blobs: source.blobs, actor: 'test', graceMs: 0 });
    },
  });
  await mirror({ source: racing, destination });
  expect(await bytesOf(destination, 'models/')).toEqual(await bytesOf(source.blobs, 'models/'));
  expect((await over(destination).registry.resolve(parseReference('churn'))).number).toBe(1);
});

test('a collection in the mirror frees what the source has deleted, and writes no event', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  await mirror({ source: source.blobs, destination });
  await source.registry.deleteVersion(parseReference('churn:2'));
  await mirror({ source: source.blobs, destination });
  const logs = await bytesOf(destination, 'models/');
  const { packs } = await collectGarbage({ blobs: destination, actor: 'test', graceMs: 0 });
  expect(packs.filter(({ fate }) => fate === 'deleted')).toHaveLength(1);
  expect(await bytesOf(destination, 'models/')).toEqual(logs);
  expect(await mirror({ source: source.blobs, destination })).toMatchObject({ packs: { new: 0 } });
});

test('a pack that a collection in the mirror is about to delete is not relied on', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  await mirror({ source: source.blobs, destination });
  const { sealed } = await pushed(directory, source, 'three');
  const { publishList } = await import('./content/sweep/condemned.ts');
  await publishList(destination, 'gc-1', [String(sealed?.recipe.pack)], {});
  const error = await failure(mirror({ source: source.blobs, destination }));
  expect(error).toMatchObject({ code: 'unavailable', retryable: true });
  await collectGarbage({ blobs: destination, actor: 'test', graceMs: 0 });
  expect(await mirror({ source: source.blobs, destination })).toMatchObject({ packs: { new: 1 } });
});

test('a detached mirror takes writes and is mirrored to no more', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  await mirror({ source: source.blobs, destination });
  const by = { actor: 'ana', at: '2026-01-02T03:04:05.000Z' };
  expect(await detachStore(destination, by)).toEqual({ from: 'memory:source', ...by });
  expect(await detachStore(destination, { ...by, actor: 'ben' })).toMatchObject({ actor: 'ana' });
  expect((await openStore(destination)).follows).toBeUndefined();
  await pushed(directory, over(destination), 'three');
  expect((await over(destination).registry.resolve(parseReference('churn'))).number).toBe(3);
  expect((await failure(mirror({ source: source.blobs, destination }))).message).toContain('2026-01-02');
  const next = memory('memory:next');
  expect(await mirror({ source: destination, destination: next })).toMatchObject({ packs: { new: 3 } });
  expect((await openStore(next)).follows).toBe('memory:mirror');
  expect((await failure(detachStore(source.blobs, by))).code).toBe('conflict');
});

test('a mirroring that a detachment overtakes writes no more events', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  const overtaken = observed(destination, {
    before: async ({ operation, key }) => {
      if (operation === 'write' && key.startsWith('packs/'))
        await detachStore(destination, { actor: 'ana', at: '2026-01-02T03:04:05.000Z' });
    },
  });
  expect((await failure(mirror({ source: source.blobs, destination: overtaken }))).code).toBe('conflict');
  expect(await bytesOf(destination, 'models/')).toEqual({});
});

test('what a killed mirroring says it relies on is dropped by a later one after a week, not before', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  let days = 0;
  const now = () => new Date(Date.UTC(2026, 0, 1 + days));
  const destination = createMemoryBlobStore({ address: 'memory:mirror', now });
  await mirror({ source: source.blobs, destination });
  await destination.write('roots/mirrors/dead/0.json', bodyOf('{"format":1,"packs":[]}\n'));
  for (days of [1, 6]) await mirror({ source: source.blobs, destination });
  expect(Object.keys(await bytesOf(destination, 'roots/'))).toHaveLength(1);
  days = 8;
  await mirror({ source: source.blobs, destination });
  expect(await bytesOf(destination, 'roots/')).toEqual({});
});

test('a mirroring that was taken for dead writes no more events', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const destination = memory('memory:mirror');
  const slow = observed(destination, {
    before: async ({ operation, key }) => {
      if (operation !== 'write' || !key.startsWith('packs/')) return;
      for (const root of Object.keys(await bytesOf(destination, 'roots/'))) await destination.delete(root);
    },
  });
  expect(await failure(mirror({ source: source.blobs, destination: slow }))).toMatchObject({ code: 'unavailable' });
  expect(await bytesOf(destination, 'models/')).toEqual({});
});

test('a log of thousands of events is copied from a second reading of what does not fit in memory', async () => {
  await using directory = await testDirectory();
  const source = await filled(directory);
  const text = 'x'.repeat(900_000);
  for (const n of [1, 2, 3, 4, 5, 6])
    await source.registry.update(parseReference('churn:1'), { description: `${n}${text}` });
  const destination = memory('memory:mirror');
  expect(await mirror({ source: source.blobs, destination })).toMatchObject({ events: { new: 10 } });
  expect(await bytesOf(destination, 'models/')).toEqual(await bytesOf(source.blobs, 'models/'));
});
