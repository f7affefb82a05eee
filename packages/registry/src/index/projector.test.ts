import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOf } from '@ingot/core/digest';
import { encodeEvent, type StoredEvent } from '@ingot/core/registry/events';
import { afterEach, beforeEach, test } from 'vitest';
import { type Database, openDatabase } from '../database/database.ts';
import { NAMES, placeOf, projectEvents } from './projector.ts';

let directory = '';
let database: Database;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ingot-index-'));
  database = await openDatabase({ directory });
});

afterEach(async () => {
  await database[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

function created(seq: number, previous: StoredEvent['digest'] | null): StoredEvent {
  const id = String(seq).padStart(32, '0');
  const head = { seq, previous, id, at: '2026-01-01T00:00:00.000Z', actor: 'ana', kind: 'model-created' };
  return encodeEvent(head, id, { name: `model-${seq}`, id: `model-${seq}-${'0'.repeat(16)}` });
}

test('of all who project an event one does, and the others are told that it is done', async () => {
  const { index } = database;
  const first = created(1, null);
  const second = created(2, first.digest);
  const outcomes = await Promise.all([first, first, first].map((event) => projectEvents(index, NAMES, [event])));
  assert.deepEqual(outcomes.sort(), ['done', 'stale', 'stale']);
  const next = await Promise.all([1, 2, 3].map(() => projectEvents(index, NAMES, [second])));
  assert.deepEqual(next.sort(), ['done', 'stale', 'stale']);
  const { seq, digest } = await placeOf(index, NAMES);
  assert.deepEqual([seq, digest], [2, second.digest]);
});

test('an event that leaves a gap changes nothing, and one that follows from another history is refused', async () => {
  const { index } = database;
  const first = created(1, null);
  await projectEvents(index, NAMES, [first]);
  assert.equal(await projectEvents(index, NAMES, [created(3, digestOf('2'))]), 'stale');
  await assert.rejects(projectEvents(index, NAMES, [created(2, digestOf('another'))]), { code: 'tampered' });
  await assert.rejects(projectEvents(index, NAMES, [first, created(2, digestOf('another'))]), { code: 'tampered' });
  const rows = await index.selectFrom('models').select('name').execute();
  assert.deepEqual(
    rows.map(({ name }) => name),
    ['model-1'],
  );
});

test('the log of a model that no name is known of waits for the names', async () => {
  const head = { ...created(1, null).head, kind: 'closed' };
  const event = encodeEvent(head, head.id, {});
  assert.equal(await projectEvents(database.index, `churn-${'0'.repeat(16)}`, [event]), 'nameless');
  assert.equal((await placeOf(database.index, `churn-${'0'.repeat(16)}`)).seq, 0);
});
