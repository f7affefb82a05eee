import { mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { bodyOf } from './blob/bytes.ts';
import type { BlobStore } from './blob/blob-store.ts';
import { createMemoryBlobStore } from './blob/memory.ts';
import { IngotError } from './errors.ts';
import { openPackageCache } from './package/cache.ts';
import { type TestDirectory, testDirectory } from './package/testing/fixtures.ts';
import { SourceFollower } from './source-follow.ts';
import { SourceReader } from './source-reader.ts';

const NOW = Date.UTC(2026, 0, 1);

/** A follower whose clock stands still until it is told to go on. */
async function world(directory: TestDirectory, blobs: BlobStore = createMemoryBlobStore(), patienceMs = 10_000) {
  await mkdir(directory.join('models'), { recursive: true });
  let time = NOW;
  const waits: number[] = [];
  const reader = new SourceReader({
    cache: openPackageCache({ directory: directory.join('cache') }),
    directory: directory.join('cache/sources'),
    open: async () => blobs,
    host: { cwd: directory.join('models') },
    patienceMs,
    now: () => new Date(time),
    pause: async (milliseconds) => {
      waits.push(milliseconds);
      time += milliseconds;
    },
  });
  const follower = new SourceFollower({ reader, clock: () => time, random: () => 0 });
  return {
    follower,
    reader,
    waits,
    later: (milliseconds: number) => {
      time += milliseconds;
    },
    /** Writes a file whose modification time is now, or some milliseconds ago. */
    write: async (name: string, text: string | Uint8Array, agoMs = 60_000) => {
      const path = directory.join(`models/${name}`);
      await writeFile(path, text);
      await utimes(path, new Date(time - agoMs), new Date(time - agoMs));
    },
    version: async (address: string) => (await follower.open(address)).record.version.text,
  };
}

test('a newer file is taken, and looking again waits for its time', async () => {
  await using directory = await testDirectory();
  const { write, version, later } = await world(directory);
  await write('m_v1.h5', 'one');
  expect(await version('./m_v*.h5')).toBe('1');
  await write('m_v2.h5', 'two');
  expect(await version('./m_v*.h5')).toBe('1');
  later(1001);
  expect(await version('./m_v*.h5')).toBe('2');
});

test('a file that was just written is taken at the second look that sees it unchanged', async () => {
  await using directory = await testDirectory();
  const { write, version, later } = await world(directory);
  await write('m_v1.h5', 'one');
  await version('./m_v*.h5');
  later(1001);
  await write('m_v2.h5', 'tw', 0);
  expect(await version('./m_v*.h5')).toBe('1');
  later(1001);
  await write('m_v2.h5', 'two', 0);
  expect(await version('./m_v*.h5')).toBe('1');
  later(1001);
  expect(await version('./m_v*.h5')).toBe('2');
});

test('a file that ends in the middle is not taken, is told until it is whole, and then is taken', async () => {
  await using directory = await testDirectory();
  const { write, version, later, follower } = await world(directory);
  const pickle = Buffer.from([0x80, 4, 0x4e, 0x2e]);
  await write('m_v1.pkl', pickle);
  await version('./m_v*.pkl');
  await write('m_v2.pkl', pickle.subarray(0, 3));
  for (let look = 0; look < 3; look += 1) {
    later(1001);
    await follower.open('./m_v*.pkl').catch(() => {});
  }
  await expect(follower.open('./m_v*.pkl')).rejects.toMatchObject({ code: 'invalid-package', message: /m_v2.pkl/ });
  await write('m_v2.pkl', pickle);
  later(1001);
  expect(await version('./m_v*.pkl')).toBe('2');
});

test('what is removed again leaves the one before it', async () => {
  await using directory = await testDirectory();
  const { write, version, later, follower } = await world(directory);
  await write('m_v1.h5', 'one');
  await version('./m_v*.h5');
  await rename(directory.join('models/m_v1.h5'), directory.join('models/away.h5'));
  later(1001);
  await expect(follower.open('./m_v*.h5')).rejects.toMatchObject({ code: 'path-not-found' });
  await rename(directory.join('models/away.h5'), directory.join('models/m_v1.h5'));
  later(1001);
  expect(await version('./m_v*.h5')).toBe('1');
});

test('the first look waits for a file that is being written', async () => {
  await using directory = await testDirectory();
  const { write, version, waits } = await world(directory);
  await write('m_v1.h5', 'one', 0);
  expect(await version('./m_v1.h5')).toBe('1');
  expect(waits).toEqual([1000]);
});

test('a start does not wait long for a silent storage when something is known of it', async () => {
  await using directory = await testDirectory();
  const blobs = createMemoryBlobStore();
  await blobs.write('m_v1.h5', bodyOf('one'));
  await (await world(directory, blobs)).follower.open('s3://bucket/m_v*.h5');
  const silent: BlobStore = {
    ...blobs,
    list: async function* (_prefix, { signal } = {}) {
      await new Promise((_resolve, reject) =>
        signal?.addEventListener('abort', () => reject(new IngotError('interrupted', 'gave up'))),
      );
    },
  };
  const { reader } = await world(directory, silent, 1);
  expect(await reader.open('s3://bucket/m_v*.h5')).toMatchObject({ staleSince: new Date(NOW).toISOString() });
});

test('a storage that is away leaves what was last known, marked, also after a new start', async () => {
  await using directory = await testDirectory();
  const blobs = createMemoryBlobStore();
  await blobs.write('m_v1.h5', bodyOf('one'));
  let isAway = false;
  const away = <T>(given: T): T => {
    if (isAway) throw new IngotError('unavailable', 'the bucket does not answer');
    return given;
  };
  const flaky: BlobStore = {
    ...blobs,
    stat: async (key) => away(await blobs.stat(key)),
    list: (prefix, options) => away(blobs.list(prefix, options)),
    read: (key, options) => away(blobs.read(key, options)),
  };
  const { follower, later } = await world(directory, flaky);
  const address = 's3://bucket/m_v*.h5';
  expect((await follower.open(address)).staleSince).toBeUndefined();
  isAway = true;
  later(8001);
  expect((await follower.open(address)).staleSince).toBe(new Date(NOW).toISOString());
  const { follower: next } = await world(directory, flaky);
  const known = await next.open(address);
  expect(known).toMatchObject({ record: { version: { text: '1' } }, staleSince: new Date(NOW).toISOString() });
  isAway = false;
  later(8001);
  expect((await follower.open(address)).staleSince).toBeUndefined();
});

test('a directory that is gone is a storage that is away', async () => {
  await using directory = await testDirectory();
  const { write, follower, later } = await world(directory);
  await write('m_v1.h5', 'one');
  await follower.open('./m_v*.h5');
  await rm(directory.join('models'), { recursive: true });
  later(1001);
  expect((await follower.open('./m_v*.h5')).staleSince).toBeDefined();
});

test('metadata and requirements that are named after a file belong to it, others do not', async () => {
  await using directory = await testDirectory();
  const { write, reader } = await world(directory);
  await write('m_v1.h5', 'one');
  await write('m_v1.metadata.yaml', 'name: Example Model\ndescription: ours\n');
  await write('m_v1.requirements.txt', 'numpy==2.0.0\n');
  await write('metadata.yaml', 'name: another\n');
  const { cached, record } = await reader.open('./m_v1.h5');
  expect(record.model).toBe('example-model');
  expect(cached.description.files.map(({ path }) => path)).toEqual(['m_v1.h5', 'metadata.yaml', 'requirements.txt']);
});
