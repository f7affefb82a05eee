import { spawnSync } from 'node:child_process';
import { readdir, rename, utimes } from 'node:fs/promises';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bodyOf } from './blob/bytes.ts';
import type { BlobStore } from './blob/blob-store.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import { IngotError } from './errors.ts';
import { openPackageCache } from './package/cache.ts';
import { type TestDirectory, testDirectory } from './package/testing/fixtures.ts';
import { SourceReader } from './source-reader.ts';

/** A reader, and what its first attempt left, which was cut in the middle of the second file. */
async function cutDownload(directory: TestDirectory) {
  const blobs = createMemoryBlobStore();
  await blobs.write('v1/a.h5', bodyOf('a'.repeat(1000)));
  await blobs.write('v1/b.h5', bodyOf('b'.repeat(1000)));
  const reads: [string, number][] = [];
  let cut = true;
  const flaky: BlobStore = {
    ...blobs,
    async *read(key, options = {}) {
      reads.push([key, options.range?.start ?? 0]);
      if (!cut || key !== 'v1/b.h5') return yield* blobs.read(key, options);
      yield Buffer.from('b'.repeat(400));
      throw new IngotError('content-not-found', 'cut');
    },
  };
  const reader = new SourceReader({
    cache: openPackageCache({ directory: directory.join('cache') }),
    directory: directory.join('sources'),
    open: async () => flaky,
    host: { cwd: directory.path },
  });
  await expect(reader.open('s3://bucket/v1/')).rejects.toThrow('cut');
  cut = false;
  const place = arriving(directory);
  const left = (await readdir(place)).map((name) => join(place, name));
  expect(left).toHaveLength(1);
  return { reader, reads, left: left[0] ?? '' };
}

const arriving = (directory: TestDirectory) => directory.join('sources/arriving');

test('a download that was cut goes on where it was, and nothing of it stays', async () => {
  await using directory = await testDirectory();
  const { reader, reads } = await cutDownload(directory);
  const { cached } = await reader.open('s3://bucket/v1/');
  expect(cached.sizeBytes).toBe(2000);
  expect(reads.at(-1)).toEqual(['v1/b.h5', 400]);
  expect(await readdir(arriving(directory))).toEqual([]);
});

test('a download of a process that was killed goes on, and that of one that lives is left to it', async () => {
  for (const [pid, from, stays] of [
    [spawnSync('true').pid, 400, 0],
    [process.ppid, 0, 1],
  ] as const) {
    await using directory = await testDirectory();
    const { reader, reads, left } = await cutDownload(directory);
    await rename(left, left.replace(`-${process.pid}-`, `-${pid}-`));
    await reader.open('s3://bucket/v1/');
    // Files are read beside each other, so either may be asked for last.
    expect(reads.slice(-1 - stays)).toContainEqual(['v1/b.h5', from]);
    expect(await readdir(arriving(directory))).toHaveLength(stays);
  }
});

test('what was written before the system started is fetched again: it may never have reached the disk', async () => {
  await using directory = await testDirectory();
  const { reader, reads, left } = await cutDownload(directory);
  const before = new Date(Date.now() - uptime() * 1000 - 60_000);
  for (const name of ['a.h5', 'b.h5.part']) await utimes(join(left, 'v1', name), before, before);
  await reader.open('s3://bucket/v1/');
  expect(reads.slice(-2).sort()).toEqual([
    ['v1/a.h5', 0],
    ['v1/b.h5', 0],
  ]);
});
