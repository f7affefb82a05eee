import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Database, openDatabase } from '../database/database.ts';
import { RetentionSchedule } from './retention-schedule.ts';

const HOUR_MS = 3_600_000;

let directory: string;
let database: Database;
let clockMs: number;
const ran: string[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ingot-retention-'));
  database = await openDatabase({ directory });
  clockMs = Date.parse('2026-11-22T00:00:00Z');
  ran.length = 0;
});
afterEach(async () => {
  await database[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

function scheduleOf(name: string, work: (signal: AbortSignal) => Promise<void> = async () => {}, everyMs = HOUR_MS) {
  return new RetentionSchedule({
    own: database.own,
    everyMs,
    retain: async ({ signal }) => {
      ran.push(name);
      await work(signal);
      return { planned: [], released: [], kept: [] };
    },
    log: () => {},
    now: () => new Date(clockMs),
    random: (size) => new Uint8Array(size).fill(128),
    lookMs: HOUR_MS,
  });
}

test('of two servers one runs retention when it is due, and nobody before', async () => {
  await using a = scheduleOf('a');
  await using b = scheduleOf('b');
  await a.start();
  await b.start();
  await a.look();
  expect(ran).toEqual([]);
  clockMs += HOUR_MS / 10;
  await Promise.all([a.look(), b.look(), a.look()]);
  expect(ran).toHaveLength(1);
  await b.look();
  clockMs += HOUR_MS * 0.8;
  await b.look();
  expect(ran).toHaveLength(1);
  clockMs += HOUR_MS * 0.4;
  await b.look();
  await a.look();
  expect(ran).toHaveLength(2);
});

test('a run that was cut off is due at once for another server, and one that hangs after its lease', async () => {
  await using b = scheduleOf('b');
  {
    await using a = scheduleOf(
      'a',
      (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    );
    await a.start();
    clockMs += HOUR_MS / 10;
    void a.look();
    await expect.poll(() => ran).toEqual(['a']);
    await b.look();
    expect(ran).toEqual(['a']);
  }
  await b.look();
  expect(ran).toEqual(['a', 'b']);
  await database.own
    .updateTable('governance_schedules')
    .set({ next_at: clockMs, leased_until: clockMs + 5 })
    .execute();
  await b.look();
  clockMs += 5;
  await b.look();
  expect(ran).toEqual(['a', 'b', 'b']);
});

test('a shorter time counts from the next start on, and what was due while nobody ran waits a little', async () => {
  await using daily = scheduleOf('daily', async () => {}, 24 * HOUR_MS);
  await daily.start();
  clockMs += 600_000;
  await daily.look();
  const late = await daily.nextAt();
  expect(Number(late)).toBeGreaterThan(clockMs + 20 * HOUR_MS);
  await using hourly = scheduleOf('hourly');
  await hourly.start();
  expect(Number(await hourly.nextAt())).toBe(clockMs + HOUR_MS);
  clockMs += 3 * HOUR_MS;
  await using again = scheduleOf('again');
  await again.start();
  expect(Number(await again.nextAt())).toBeGreaterThan(clockMs);
});
