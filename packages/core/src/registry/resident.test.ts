import assert from 'node:assert/strict';
import { test } from 'vitest';
import type { BlobStore } from '../blob/blob-store.ts';
import { createMemoryBlobStore } from '../blob/memory.ts';
import { parseReference } from '../ref.ts';
import { CHURN, draftOf } from './conformance/case.ts';
import { openLogRegistry } from './open.ts';

/** A store that counts what is asked of keys, and can hold back writes of some. */
function watched({ waits = true }: { readonly waits?: boolean } = {}) {
  const inner = createMemoryBlobStore();
  const asked: string[] = [];
  const held: { key: string; release: () => void }[] = [];
  let holds: RegExp | undefined;
  const blobs: BlobStore = {
    ...inner,
    capabilities: { ...inner.capabilities, waits },
    stat(key, options) {
      asked.push(`stat ${key}`);
      return inner.stat(key, options);
    },
    read(key, options) {
      asked.push(`read ${key}`);
      return inner.read(key, options);
    },
    async write(key, body, options) {
      asked.push(`write ${key}`);
      if (holds?.test(key)) await new Promise<void>((release) => held.push({ key, release }));
      return inner.write(key, body, options);
    },
  };
  const hold = (keys: RegExp): void => {
    holds = keys;
  };
  return { inner, blobs, asked, held, hold };
}

for (const waits of [true, false]) {
  test(`an event stands only when it was told of, in a store that ${waits ? 'waits' : 'does not wait'}`, async () => {
    const { blobs, inner } = watched({ waits });
    let mayStand = (): void => {};
    let refuses = false;
    const registry = openLogRegistry({
      blobs,
      actor: 'ana',
      beforeEvent: (_log, { head }) => {
        if (refuses) return Promise.reject(new TypeError('not now'));
        if (head.kind !== 'alias-set') return Promise.resolve();
        return new Promise((resolve) => {
          mayStand = resolve;
        });
      },
    });
    const { id } = await registry.ensureModel(CHURN);
    await registry.publish(CHURN, draftOf('a'));
    const moving = registry.setAlias(CHURN, 'production', 1);
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await inner.stat(`models/${id}/log/0000000002.json`), undefined);
    mayStand();
    await moving;
    assert.notEqual(await inner.stat(`models/${id}/log/0000000002.json`), undefined);
    refuses = true;
    await assert.rejects(registry.publish(CHURN, draftOf('b')), /not now/);
    assert.equal(await inner.stat(`models/${id}/log/0000000003.json`), undefined);
  });
}

test('a process that stays answers before heads are written, and has written them when it is disposed', async () => {
  const { blobs, held, hold } = watched();
  hold(/\/heads\//);
  const registry = openLogRegistry({ blobs, actor: 'ana', resident: true });
  const { id } = await registry.ensureModel(CHURN);
  for (let number = 1; number <= 9; number += 1) await registry.publish(CHURN, draftOf(`${number}`));
  assert.deepEqual(
    held.map(({ key }) => key),
    [`models/${id}/heads/0000000008.json`],
  );
  let isDisposed = false;
  const disposing = registry[Symbol.asyncDispose]().then(() => {
    isDisposed = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isDisposed, false);
  for (const { release } of held) release();
  await disposing;
  assert.notEqual(await blobs.stat(`models/${id}/heads/0000000008.json`), undefined);
});

test('a process that stays writes the first and the last head of a burst, and leaves two', async () => {
  const { inner, blobs, asked } = watched();
  const burst = async (from: number, to: number): Promise<string> => {
    await using registry = openLogRegistry({ blobs, actor: 'ana', resident: true });
    const { id } = await registry.ensureModel(CHURN);
    for (let number = from; number <= to; number += 1) await registry.publish(CHURN, draftOf(`${number}`));
    return `models/${id}/heads/`;
  };
  const heads = await burst(1, 30);
  await burst(31, 70);
  const keys = [8, 24, 32, 64].map((seq) => `${heads}${String(seq).padStart(10, '0')}.json`);
  const written = asked.filter((key) => key.startsWith(`write ${heads}`));
  assert.deepEqual(
    written,
    keys.map((key) => `write ${key}`),
  );
  const left: string[] = [];
  for await (const { key } of inner.list(heads)) left.push(key);
  assert.deepEqual(left, keys.slice(2));
});

test('a process that stays publishes and moves without looking at a log that it saw a moment ago', async () => {
  const { blobs, asked } = watched();
  const registry = openLogRegistry({ blobs, actor: 'ana', resident: true });
  const { id } = await registry.ensureModel(CHURN);
  await registry.publish(CHURN, draftOf('a'));
  asked.length = 0;
  await registry.publish(CHURN, draftOf('b'));
  await registry.setAlias(CHURN, 'production', 2);
  assert.deepEqual(
    asked.filter((key) => !key.includes('names/')),
    [`write models/${id}/log/0000000002.json`, `write models/${id}/log/0000000003.json`],
  );
});

test('what it decides on such a log counts only if nobody was faster', async () => {
  const { blobs } = watched();
  const [registry, other] = ['ana', 'bo'].map((actor) => openLogRegistry({ blobs, actor, resident: true }));
  if (registry === undefined || other === undefined) throw new Error('two were opened');
  await registry.ensureModel(CHURN);
  await registry.publish(CHURN, draftOf('a'));
  // Unknown here: a version, a move back, a label.
  await other.publish(CHURN, draftOf('b'), { aliases: ['production'] });
  assert.deepEqual(await registry.setAlias(CHURN, 'production', 2), { alias: 'production', from: 2, to: 2 });
  await other.setAlias(CHURN, 'production', 1);
  assert.deepEqual(await registry.setAlias(CHURN, 'production', 2), { alias: 'production', from: 1, to: 2 });
  await other.publish(CHURN, { ...draftOf('c'), label: 'one', labelFrom: 'flag' });
  await assert.rejects(registry.publish(CHURN, { ...draftOf('d'), label: 'one', labelFrom: 'flag' }), /label "one"/);
  assert.equal((await registry.publish(CHURN, draftOf('d'))).version.number, 4);
  await other.removeAlias(CHURN, 'production');
  await assert.rejects(registry.removeAlias(CHURN, 'production'), /no alias/);
});

test('writers of one process take turns, so none of them writes in vain', async () => {
  const { blobs, asked } = watched();
  const registry = openLogRegistry({ blobs, actor: 'ana', resident: true });
  const { id } = await registry.ensureModel(CHURN);
  await registry.publish(CHURN, draftOf('0'));
  asked.length = 0;
  const published = await Promise.all(['a', 'b', 'c', 'd'].map((text) => registry.publish(CHURN, draftOf(text))));
  assert.deepEqual(published.map(({ version }) => version.number).sort(), [2, 3, 4, 5]);
  assert.deepEqual(
    asked.filter((key) => key.startsWith('write') && key.includes('/log/')),
    [2, 3, 4, 5].map((seq) => `write models/${id}/log/000000000${seq}.json`),
  );
});

test('a writer whom the storage leaves waiting does not hold up the others for long', async () => {
  const { blobs, held, hold } = watched();
  const registry = openLogRegistry({ blobs, actor: 'ana', resident: true });
  await registry.ensureModel(CHURN);
  await registry.publish(CHURN, draftOf('0'));
  hold(/\/log\/0000000002/);
  const slow = registry.publish(CHURN, draftOf('slow'));
  while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
  hold(/^nothing$/);
  assert.equal((await registry.publish(CHURN, draftOf('quick'))).version.number, 2);
  held[0]?.release();
  assert.equal((await slow).version.number, 3);
});

test('a process that stays writes an event with two looks at the store, and reads no event of a version twice', async () => {
  const { blobs, asked } = watched();
  const registry = openLogRegistry({ blobs, actor: 'ana', resident: true });
  const { id } = await registry.ensureModel(CHURN);
  await registry.publish(CHURN, draftOf('a'));
  for (const text of ['1', '2', '3']) await registry.update(parseReference('churn:1'), { tags: { text } });
  asked.length = 0;
  const { tags } = await registry.update(parseReference('churn:1'), { tags: { more: 'x' } });
  assert.deepEqual(tags, { text: '3', more: 'x' });
  assert.deepEqual(asked.sort(), [
    `stat models/${id}/log/0000000005.json`,
    'stat names/log/0000000002.json',
    `write models/${id}/log/0000000005.json`,
  ]);
});

test('a process that stays sees what others have said of a version since', async () => {
  const { blobs } = watched();
  const registry = openLogRegistry({ blobs, actor: 'ana', resident: true });
  await registry.ensureModel(CHURN);
  await registry.publish(CHURN, draftOf('a'));
  await registry.update(parseReference('churn:1'), { tags: { by: 'ana' } });
  const other = openLogRegistry({ blobs, actor: 'bo' });
  await other.update(parseReference('churn:1'), { tags: { by: 'bo', too: 'x' } });
  const { tags } = await registry.update(parseReference('churn:1'), { description: 'said' });
  assert.deepEqual(tags, { by: 'bo', too: 'x' });
});
