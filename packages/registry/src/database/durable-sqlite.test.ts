import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kysely } from 'kysely';
import { expect, test } from 'vitest';
import { DurableCommits } from './durable-commits.ts';
import { durableSqliteDialect } from './durable-sqlite.ts';
import { openSqliteEngine } from './sqlite-engine.ts';

interface Tables {
  readonly t: { readonly k: number; readonly v: string };
}

/** A file whose flushes end when the trial says so. */
async function opened() {
  const directory = await mkdtemp(join(tmpdir(), 'ingot-durable-'));
  const engine = await openSqliteEngine(join(directory, 'x.sqlite'));
  engine.exec('pragma journal_mode = wal');
  engine.exec('create table t (k integer primary key, v text)');
  const flushes: { readonly end: () => void; readonly fail: (error: Error) => void }[] = [];
  const commits = new DurableCommits(
    () => new Promise((resolve, reject) => flushes.push({ end: resolve, fail: reject })),
  );
  const database = new Kysely<Tables>({
    dialect: durableSqliteDialect({ engine, commits, close: () => rm(directory, { recursive: true }) }),
  });
  const put = (k: number, v = 'x') => database.insertInto('t').values({ k, v }).execute();
  return { database, flushes, put, [Symbol.asyncDispose]: () => database.destroy() };
}

/** Lets everything happen that can happen by itself. */
const turns = async (): Promise<void> => {
  for (let n = 0; n < 5; n += 1) await new Promise((resolve) => setImmediate(resolve));
};

test('a write is answered when it has been flushed, and nobody else waits for that', async () => {
  await using trial = await opened();
  let answered = 0;
  const writing = trial.put(1).then(() => {
    answered += 1;
  });
  await turns();
  expect([answered, trial.flushes.length]).toEqual([0, 1]);
  expect(await trial.database.selectFrom('t').select('k').execute()).toEqual([{ k: 1 }]);
  trial.flushes[0]?.end();
  await writing;
  expect(answered).toBe(1);
});

test('what is written while the disk is busy shares the next flush, and an error is only that of who made it', async () => {
  await using trial = await opened();
  const first = trial.put(1);
  await turns();
  const { database } = trial;
  const outcomes = Promise.allSettled([
    trial.put(2),
    trial.put(1),
    database.transaction().execute(async (at) => {
      await at.insertInto('t').values({ k: 3, v: 'x' }).execute();
      throw new Error('given up');
    }),
    database.transaction().execute((at) => at.insertInto('t').values({ k: 4, v: 'x' }).execute()),
  ]);
  await turns();
  expect(trial.flushes.length).toBe(1);
  trial.flushes[0]?.end();
  await first;
  await turns();
  expect(trial.flushes.length).toBe(2);
  trial.flushes[1]?.end();
  expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
  const rows = await database.selectFrom('t').select('k').orderBy('k').execute();
  expect(rows.map(({ k }) => k)).toEqual([1, 2, 4]);
  expect(trial.flushes.length).toBe(2);
});

test('what changes nothing flushes nothing, but waits for what it has seen', async () => {
  await using trial = await opened();
  const writing = trial.put(1);
  await turns();
  let answered = false;
  const again = trial.database
    .insertInto('t')
    .values({ k: 1, v: 'y' })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
    .then(() => {
      answered = true;
    });
  await turns();
  expect(answered).toBe(false);
  trial.flushes[0]?.end();
  await Promise.all([writing, again]);
  await trial.database.deleteFrom('t').where('k', '=', 9).execute();
  expect(trial.flushes.length).toBe(1);
});

test('after a flush that failed nothing is answered as written any more', async () => {
  await using trial = await opened();
  const writing = trial.database.transaction().execute((at) => at.insertInto('t').values({ k: 1, v: 'x' }).execute());
  const failed = expect(writing).rejects.toThrow('the disk is broken');
  await turns();
  trial.flushes[0]?.fail(new Error('the disk is broken'));
  await failed;
  await expect(trial.put(2)).rejects.toThrow('the disk is broken');
  expect(trial.flushes.length).toBe(1);
});
