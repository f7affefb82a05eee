import assert from 'node:assert/strict';
import { test } from 'vitest';
import { createMemoryBlobStore } from '../blob/memory.ts';
import { IngotError } from '../errors.ts';
import { CHURN, draftOf } from './conformance/case.ts';
import { hintPrefix, parseHint } from './hints.ts';
import { openLogRegistry } from './open.ts';

async function hintsIn(blobs: ReturnType<typeof createMemoryBlobStore>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of blobs.list('changes/2')) keys.push(key);
  return keys;
}

const clock = () => new Date('2026-11-21T21:35:10Z');

test('each event leaves a hint that says which log has grown, and up to where', async () => {
  const blobs = createMemoryBlobStore({ now: clock });
  const registry = openLogRegistry({ blobs, actor: 'ana', hints: true, clock });
  const { id } = await registry.ensureModel(CHURN);
  await registry.publish(CHURN, draftOf('a'), { aliases: ['production'] });
  await registry[Symbol.asyncDispose]();
  const keys = await hintsIn(blobs);
  assert.equal(hintPrefix(clock()), 'changes/202611212135/');
  assert.ok(keys.every((key) => key.startsWith('changes/202611212135/')));
  assert.deepEqual(keys.map(parseHint), [
    { log: id, seq: 1 },
    { log: id, seq: 2 },
    { log: 'names', seq: 1 },
  ]);
  assert.equal(parseHint('changes/probe/0123/first'), undefined);
});

test('a storage that takes no hint takes the event all the same', async () => {
  const inner = createMemoryBlobStore({ now: clock });
  const blobs: typeof inner = {
    ...inner,
    write: async (key, body, options) => {
      if (key.startsWith('changes/2')) throw new IngotError('forbidden', 'not there');
      return inner.write(key, body, options);
    },
  };
  const registry = openLogRegistry({ blobs, actor: 'ana', hints: true, clock });
  await registry.ensureModel(CHURN);
  await registry.publish(CHURN, draftOf('a'));
  await registry[Symbol.asyncDispose]();
  assert.deepEqual(await hintsIn(inner), []);
  assert.equal((await registry.model(CHURN)).versions, 1);
});

test('a process that stays leaves one hint of many events that follow soon, up to the last of them', async () => {
  const blobs = createMemoryBlobStore({ now: clock });
  const registry = openLogRegistry({ blobs, actor: 'ana', hints: true, clock, resident: true });
  const { id } = await registry.ensureModel(CHURN);
  for (const text of ['a', 'b', 'c', 'd']) await registry.publish(CHURN, draftOf(text));
  await registry[Symbol.asyncDispose]();
  const hints = (await hintsIn(blobs)).map(parseHint).filter((hint) => hint?.log === id);
  assert.deepEqual(hints, [
    { log: id, seq: 1 },
    { log: id, seq: 4 },
  ]);
});
