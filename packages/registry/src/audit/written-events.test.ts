import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readIfPresent } from '@ingot/core/blob/bytes';
import { createMemoryBlobStore } from '@ingot/core/blob/memory';
import { parseModelName } from '@ingot/core/ref';
import { parseEvent, type StoredEvent } from '@ingot/core/registry/events';
import { openLogRegistry } from '@ingot/core/registry/open';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase, type Database } from '../database/database.ts';
import { WrittenEvents } from './written-events.ts';

let database: Database;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ingot-written-'));
  database = await openDatabase({ directory });
});

afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** A server's registry and what it notes. `died` is told of each event when it is noted and does not stand yet. */
function server(blobs = createMemoryBlobStore(), died: (log: string, event: StoredEvent) => void = () => {}) {
  const written = new WrittenEvents({ own: database.own, isAuthenticated: (actor) => actor === 'ana' });
  const registry = openLogRegistry({
    blobs,
    actor: 'server',
    resident: true,
    beforeEvent: async (log, event) => {
      await written.note(log, event);
      died(log, event);
    },
  });
  return { blobs, written, registry };
}

const name = (text: string) => parseModelName(text);

test('a server that dies when its event stands knows it afterwards as its own', async () => {
  const { blobs, registry } = server();
  const { id } = await registry.ensureModel(name('kept'), { actor: 'ana' });
  await registry.updateModel(name('kept'), { description: 'x' }, { actor: 'ana' });
  // Nothing of that process is asked any more.
  const after = new WrittenEvents({ own: database.own, isAuthenticated: () => false });
  const key = `models/${id}/log/0000000001.json`;
  const event = parseEvent((await readIfPresent(blobs, key, {})) ?? Buffer.from(''), key, 1);
  expect(await after.has(`models/${id}`, 1, event.digest)).toBe(true);
  expect(await after.authenticated(`models/${id}`, 1, 9)).toEqual(new Set([event.digest]));
});

test('a server that dies before its event stands vouches for nothing that others write there', async () => {
  const blobs = createMemoryBlobStore();
  const noted: { log: string; event: StoredEvent }[] = [];
  const dying = server(blobs, (log, event) => {
    noted.push({ log, event });
    if (event.head.kind === 'model-updated') throw new Error('killed');
  });
  const { id } = await dying.registry.ensureModel(name('cut'));
  await expect(dying.registry.updateModel(name('cut'), { description: 'x' })).rejects.toThrow('killed');
  expect(await readIfPresent(blobs, `models/${id}/log/0000000001.json`, {})).toBeUndefined();
  const past = openLogRegistry({ blobs, actor: 'ana' });
  await past.updateModel(name('cut'), { description: 'x' });
  const key = `models/${id}/log/0000000001.json`;
  const foreign = parseEvent((await readIfPresent(blobs, key, {})) ?? Buffer.from(''), key, 1);
  expect(noted.at(-1)?.event.head).toMatchObject({ seq: 1, kind: 'model-updated' });
  expect(await dying.written.has(`models/${id}`, 1, foreign.digest)).toBe(false);
  expect(await dying.written.has(`models/${id}`, 1, noted.at(-1)?.event.digest ?? '')).toBe(true);
});

test('of two servers that note an event of the same number, whichever stands is known', async () => {
  const blobs = createMemoryBlobStore();
  const [one, two] = [server(blobs), server(blobs)];
  const { id } = await one.registry.ensureModel(name('raced'));
  await two.registry.updateModel(name('raced'), { description: '0' });
  const updates = [one, two].flatMap(({ registry }, at) =>
    ['a', 'b', 'c'].map((text) => registry.updateModel(name('raced'), { description: `${text}${at}` })),
  );
  await Promise.all(updates);
  for (let seq = 1; seq <= 7; seq += 1) {
    const key = `models/${id}/log/${String(seq).padStart(10, '0')}.json`;
    const event = parseEvent((await readIfPresent(blobs, key, {})) ?? Buffer.from(''), key, seq);
    expect(await one.written.has(`models/${id}`, seq, event.digest)).toBe(true);
  }
});

test('what cannot be noted is not written', async () => {
  const broken = await openDatabase({ directory: join(directory, 'broken') });
  const written = new WrittenEvents({ own: broken.own, isAuthenticated: () => true });
  const blobs = createMemoryBlobStore();
  const registry = openLogRegistry({ blobs, actor: 'x', beforeEvent: (log, event) => written.note(log, event) });
  const { id } = await registry.ensureModel(name('lost'));
  await broken.own.schema.dropTable('audit_written').execute();
  await expect(registry.updateModel(name('lost'), { description: 'x' })).rejects.toMatchObject({ code: 'unavailable' });
  await broken[Symbol.asyncDispose]();
  expect(await readIfPresent(blobs, `models/${id}/log/0000000001.json`, {})).toBeUndefined();
});
