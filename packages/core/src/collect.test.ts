import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { BlobStore } from './blob/blob-store.ts';
import { bodyOf, collect as bytesOf } from './blob/bytes.ts';
import { observed } from './blob/layers/observed.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import { type CollectOptions, collect } from './collect.ts';
import { randomOf } from './collect-trial.ts';
import { pushOnce } from './collect-trial-push.ts';
import { Verifier } from './collect-trial-verify.ts';
import { writeUploadRoot } from './content/roots.ts';
import { createStore } from './content/store-format.ts';
import { finalKey, listKey, publishList } from './content/sweep/condemned.ts';
import { movedKey } from './content/sweep/moved.ts';
import { isIngotError } from './errors.ts';
import { canonicalJson } from './json.ts';
import { parseModelName } from './ref.ts';
import { openLogRegistry } from './registry/open.ts';

const CHURN = parseModelName('churn');
const HOUR_MS = 3_600_000;

/** A store with so many versions, and a clock of its own. */
async function storeOf(versions: number) {
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  const clock = () => new Date(nowMs);
  const blobs = createMemoryBlobStore({ now: clock });
  await createStore(blobs);
  const registry = openLogRegistry({ blobs, actor: 'test', clock });
  const random = randomOf(7);
  const push = async (upload: string, through: BlobStore = blobs) =>
    pushOnce({
      blobs: through,
      registry,
      name: CHURN,
      upload,
      random,
      packsOfTheDead: [],
      releasesEarly: false,
      now: clock,
    });
  for (let n = 1; n <= versions; n += 1) await push(`upload-${n}`);
  const run = (options: Partial<CollectOptions> = {}) =>
    collect({ blobs, actor: 'gardener', graceMs: 0, repackBelow: 0, clock, ...options });
  const remove = (number: number) => registry.deleteVersion({ name: CHURN, selector: { kind: 'version', number } });
  const pass = (ms: number) => {
    nowMs += ms;
  };
  const isWhole = async () => assert.deepEqual(await new Verifier(blobs).missing(true), []);
  return { blobs, registry, push, run, remove, pass, isWhole, clock };
}

async function keysOf(blobs: BlobStore, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of blobs.list(prefix)) keys.push(key);
  return keys;
}

async function contentsOf(blobs: BlobStore): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  for (const key of await keysOf(blobs)) contents.set(key, (await bytesOf(blobs.read(key))).toString('hex'));
  return contents;
}

describe('a collection', () => {
  test('deletes packs that nothing names, says why, and keeps the rest with the version that needs it', async () => {
    const { blobs, run, remove, isWhole } = await storeOf(3);
    await remove(3);
    const { packs, deletedBytes, keptBytes } = await run();
    assert.deepEqual(
      packs.map(({ pack, fate, reason }) => [pack, fate, reason]),
      [
        ['upload-1/0', 'kept', 'churn:1 needs it'],
        ['upload-2/0', 'kept', 'churn:2 needs it'],
        ['upload-3/0', 'deleted', 'nothing names it'],
      ],
    );
    assert.ok(deletedBytes > 0 && keptBytes > deletedBytes);
    assert.deepEqual(await keysOf(blobs, 'packs/'), ['packs/upload-1/0.pack', 'packs/upload-2/0.pack']);
    assert.deepEqual(await keysOf(blobs, 'gc/'), []);
    await isWhole();
  });

  test('that runs dry changes nothing, and says what a real one then does', async () => {
    const { blobs, run, remove } = await storeOf(3);
    await remove(3);
    const before = await contentsOf(blobs);
    const dry = await run({ dryRun: true, repackBelow: 1, repackAtLeastBytes: 0 });
    assert.deepEqual(await contentsOf(blobs), before);
    const real = await run({ repackBelow: 1, repackAtLeastBytes: 0 });
    assert.deepEqual(dry.packs, real.packs);
    assert.deepEqual(
      dry.repacked.map(({ pack }) => pack),
      real.repacked.map(({ pack }) => pack),
    );
    const assumed = new Set(['churn:1', 'churn:2']);
    const all = await run({ dryRun: true, assumeReleased: assumed });
    assert.ok(all.packs.every(({ fate }) => fate === 'deleted'));
  });

  test('leaves alone what is younger than the grace period, by the clock of the storage', async () => {
    const { blobs, run, pass } = await storeOf(1);
    await blobs.write('packs/left/0.pack', bodyOf('x'));
    pass(23 * HOUR_MS);
    const young = await run({ graceMs: 24 * HOUR_MS });
    assert.equal(young.packs.find(({ pack }) => pack === 'left/0')?.reason, 'it is too young');
    pass(2 * HOUR_MS);
    assert.equal((await run({ graceMs: 24 * HOUR_MS })).deletedBytes, 1);
  });

  test('gives abandoned uploads up in their model’s log before their root goes; publishing them is refused then', async () => {
    const { blobs, registry, run, pass, push, clock } = await storeOf(1);
    let stop: (() => void) | undefined;
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
    });
    let go: (() => void) | undefined;
    const gone = new Promise<void>((resolve) => {
      go = resolve;
    });
    // Right before its event the push stands still for two days.
    const slow = observed(blobs, {
      before: async ({ operation, key }) => {
        if (operation !== 'list' || key !== 'gc/') return;
        stop?.();
        await gone;
      },
    });
    const pushing = push('upload-slow', slow);
    await stopped;
    assert.deepEqual((await run({ graceMs: 24 * HOUR_MS })).uploads, []);
    pass(48 * HOUR_MS);
    const { uploads } = await run({ graceMs: 24 * HOUR_MS });
    assert.deepEqual(
      uploads.map(({ upload, model }) => [upload, model]),
      [['upload-slow', 'churn']],
    );
    assert.deepEqual(await keysOf(blobs, 'roots/'), []);
    const kinds: string[] = [];
    for await (const { kind, actor } of registry.history(CHURN)) kinds.push(`${kind} by ${actor}`);
    assert.equal(kinds.at(-1), 'upload-expired by gardener');
    go?.();
    await assert.rejects(pushing, (error) => isIngotError(error, 'conflict') && /abandoned/.test(error.message));
    assert.equal((await registry.model(CHURN)).versions, 1);
    await run({ graceMs: 24 * HOUR_MS });
    pass(48 * HOUR_MS);
    await run({ graceMs: 24 * HOUR_MS });
    assert.deepEqual(await keysOf(blobs, 'packs/upload-slow'), []);
    assert.ok(clock());
  });

  test('keeps what any root names, whatever its kind, and a root of a model that nobody knows', async () => {
    const { blobs, run, pass } = await storeOf(0);
    for (const pack of ['model/0', 'unknown/0', 'unnamed/0']) await blobs.write(`packs/${pack}.pack`, bodyOf('x'));
    await blobs.write(
      'roots/logged-models/m-1.json',
      bodyOf(canonicalJson({ format: 1, what: 'a logged model', packs: ['model/0'] })),
    );
    const root = { upload: 'unknown', modelId: 'nobody-0123456789abcdef', at: '', packs: ['unknown/0'] };
    await writeUploadRoot(blobs, 'roots/uploads/unknown/0.json', root, {});
    pass(100 * HOUR_MS);
    await run();
    assert.deepEqual(await keysOf(blobs, 'packs/'), ['packs/model/0.pack', 'packs/unknown/0.pack']);
  });

  test('takes everything of a model that was deleted, uploads in flight included', async () => {
    const { blobs, registry, run } = await storeOf(2);
    const { id } = await registry.model(CHURN);
    await blobs.write('packs/flying/0.pack', bodyOf('x'));
    const root = { upload: 'flying', modelId: id, at: '', packs: ['flying/0'] };
    await writeUploadRoot(blobs, 'roots/uploads/flying/0.json', root, {});
    await registry.deleteModel(CHURN);
    await run();
    assert.deepEqual([...(await keysOf(blobs, 'packs/')), ...(await keysOf(blobs, 'roots/'))], []);
  });

  test('finishes what a collection that died has condemned, and decides anew what of it goes', async () => {
    const { blobs, run, remove, isWhole } = await storeOf(3);
    await remove(3);
    await publishList(blobs, 'gc-dead', ['upload-1/0', 'upload-3/0', 'never/0'], {});
    const { finished } = await run({ graceMs: HOUR_MS });
    assert.deepEqual(finished, ['gc-dead']);
    assert.deepEqual(await keysOf(blobs, 'packs/'), ['packs/upload-1/0.pack', 'packs/upload-2/0.pack']);
    assert.deepEqual(await keysOf(blobs, 'gc/'), []);
    await isWhole();
  });

  test('that wakes up after another one finished its list deletes nothing any more', async () => {
    const { blobs, push, run, remove, isWhole } = await storeOf(2);
    await remove(2);
    // It stands still when it has looked at everything and is about to say what goes.
    let woken: (() => void) | undefined;
    const waking = new Promise<void>((resolve) => {
      woken = resolve;
    });
    let asleep: (() => void) | undefined;
    const sleeping = new Promise<void>((resolve) => {
      asleep = resolve;
    });
    const slow = observed(blobs, {
      before: async ({ operation, key }) => {
        if (operation !== 'write' || !key.endsWith('.final.json')) return;
        asleep?.();
        await waking;
      },
    });
    const first = collect({ blobs: slow, actor: 'slow', graceMs: 0, repackBelow: 0 });
    await sleeping;
    // A push relies on the same pack now, but sees it condemned; its root is what the second collection spares it for.
    const { id } = await openLogRegistry({ blobs, actor: 'x' }).ensureModel(CHURN);
    const root = { upload: 'other', modelId: id, at: '', packs: ['upload-2/0'] };
    await writeUploadRoot(blobs, 'roots/uploads/other/0.json', root, {});
    await run({ graceMs: HOUR_MS });
    assert.deepEqual(await keysOf(blobs, 'gc/'), []);
    assert.ok((await keysOf(blobs)).includes('packs/upload-2/0.pack'));
    woken?.();
    await first;
    assert.ok(
      (await keysOf(blobs)).includes('packs/upload-2/0.pack'),
      'it was spared, and others may rely on it by now',
    );
    assert.deepEqual(await keysOf(blobs, 'gc/'), []);
    await push('upload-3');
    await isWhole();
  });

  test('does not follow a final list whose list is gone, and removes it', async () => {
    const { blobs, run, isWhole } = await storeOf(2);
    await blobs.write(finalKey('gc-old'), bodyOf(canonicalJson({ format: 1, packs: ['upload-1/0'], moved: [] })));
    await run({ graceMs: HOUR_MS });
    assert.deepEqual(await keysOf(blobs, 'gc/'), []);
    await isWhole();
  });

  test('deletes nothing when it cannot tell what is needed: a damaged recipe, root, moved file or event', async () => {
    for (const what of [
      'packs/upload-1/0.pack',
      'roots/uploads/u/0.json',
      'packs/gone/0.moved',
      '/log/0000000002.json',
    ]) {
      const { blobs, run, remove } = await storeOf(3);
      await remove(3);
      const found = (await keysOf(blobs)).find((key) => key.endsWith(what));
      if (found === undefined) await blobs.write(what, bodyOf('{"packs":["gone/1"]}x'));
      else {
        const bytes = await bytesOf(blobs.read(found));
        await blobs.delete(found);
        await blobs.write(found, bodyOf(bytes.map((byte, n) => (n === bytes.byteLength >> 1 ? byte ^ 1 : byte))));
      }
      const packs = await keysOf(blobs, 'packs/');
      await assert.rejects(run(), (error) => isIngotError(error, 'integrity', 'tampered', 'content-not-found'), what);
      assert.deepEqual(await keysOf(blobs, 'packs/'), packs);
    }
  });

  test('is refused where listings may be stale, unless nobody else is there', async () => {
    const { blobs, run } = await storeOf(1);
    const stale: BlobStore = { ...blobs, capabilities: { ...blobs.capabilities, stalenessMs: 60_000 } };
    await assert.rejects(
      run({ blobs: stale }),
      (error) => isIngotError(error, 'refused') && /--exclusive/.test(error.hint ?? ''),
    );
    await run({ blobs: stale, dryRun: true });
    await run({ blobs: stale, exclusive: true });
    const readOnly: BlobStore = { ...blobs, capabilities: { ...blobs.capabilities, readOnly: true } };
    await assert.rejects(run({ blobs: readOnly }), /only be read/);
  });

  test('of a mirror writes no events and moves no packs, and of a governed store does nothing', async () => {
    const { blobs, run, remove, pass } = await storeOf(2);
    await remove(2);
    const { id } = await openLogRegistry({ blobs, actor: 'x' }).ensureModel(CHURN);
    const root = { upload: 'u', modelId: id, at: '', packs: [] };
    await writeUploadRoot(blobs, 'roots/uploads/u/0.json', root, {});
    const log = await keysOf(blobs, 'models/');
    for (const marks of [{ follows: 's3://other' }, { governed: true }]) {
      const format = JSON.parse(String(await bytesOf(blobs.read('ingot.json'))));
      await blobs.delete('ingot.json');
      const { sum: _, follows: __, ...rest } = format;
      await blobs.write('ingot.json', bodyOf(canonicalJson({ ...rest, ...marks })));
      pass(HOUR_MS);
      if ('governed' in marks) await assert.rejects(run(), (error) => isIngotError(error, 'refused'));
      else assert.equal((await run({ repackBelow: 1, repackAtLeastBytes: 0 })).repacked.length, 0);
    }
    assert.deepEqual(
      (await keysOf(blobs, 'models/')).filter((key) => key.includes('/log/')),
      log.filter((key) => key.includes('/log/')),
    );
    assert.deepEqual(await keysOf(blobs, 'packs/'), ['packs/upload-1/0.pack']);
    assert.deepEqual(await keysOf(blobs, 'roots/'), ['roots/uploads/u/0.json']);
  });

  test('trims heads, listings and hints that newer ones have replaced', async () => {
    const { blobs, registry, run, pass } = await storeOf(2);
    const { id } = await registry.model(CHURN);
    for (const seq of ['01', '02', '03']) await blobs.write(`models/${id}/heads/00000000${seq}.json`, bodyOf('x'));
    for (const name of ['1', '2']) await blobs.write(`index/models/${name}.json`, bodyOf('x'));
    await blobs.write('changes/clock/left', bodyOf('x'));
    pass(2 * HOUR_MS);
    assert.equal((await run()).trimmed, 3);
    assert.deepEqual(await keysOf(blobs, 'index/'), ['index/models/2.json']);
  });

  test('can be interrupted, and the next one goes on', async () => {
    const { blobs, run, remove, isWhole } = await storeOf(4);
    for (const number of [2, 3, 4]) await remove(number);
    const interruption = new AbortController();
    const watched = observed(blobs, {
      before: ({ operation, key }) => {
        if (operation === 'delete' && key.startsWith('packs/')) interruption.abort();
      },
    });
    await assert.rejects(run({ blobs: watched, signal: interruption.signal }), (error) =>
      isIngotError(error, 'interrupted'),
    );
    assert.equal((await keysOf(blobs, 'gc/')).length, 2);
    const { finished } = await run();
    assert.equal(finished.length, 1);
    assert.deepEqual(await keysOf(blobs, 'gc/'), []);
    assert.equal((await keysOf(blobs, 'packs/')).length, 1);
    await isWhole();
  });
});

describe('repacking', () => {
  const thin = { repackBelow: 1, repackAtLeastBytes: 0 };

  test('moves what is needed of thin packs, and the old ones go a grace period later', async () => {
    const { blobs, run, pass, isWhole } = await storeOf(3);
    const options = { ...thin, graceMs: HOUR_MS };
    pass(2 * HOUR_MS);
    const { repacked } = await run(options);
    assert.deepEqual(
      repacked.map(({ pack, into }) => [pack, into.length]),
      [1, 2, 3].map((n) => [`upload-${n}/0`, 1]),
    );
    assert.deepEqual(await keysOf(blobs, 'roots/'), []);
    await isWhole();
    await run(options);
    assert.equal((await keysOf(blobs, 'packs/upload-1')).length, 2);
    pass(2 * HOUR_MS);
    const { packs } = await run({ ...options, repackBelow: 0 });
    assert.ok(packs.some(({ pack, reason }) => pack === 'upload-1/0' && reason === 'what is needed of it was moved'));
    assert.deepEqual(await keysOf(blobs, 'packs/upload-1'), [movedKey('upload-1/0')]);
    await isWhole();
  });

  test('follows packs that are moved again and again, and forgets the way when nothing needs it', async () => {
    const { blobs, registry, run, pass, isWhole } = await storeOf(2);
    for (let round = 0; round < 4; round += 1) {
      pass(HOUR_MS);
      await run(thin);
      pass(HOUR_MS);
      await run({ repackBelow: 0 });
      await isWhole();
    }
    const moved = (await keysOf(blobs, 'packs/')).filter((key) => key.endsWith('.moved'));
    assert.ok(moved.length >= 5, moved.join(' '));
    await registry.deleteModel(CHURN);
    pass(HOUR_MS);
    await run(thin);
    pass(HOUR_MS);
    await run(thin);
    assert.deepEqual(await keysOf(blobs, 'packs/'), []);
  });

  test('leaves a pack alone that an upload in flight relies on, and keeps the old one for it', async () => {
    const { blobs, registry, run, pass, isWhole } = await storeOf(2);
    const { id } = await registry.ensureModel(CHURN);
    const root = (n: number) => ({ upload: 'flying', modelId: id, at: '', packs: [`upload-${n}/0`] });
    await writeUploadRoot(blobs, 'roots/uploads/flying/0.json', root(1), {});
    pass(HOUR_MS);
    const options = { ...thin, graceMs: 30 * 60_000 };
    await blobs.delete('roots/uploads/flying/0.json');
    await writeUploadRoot(blobs, 'roots/uploads/flying/1.json', root(1), {});
    const { repacked } = await run(options);
    assert.deepEqual(
      repacked.map(({ pack }) => pack),
      ['upload-2/0'],
    );
    await blobs.delete('roots/uploads/flying/1.json');
    pass(HOUR_MS);
    await writeUploadRoot(blobs, 'roots/uploads/flying/2.json', root(2), {});
    await run({ ...options, repackBelow: 0 });
    assert.ok((await keysOf(blobs)).includes('packs/upload-2/0.pack'));
    await isWhole();
  });

  test('does not move a pack of which something is damaged, and says so', async () => {
    const { blobs, run, isWhole } = await storeOf(1);
    const bytes = await bytesOf(blobs.read('packs/upload-1/0.pack'));
    await blobs.delete('packs/upload-1/0.pack');
    await blobs.write('packs/upload-1/0.pack', bodyOf(bytes.map((byte, n) => (n === 3 ? byte ^ 1 : byte))));
    const { repacked } = await run(thin);
    assert.match(repacked[0]?.problem ?? '', /other bytes/);
    assert.deepEqual(
      (await keysOf(blobs, 'packs/')).filter((key) => key.endsWith('.moved')),
      [],
    );
    await assert.rejects(isWhole());
  });

  test('of one pack by two collections at once leaves it moved by one of them', async () => {
    const { blobs, run, pass, isWhole } = await storeOf(2);
    pass(HOUR_MS);
    const results = await Promise.all([run(thin), run(thin)]);
    const moved = results.flatMap(({ repacked }) => repacked.filter(({ into }) => into.length > 0));
    assert.deepEqual(moved.map(({ pack }) => pack).sort(), ['upload-1/0', 'upload-2/0']);
    pass(HOUR_MS);
    await run({ repackBelow: 0 });
    pass(HOUR_MS);
    await run({ repackBelow: 0 });
    await isWhole();
    assert.ok((await keysOf(blobs, listKey(''))).length === 0);
  });
});
