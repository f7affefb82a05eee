import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { digestOf } from '../digest.ts';
import { type ArrivalPlace, claimArrival, sweepArrivals } from './arrival.ts';
import { testDirectory } from './testing/fixtures.ts';

const A = digestOf('a');
const B = digestOf('b');

function placeIn(parent: string): ArrivalPlace {
  return { parent, prefix: '.m.', suffix: '.pulling', now: () => new Date() };
}

test('what a failed pull of this process left is gone on with, once', async () => {
  await using directory = await testDirectory();
  const place = placeIn(directory.path);
  const first = await claimArrival(place, A);
  if (first === 'busy') throw new Error('busy');
  expect(await claimArrival(place, A)).toBe('busy');
  await writeFile(join(first.path, 'part'), 'x');
  first[Symbol.dispose]();
  const second = await claimArrival(place, A);
  if (second === 'busy') throw new Error('busy');
  expect(second.resumed).toBe(true);
  expect(await readdir(second.path)).toEqual(['part']);
  expect(await claimArrival(place, A)).toBe('busy');
  second[Symbol.dispose]();
});

test('another package begins afresh, and what was left of others is swept', async () => {
  await using directory = await testDirectory();
  const place = placeIn(directory.path);
  const old = await claimArrival(place, A);
  if (old === 'busy') throw new Error('busy');
  old[Symbol.dispose]();
  const fresh = await claimArrival(place, B);
  if (fresh === 'busy') throw new Error('busy');
  expect(fresh.resumed).toBe(false);
  await sweepArrivals(place, B);
  expect(await readdir(directory.path)).toHaveLength(1);
  fresh[Symbol.dispose]();
});

test('an arrival of another machine is left alone until nobody has renewed it for minutes', async () => {
  await using directory = await testDirectory();
  const place = placeIn(directory.path);
  const name = `.m.${A.slice(7, 23)}-00000000-1-00000000.pulling`;
  await mkdir(directory.join(name));
  expect(await claimArrival(place, A)).toBe('busy');
  const past = new Date(Date.now() - 10 * 60_000);
  await utimes(directory.join(name), past, past);
  const taken = await claimArrival(place, A);
  expect(taken).toMatchObject({ resumed: true });
  if (taken !== 'busy') taken[Symbol.dispose]();
});

test('of many that go on with one arrival, one has it', async () => {
  await using directory = await testDirectory();
  const place = placeIn(directory.path);
  const left = await claimArrival(place, A);
  if (left === 'busy') throw new Error('busy');
  left[Symbol.dispose]();
  const claims = await Promise.all(Array.from({ length: 8 }, () => claimArrival(place, A)));
  expect(claims.filter((claim) => claim !== 'busy' && claim.resumed)).toHaveLength(1);
  for (const claim of claims) if (claim !== 'busy') claim[Symbol.dispose]();
});

test('of many that find nobody, one begins', async () => {
  await using directory = await testDirectory();
  const place = placeIn(directory.path);
  const claims = await Promise.all(Array.from({ length: 16 }, () => claimArrival(place, A)));
  const begun = claims.filter((claim) => claim !== 'busy');
  expect(begun).toHaveLength(1);
  expect(await readdir(directory.path)).toHaveLength(1);
  begun[0]?.[Symbol.dispose]();
});
