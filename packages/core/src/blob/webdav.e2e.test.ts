import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { startApache } from '../../test/servers/apache.ts';
import { describeRemoteStore } from '../../test/servers/blob-suite.ts';
import { needServer } from '../../test/servers/need-server.ts';
import { startNginx } from '../../test/servers/nginx.ts';
import { startRclone } from '../../test/servers/rclone.ts';
import { freePort, type TestServer } from '../../test/servers/server.ts';
import { isIngotError } from '../errors.ts';
import { bodyOf, collect } from './bytes.ts';
import { failsWith, keysOf } from './conformance/case.ts';
import { LISTING_CASES } from './conformance/listing.ts';
import { READING_CASES } from './conformance/reading.ts';
import { WRITING_CASES } from './conformance/writing.ts';
import { createLocalBlobStore } from './local.ts';
import { openBlobStore } from './open.ts';
import { openWebdavBlobStore } from './webdav.ts';

await needServer('apache', startApache, (apache) => {
  const addressOf = (place: string, port = apache.port) => `webdav://ana@127.0.0.1:${port}/stores/${place}`;
  describeRemoteStore('the WebDAV store on Apache', {
    port: apache.port,
    open: (place, { port, silenceSeconds }) =>
      openWebdavBlobStore(addressOf(place, port), {
        env: { ...apache.env, ...(silenceSeconds && { INGOT_STORAGE_TIMEOUT: String(silenceSeconds) }) },
      }),
    openWithWrongCredentials: (place) =>
      openWebdavBlobStore(addressOf(place), { env: { INGOT_WEBDAV_PASSWORD: 'wrong' } }),
  });
});

const OTHERS: readonly (readonly [string, () => Promise<TestServer>])[] = [
  ['nginx', () => startNginx()],
  ['rclone', () => startRclone('webdav')],
];

for (const [name, start] of OTHERS) {
  await needServer(name, start, ({ address, env }) => {
    describe(`the WebDAV store on ${name}, which overwrites by PUT in spite of conditions, keeps the contract`, () => {
      for (const one of [...WRITING_CASES, ...READING_CASES, ...LISTING_CASES]) {
        test(one.name, async () => {
          const place = `${address}/${randomBytes(6).toString('hex')}`;
          // They lock what others are writing: that is repeated.
          await one.run({ open: () => openBlobStore(place, { env }) });
        });
      }
    });
  });
}

await needServer('apache', startApache, (apache) => {
  const address = `webdav://ana@127.0.0.1:${apache.port}/own`;
  const open = () => openWebdavBlobStore(address, { env: apache.env });

  describe('the WebDAV store', () => {
    test('lets exactly one of thirty-two writers at once have each of many keys', async () => {
      const clients = await Promise.all([open(), open(), open(), open()]);
      for (let round = 0; round < 12; round += 1) {
        const writes = Array.from({ length: 32 }, (_, n) =>
          clients[n % 4]?.write(`log/${round}`, bodyOf(`writer ${n}`)),
        );
        const results = await Promise.all(writes);
        assert.equal(results.filter((result) => result === 'created').length, 1);
        const winner = `writer ${results.indexOf('created')}`;
        assert.equal(String(await collect((await open()).read(`log/${round}`))), winner);
      }
    });

    test('is the same store when its directory is opened as files', async () => {
      const store = await open();
      await store.write('models/Churn/1', bodyOf('one'));
      const files = createLocalBlobStore(join(apache.directory, 'own'));
      assert.equal(String(await collect(files.read('models/Churn/1'))), 'one');
      assert.equal(await files.write('models/Churn/1', bodyOf('two')), 'exists');
      assert.deepEqual(await keysOf(files, 'models/'), ['models/Churn/1']);
      await files.write('plain/file', bodyOf('plain'));
      // Files are their owner's, and the server may be somebody else.
      await chmod(join(apache.directory, 'own/plain'), 0o755);
      await chmod(join(apache.directory, 'own/plain/file'), 0o644);
      assert.equal(String(await collect(store.read('plain/file', { range: { start: 1, end: 3 } }))), 'la');
      assert.equal(await store.write('plain/file', bodyOf('other')), 'exists');
      assert.deepEqual(await keysOf(store, 'plain/'), ['plain/file']);
    });

    test('leaves nothing among its temporary collections', async () => {
      const store = await open();
      await store.write('a', bodyOf('x'));
      await store.write('a', bodyOf('x'));
      await store.delete('a');
      await failsWith(() => store.write('b', { ...bodyOf('short'), sizeBytes: 9 }), 'integrity');
      assert.deepEqual(await readdir(join(apache.directory, 'own/.tmp')), []);
    });

    test('follows no redirect to another host, and does not send the password there', async () => {
      const asked: (string | undefined)[] = [];
      const elsewhere = createServer((request, response) => {
        asked.push(request.headers.authorization);
        response.end('{}');
      });
      const port = await freePort();
      const there = await listening(elsewhere);
      const redirecting = createServer((_, response) => {
        response.writeHead(302, { location: `http://127.0.0.1:${there}/models/` }).end();
      }).listen(port, '127.0.0.1');
      const store = await openWebdavBlobStore(`webdav://ana@127.0.0.1:${port}/models`, { env: apache.env });
      await assert.rejects(collect(store.read('ingot.json')), (error) => {
        assert.ok(isIngotError(error, 'refused'));
        assert.ok(!`${error.message} ${error.hint}`.includes('correct horse'));
        return true;
      });
      assert.deepEqual(asked, []);
      for (const server of [elsewhere, redirecting]) await new Promise((resolve) => server.close(resolve));
    });

    test('says a full, a locked and a refusing server apart', async () => {
      let status = 507;
      const server = createServer((_, response) => response.writeHead(status, { 'retry-after': '7' }).end());
      const port = await listening(server);
      const store = await openWebdavBlobStore(`webdav://127.0.0.1:${port}/models`, { env: {} });
      for (const [answer, code] of [
        [507, 'disk-full'],
        [423, 'unavailable'],
        [403, 'forbidden'],
        [413, 'refused'],
        [503, 'unavailable'],
        [501, 'refused'],
      ] as const) {
        status = answer;
        await assert.rejects(store.write('a', bodyOf('x')), (error) => {
          assert.ok(isIngotError(error, code), `${answer}: ${String(error)}`);
          return true;
        });
      }
      await new Promise((resolve) => server.close(resolve));
    });

    test('shows no password in its address, and warns of one that is sent without encryption', async () => {
      const warnings: string[] = [];
      const store = await openWebdavBlobStore('webdav://ana:s%40cret@files.example.com/models/', {
        env: {},
        onWarning: (message) => warnings.push(message),
      });
      assert.equal(store.address, 'webdav://ana@files.example.com/models');
      assert.equal(warnings.length, 1);
      assert.ok(!/s(?:%40|@)cret/.test(warnings.join()));
    });
  });
});

async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
