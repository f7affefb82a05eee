import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getuid } from 'node:process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLocalBlobStore } from './blob/local.ts';
import { compileForChild } from './blob/testing/child.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { noise } from './content/conformance.ts';
import { createStore } from './content/store-format.ts';
import { openPackageCache } from './package/cache.ts';
import { CHURN, testDirectory } from './package/testing/fixtures.ts';
import { pull, pullToCache } from './pull.ts';
import { push } from './push.ts';
import { parseModelName } from './ref.ts';
import { openLogRegistry } from './registry/open.ts';

const run = promisify(execFile);
let build = '';
let pusher = '';

beforeAll(async () => {
  build = await mkdtemp(join(tmpdir(), 'ingot-pusher-'));
  await chmod(build, 0o755);
  pusher = await compileForChild(new URL('./push-child.ts', import.meta.url), build);
});

afterAll(async () => {
  await rm(build, { recursive: true, force: true });
});

async function child(
  ...parts: readonly string[]
): Promise<{ readonly signal: string | undefined; readonly line: Record<string, unknown> }> {
  try {
    const { stdout } = await run(process.execPath, [pusher, ...parts]);
    return { signal: undefined, line: JSON.parse(stdout) };
  } catch (error) {
    if (error instanceof Error && 'signal' in error && error.signal === 'SIGKILL')
      return { signal: 'SIGKILL', line: {} };
    throw error;
  }
}

test('kill -9 before or after every write and delete of a push leaves the whole version or none', async () => {
  await using directory = await testDirectory();
  await directory.write(Object.fromEntries(Object.entries(CHURN).map(([name, content]) => [`src/${name}`, content])));
  let killed = 0;
  let whole = 0;
  let finished = false;
  for (let step = 1; !finished; step++) {
    for (const when of ['before', 'after']) {
      const place = directory.join(`store-${step}-${when}`);
      const { signal } = await child('push', place, directory.join('src'), `${when}:${step}`);
      finished = signal === undefined;
      if (finished) break;
      killed++;
      const blobs = createLocalBlobStore(place);
      const registry = openLogRegistry({ blobs, actor: 'test' });
      const contents = createBlobContentStore(blobs);
      const view = await registry.model(parseModelName('churn')).catch(() => undefined);
      if (view !== undefined && view.versions > 0) {
        const { files, path } = await pull('churn:1', { registry, contents, output: directory.join('out') });
        expect(files).toHaveLength(4);
        for (const file of files)
          expect(await readFile(join(path, file))).toEqual(await readFile(directory.join('src', file)));
        await rm(path, { recursive: true });
        whole++;
      }
      const again = await child('push', place, directory.join('src'), 'none');
      expect(again.line.ref).toBe('churn:1');
    }
  }
  expect(killed).toBeGreaterThan(8);
  expect(whole).toBeGreaterThan(0);
  expect(whole).toBeLessThan(killed);
});

test('a model of 1 GiB is pushed and pulled in less than 200 MiB of memory', async () => {
  await using directory = await testDirectory();
  await mkdir(directory.join('src'));
  const file = await open(directory.join('src', 'model.bin'), 'w');
  await file.truncate(1024 * 1024 * 1024);
  await file.close();
  const { line } = await child('measure', directory.join('store'), directory.join('src'), directory.join('out'));
  expect(line.peakMiB).toBeLessThan(200);
  expect(await readdir(directory.join('out'))).toEqual(['model.bin']);
});

test.runIf(process.platform === 'linux' && getuid?.() === 0)(
  'a full disk leaves nothing behind, neither of a pull nor in the cache',
  async () => {
    await using directory = await testDirectory();
    await mkdir(directory.join('small'));
    await run('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', directory.join('small')]);
    try {
      // Bytes that repeat would be stored once, and fit.
      await directory.write({ 'src/a.bin': noise(1_500_000, 1), 'src/b.bin': noise(1_500_000, 2) });
      const blobs = createLocalBlobStore(directory.join('store'));
      await createStore(blobs);
      const registry = openLogRegistry({ blobs, actor: 'test' });
      const contents = createBlobContentStore(blobs);
      await push(directory.join('src'), { registry, contents, name: 'm' });
      await expect(pull('m', { registry, contents, output: directory.join('small', 'out') })).rejects.toMatchObject({
        code: 'disk-full',
        message: `cannot write to ${directory.join('small', 'out')}: the disk is full`,
      });
      expect(await readdir(directory.join('small'))).toEqual([]);
      await using cache = openPackageCache({ directory: directory.join('small', 'cache') });
      await expect(pullToCache('m', { registry, contents, cache })).rejects.toMatchObject({ code: 'disk-full' });
      expect(await readdir(directory.join('small', 'cache', 'packages'))).toEqual([]);
      const full = createLocalBlobStore(directory.join('small', 'store'));
      await createStore(full);
      const fullRegistry = openLogRegistry({ blobs: full, actor: 'test' });
      const fullContents = createBlobContentStore(full);
      await expect(
        push(directory.join('src'), { registry: fullRegistry, contents: fullContents, name: 'm' }),
      ).rejects.toMatchObject({ code: 'disk-full' });
      const view = await fullRegistry.model(parseModelName('m')).catch(() => undefined);
      expect(view?.versions ?? 0).toBe(0);
    } finally {
      await run('umount', [directory.join('small')]);
    }
  },
);

test('an artifact that may not be read is named, and so is a folder', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'model.pkl': 'x', 'data/a.bin': 'a', 'good.bin': 'x' });
  await chmod(directory.path, 0o755);
  await chmod(directory.join('model.pkl'), 0o000);
  await chmod(directory.join('data'), 0o000);
  const { line } = await child('check', directory.path);
  await chmod(directory.join('data'), 0o755);
  expect(line.rules).toEqual(expect.arrayContaining(['path.unreadable model.pkl', 'path.unreadable data']));
});

test.runIf(process.platform === 'linux' && getuid?.() === 0)(
  'a file system without room for another name is full too',
  async () => {
    await using directory = await testDirectory();
    await directory.write({ 'src/a.bin': 'a', 'small/.keep': '' });
    await run('mount', ['-t', 'tmpfs', '-o', 'size=2m,nr_inodes=2', 'tmpfs', directory.join('small')]);
    try {
      const blobs = createLocalBlobStore(directory.join('store'));
      await createStore(blobs);
      const registry = openLogRegistry({ blobs, actor: 'test' });
      const contents = createBlobContentStore(blobs);
      await push(directory.join('src'), { registry, contents, name: 'm' });
      await using cache = openPackageCache({ directory: directory.join('small', 'cache') });
      await expect(pullToCache('m', { registry, contents, cache })).rejects.toMatchObject({ code: 'disk-full' });
      await rm(directory.join('small', 'cache'), { recursive: true, force: true });
      const full = createLocalBlobStore(directory.join('small', 'store'));
      await expect(createStore(full)).rejects.toMatchObject({ code: 'disk-full' });
      const output = directory.join('small', 'deep', 'er', 'out');
      await expect(pull('m', { registry, contents, output })).rejects.toMatchObject({
        code: 'disk-full',
        message: `cannot write to ${output}: the disk is full`,
      });
    } finally {
      await run('umount', [directory.join('small')]);
    }
  },
);
