/** Mirrors between storages of every kind, over a bad line, onto a full disk, and beside writers and collections. */

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getuid } from 'node:process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApache } from '../test/servers/apache.ts';
import { startFaultyProxy } from '../test/servers/faulty-proxy.ts';
import { needServer } from '../test/servers/need-server.ts';
import { startNginx } from '../test/servers/nginx.ts';
import { startOpenssh } from '../test/servers/openssh.ts';
import type { TestServer } from '../test/servers/server.ts';
import { startVersitygw } from '../test/servers/versitygw.ts';
import type { BlobStore } from './blob/blob-store.ts';
import { createLocalBlobStore } from './blob/local.ts';
import { openBlobStore } from './blob/open.ts';
import { compileForChild } from './blob/testing/child.ts';
import { check } from './check.ts';
import { collect } from './collect.ts';
import { createStore } from './content/store-format.ts';
import { mirror } from './mirror.ts';
import { bytesOf, failure, NAME, over, pushed } from './mirror-trial.ts';
import { type TestDirectory, testDirectory } from './package/testing/fixtures.ts';
import { parseReference } from './ref.ts';

const run = promisify(execFile);
let build = '';
let child = '';

beforeAll(async () => {
  build = await mkdtemp(join(tmpdir(), 'ingot-mirror-'));
  child = await compileForChild(new URL('./mirror-child.ts', import.meta.url), build);
});

afterAll(async () => {
  await rm(build, { recursive: true, force: true });
});

/** Some megabytes that no two versions share. */
function weights(mebibytes: number): string {
  return randomBytes((mebibytes * 2 ** 20) / 2).toString('hex');
}

/** A store in a directory: `churn` with three versions, one of them deleted, and `fraud`. */
async function filled(directory: TestDirectory, name = 'main') {
  const source = over(createLocalBlobStore(directory.join(name)));
  await createStore(source.blobs);
  for (const size of [1, 12, 1]) await pushed(directory, source, weights(size));
  await pushed(directory, source, weights(1), 'fraud');
  await source.registry.setAlias(NAME, 'production', 2);
  await source.registry.deleteVersion(parseReference('churn:1'));
  return source;
}

async function expectSame(copy: BlobStore, original: BlobStore): Promise<void> {
  for (const prefix of ['names/log/', 'models/', 'packs/', 'roots/'])
    expect(await bytesOf(copy, prefix)).toEqual(await bytesOf(original, prefix));
  expect(await check({ blobs: copy, readData: true })).toMatchObject({ ok: true, damage: [], versions: [] });
}

/** Collected first, so that the source holds only what is needed, and a mirror can be the same to the byte. */
async function tidy({ blobs }: { readonly blobs: BlobStore }): Promise<void> {
  for (let round = 0; round < 2; round += 1) await collect({ blobs, actor: 'test', graceMs: 0 });
}

function describeThere(name: string, server: TestServer): void {
  test(`a store goes to ${name} and back, byte for byte, with what is new`, async () => {
    await using directory = await testDirectory();
    const source = await filled(directory);
    await tidy(source);
    const open = () => openBlobStore(`${server.address}/${randomBytes(4).toString('hex')}`, { env: server.env });
    const there = await open();
    await mirror({ source: source.blobs, destination: there });
    await expectSame(there, source.blobs);
    await pushed(directory, source, weights(1));
    expect(await mirror({ source: source.blobs, destination: there })).toMatchObject({ events: { new: 1 } });
    const back = createLocalBlobStore(directory.join('back'));
    await mirror({ source: there, destination: back });
    await expectSame(back, source.blobs);
    expect((await over(there).registry.resolve(parseReference('churn'))).number).toBe(4);
  });
}

await needServer('openssh', startOpenssh, (server) => describeThere('SFTP', server));
await needServer('apache', startApache, (server) => describeThere('WebDAV', server));
await needServer(
  'nginx',
  () => startNginx({ autoindex: true }),
  (server) =>
    test('a store that a web server hands out, read-only, is mirrored to a directory', async () => {
      await using directory = await testDirectory();
      const source = over(createLocalBlobStore(join(server.directory, 'models', 'team')));
      await createStore(source.blobs);
      await pushed(directory, source, weights(1));
      await run('chmod', ['-R', 'a+rX', join(server.directory, 'models')]);
      const web = await openBlobStore(`http://127.0.0.1:${server.port}/models/team`, { env: server.env });
      const copy = createLocalBlobStore(directory.join('copy'));
      expect(await mirror({ source: web, destination: copy })).toMatchObject({ models: 1, packs: { new: 1 } });
      await expectSame(copy, source.blobs);
      expect(await mirror({ source: web, destination: copy })).toMatchObject({ events: { new: 0 } });
      expect(await failure(mirror({ source: copy, destination: web }))).toMatchObject({ code: 'refused' });
    }),
);
await needServer('versitygw', startVersitygw, (server) => {
  describeThere('S3', server);

  test('over a line that is cut again and again a mirroring ends right or goes on where it was', async () => {
    await using directory = await testDirectory();
    const source = await filled(directory);
    await tidy(source);
    const proxy = await startFaultyProxy(server.port);
    try {
      const env = { ...server.env, AWS_ENDPOINT_URL: `http://127.0.0.1:${proxy.port}`, INGOT_STORAGE_TIMEOUT: '2' };
      const direct = await openBlobStore(`${server.address}/cut`, { env: server.env });
      const destination = await openBlobStore(`${server.address}/cut`, { env });
      let copied = 0;
      for (const afterBytes of [3_000_000, 9_000_000]) {
        proxy.set({ kind: 'cut', direction: 'up', afterBytes, how: 'reset' });
        copied += await mirror({ source: source.blobs, destination }).then(
          ({ packs }) => packs.new,
          (error: unknown) => {
            expect(error).toMatchObject({ code: 'unavailable' });
            return 0;
          },
        );
        expect(await check({ blobs: direct })).toMatchObject({ ok: true, versions: [] });
      }
      proxy.set({ kind: 'none' });
      copied += (await mirror({ source: source.blobs, destination })).packs.new;
      expect(copied).toBeLessThanOrEqual(Object.keys(await bytesOf(source.blobs, 'packs/')).length);
      for (const prefix of ['models/', 'packs/'])
        expect(await bytesOf(direct, prefix)).toEqual(await bytesOf(source.blobs, prefix));
    } finally {
      await proxy.close();
    }
  });
});

describe('on disks of this machine', () => {
  test.runIf(process.platform === 'linux' && getuid?.() === 0)(
    'a full disk ends a mirroring with what is whole, and the next one copies only the rest',
    async () => {
      await using directory = await testDirectory();
      const source = await filled(directory);
      await mkdir(directory.join('small'));
      await run('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', directory.join('small')]);
      try {
        const destination = createLocalBlobStore(directory.join('small', 'copy'));
        expect(await failure(mirror({ source: source.blobs, destination }))).toMatchObject({ code: 'disk-full' });
        expect(await check({ blobs: destination })).toMatchObject({ ok: true, versions: [] });
        const before = Object.keys(await bytesOf(destination, 'packs/')).length;
        expect(before).toBeGreaterThan(0);
        await run('mount', ['-o', 'remount,size=64m', directory.join('small')]);
        const { packs } = await mirror({ source: source.blobs, destination });
        const all = await bytesOf(destination, 'packs/');
        expect(packs.new).toBe(Object.keys(all).length - before);
        expect(await check({ blobs: destination, readData: true })).toMatchObject({ ok: true, versions: [] });
      } finally {
        await run('umount', [directory.join('small')]);
      }
    },
  );

  test('while the source is pushed to, collected and repacked, and the mirror collected, every version stays whole', async () => {
    await using directory = await testDirectory();
    const source = await filled(directory);
    const destination = createLocalBlobStore(directory.join('copy'));
    let going = true;
    const write = async (): Promise<void> => {
      for (let n = 0; n < 8; n += 1) {
        const { version } = await pushed(directory, source, weights(0.5));
        await source.registry.deleteVersion(parseReference(`churn:${version.number - 1}`)).catch(() => {});
        await collect({ blobs: source.blobs, actor: 'test', graceMs: 0, repackAtLeastBytes: 1 });
      }
      going = false;
    };
    const follow = async (): Promise<void> => {
      while (going) {
        const [mirrored, collected] = await Promise.allSettled([
          mirror({ source: source.blobs, destination }),
          collect({ blobs: destination, actor: 'test', graceMs: 0 }),
        ]);
        for (const result of [mirrored, collected])
          if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'unavailable' });
      }
    };
    await mirror({ source: source.blobs, destination });
    await Promise.all([write(), follow()]);
    await mirror({ source: source.blobs, destination });
    expect(await bytesOf(destination, 'models/')).toMatchObject(
      Object.fromEntries(Object.entries(await bytesOf(source.blobs, 'models/')).filter(([key]) => /\/log\//.test(key))),
    );
    expect(await check({ blobs: destination, readData: true })).toMatchObject({ ok: true, versions: [] });
  });

  test('a model of 256 MiB is mirrored in less than 200 MiB of memory', async () => {
    await using directory = await testDirectory();
    const file = await open(directory.join('big.bin'), 'w');
    for (let n = 0; n < 16; n += 1) await file.write(randomBytes(16 * 2 ** 20));
    await file.close();
    const paths = [directory.join('main'), directory.join('copy')];
    await run(process.execPath, [child, 'push', directory.join('main'), directory.join('big.bin')]);
    const { stdout } = await run(process.execPath, [child, 'mirror', ...paths]);
    const { packs, peakMiB } = JSON.parse(stdout);
    expect(packs.bytes).toBeGreaterThan(256 * 2 ** 20);
    expect(peakMiB).toBeLessThan(200);
  });
});
