import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { markInUse, useAlone } from './in-use.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ingot-in-use-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test('several may use a directory, the later ones are told, and nobody works on it alone meanwhile', async () => {
  const first = await markInUse(directory);
  const second = await markInUse(directory);
  expect([first.hasOthers, second.hasOthers]).toEqual([false, true]);
  await expect(useAlone(directory, 'stop it')).rejects.toMatchObject({ code: 'conflict', hint: 'stop it' });
  first[Symbol.dispose]();
  second[Symbol.dispose]();
  const alone = await useAlone(directory, '');
  alone[Symbol.dispose]();
  const third = await markInUse(directory);
  expect(third.hasOthers).toBe(false);
  third[Symbol.dispose]();
});

test('those that begin at once all may', async () => {
  const marks = await Promise.all(Array.from({ length: 8 }, () => markInUse(directory)));
  for (const mark of marks) mark[Symbol.dispose]();
  expect(marks).toHaveLength(8);
});
