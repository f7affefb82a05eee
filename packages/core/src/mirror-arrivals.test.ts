import { expect, test } from 'vitest';
import type { BlobStore } from './blob/blob-store.ts';
import { bodyOf, collect } from './blob/bytes.ts';
import { mirror } from './mirror.ts';
import { bytesOf, failure, filled, memory, NAME, over, pushed } from './mirror-trial.ts';
import { type TestDirectory, testDirectory } from './package/testing/fixtures.ts';
import { pull } from './pull.ts';
import { parseReference } from './ref.ts';

/** A mirror of three versions, each in production once, that lacks the packs of the newest. */
async function late(directory: TestDirectory) {
  const source = await filled(directory);
  const { sealed } = await pushed(directory, source, 'three');
  for (const number of [2, 3]) await source.registry.setAlias(NAME, 'production', number);
  const mirrored = memory('memory:mirror');
  await mirror({ source: source.blobs, destination: mirrored });
  const key = `packs/${sealed?.recipe.pack}.pack`;
  const bytes = await collect(mirrored.read(key));
  await mirrored.delete(key);
  return { source, mirrored, arrive: () => mirrored.write(key, bodyOf(bytes)), key };
}

async function number(blobs: BlobStore, reference: string, warnings: string[] = []): Promise<number> {
  return (await over(blobs, warnings).registry.resolve(parseReference(reference))).number;
}

test('where the newest contents have not arrived, the newest complete version answers, with a warning', async () => {
  await using directory = await testDirectory();
  const { mirrored, arrive } = await late(directory);
  const warnings: string[] = [];
  expect(await number(mirrored, 'churn', warnings)).toBe(2);
  expect(warnings).toEqual([expect.stringContaining('version 3 of "churn" has not arrived')]);
  const { path } = await pull('churn', { ...over(mirrored), output: directory.join('out') });
  expect((await over(mirrored).registry.version(parseReference('churn'))).number).toBe(2);
  expect(path).toBe(directory.join('out'));
  await arrive();
  expect(await number(mirrored, 'churn')).toBe(3);
});

test('an alias means what it named before, until what it names has arrived', async () => {
  await using directory = await testDirectory();
  const { mirrored, arrive } = await late(directory);
  const one = over(mirrored);
  expect((await one.registry.resolve(parseReference('churn@production'))).number).toBe(2);
  await arrive();
  expect((await one.registry.resolve(parseReference('churn@production'))).number).toBe(3);
});

test('a version that is asked for by number is late, not another one', async () => {
  await using directory = await testDirectory();
  const { mirrored } = await late(directory);
  const error = await failure(number(mirrored, 'churn:3'));
  expect(error).toMatchObject({ code: 'unavailable', retryable: true });
});

test('a later event that arrives before an earlier one waits for it', async () => {
  await using directory = await testDirectory();
  const { mirrored } = await late(directory);
  const events = Object.keys(await bytesOf(mirrored, 'models/')).filter((key) => key.includes('/log/'));
  const second = events.at(1) ?? '';
  const bytes = await collect(mirrored.read(second));
  await mirrored.delete(second);
  expect(await number(mirrored, 'churn')).toBe(1);
  await mirrored.write(second, bodyOf(bytes));
  expect(await number(mirrored, 'churn')).toBe(2);
});

test('a store that is no mirror is damaged when contents or events are missing, and says so', async () => {
  await using directory = await testDirectory();
  const { source, key } = await late(directory);
  await source.blobs.delete(key);
  const error = await failure(pull('churn', { ...over(source.blobs), output: directory.join('out') }));
  expect(error.code).toBe('content-not-found');
  const events = Object.keys(await bytesOf(source.blobs, 'models/')).filter((event) => event.includes('/log/'));
  await source.blobs.delete(events.at(1) ?? '');
  expect((await failure(number(source.blobs, 'churn'))).code).toBe('tampered');
});
