import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, test } from 'vitest';
import { describeRemoteStore } from '../../test/servers/blob-suite.ts';
import { startFaultyProxy } from '../../test/servers/faulty-proxy.ts';
import { needServer } from '../../test/servers/need-server.ts';
import { startOpenssh } from '../../test/servers/openssh.ts';
import { startRclone } from '../../test/servers/rclone.ts';
import { isIngotError } from '../errors.ts';
import { bodyOf, collect } from './bytes.ts';
import { keysOf } from './conformance/case.ts';
import { createLocalBlobStore } from './local.ts';
import { checkTrustworthy, probeStore } from './probe.ts';
import { openSftpBlobStore } from './sftp.ts';

await needServer('openssh', startOpenssh, (openssh) => {
  const addressOf = (place: string, port = openssh.port) =>
    `sftp://${openssh.user}@127.0.0.1:${port}${openssh.directory}/stores/${place}`;
  describeRemoteStore('the SFTP store on OpenSSH', {
    port: openssh.port,
    open: (place, { port, silenceSeconds }) =>
      openSftpBlobStore(addressOf(place, port), {
        env: { ...openssh.env, ...(silenceSeconds && { INGOT_STORAGE_TIMEOUT: String(silenceSeconds) }) },
      }),
    openWithWrongCredentials: (place) =>
      openSftpBlobStore(addressOf(place), {
        env: {
          INGOT_SFTP_PASSWORD: 'wrong',
          INGOT_SFTP_KNOWN_HOSTS: openssh.env.INGOT_SFTP_KNOWN_HOSTS,
          HOME: '/nonexistent',
        },
      }),
  });
});

await needServer('openssh', startOpenssh, (openssh) => {
  const address = `sftp://${openssh.user}@127.0.0.1:${openssh.port}${openssh.directory}/store`;
  const open = (env: Record<string, string> = {}) => openSftpBlobStore(address, { env: { ...openssh.env, ...env } });
  const notes = (name: string, text: string) =>
    writeFile(join(openssh.home, name), text).then(() => join(openssh.home, name));

  describe('the SFTP store', () => {
    test('refuses a host that is not known, names its fingerprint and the command that adds it', async () => {
      const empty = await notes('empty', '');
      const store = await open({ INGOT_SFTP_KNOWN_HOSTS: empty });
      await assert.rejects(store.stat('a'), (error) => {
        assert.ok(isIngotError(error, 'refused'));
        assert.match(error.message, /SHA256:[A-Za-z0-9+/]{43}$/);
        assert.ok(error.hint?.startsWith(`ssh-keyscan -p ${openssh.port} 127.0.0.1 >> ${empty}`));
        return true;
      });
    });

    test('refuses a host whose key is another than the known one', async () => {
      const [type, key = ''] = openssh.hostKey.split(' ');
      const bytes = Buffer.from(key, 'base64');
      bytes[bytes.byteLength - 1] = (bytes.at(-1) ?? 0) ^ 1;
      const other = await notes('other', `[127.0.0.1]:${openssh.port} ${type} ${bytes.toString('base64')}\n`);
      const store = await open({ INGOT_SFTP_KNOWN_HOSTS: other });
      await assert.rejects(store.write('a', bodyOf('x')), (error) => {
        assert.ok(isIngotError(error, 'refused'));
        assert.match(error.message, /not the one in the known hosts/);
        return true;
      });
    });

    test('without a key, an agent or a password says what to set', async () => {
      const env = { HOME: '/nonexistent', INGOT_SFTP_KNOWN_HOSTS: openssh.env.INGOT_SFTP_KNOWN_HOSTS };
      await assert.rejects(openSftpBlobStore(address, { env }), (error) => {
        assert.ok(isIngotError(error, 'forbidden'));
        assert.match(error.hint ?? '', /INGOT_SFTP_KEY/);
        return true;
      });
    });

    test('keeps what it makes to its user, and shares it with the group where that is asked for', async () => {
      const modeOf = async (...path: string[]) => (await stat(join(openssh.directory, ...path))).mode & 0o7777;
      await (await open()).write('own/blob', bodyOf('x'));
      assert.deepEqual([await modeOf('store/own'), await modeOf('store/own/blob')], [0o700, 0o600]);
      await (await open({ INGOT_SHARED: 'group' })).write('ours/blob', bodyOf('x'));
      assert.deepEqual([await modeOf('store/ours'), await modeOf('store/ours/blob')], [0o2770, 0o660]);
      await chmod(join(openssh.directory, 'store'), 0o2770);
      await (await open()).write('team/blob', bodyOf('x'));
      assert.deepEqual([await modeOf('store/team'), await modeOf('store/team/blob')], [0o2770, 0o660]);
      await chmod(join(openssh.directory, 'store'), 0o700);
    });

    test('is the same store when its directory is opened as files', async () => {
      const store = await open();
      await store.write('models/Churn/1', bodyOf('one'));
      const files = createLocalBlobStore(join(openssh.directory, 'store'));
      assert.equal(String(await collect(files.read('models/Churn/1'))), 'one');
      assert.equal(await files.write('models/Churn/1', bodyOf('two')), 'exists');
      await createLocalBlobStore(join(openssh.directory, 'store'), { hardLinks: 'never' }).write(
        'folder/form',
        bodyOf('2'),
      );
      // As root this process is somebody else than the server's user.
      await promisify(execFile)('chmod', ['-R', 'a+rwX', openssh.directory]);
      assert.equal(await store.write('folder/form', bodyOf('other')), 'exists');
      assert.equal(String(await collect(store.read('folder/form'))), '2');
      assert.deepEqual(await keysOf(store, 'f'), ['folder/form']);
      await store.delete('folder/form');
      assert.deepEqual(await keysOf(store, 'f'), []);
    });

    test('connects again when the server dropped the connection', async () => {
      const proxy = await startFaultyProxy(openssh.port);
      const store = await openSftpBlobStore(address.replace(`:${openssh.port}`, `:${proxy.port}`), {
        env: openssh.env,
      });
      await store.write('again/1', bodyOf('x'));
      proxy.set({ kind: 'cut', direction: 'up', afterBytes: 0, how: 'end' });
      await assert.rejects(store.stat('again/1'), (error) => isIngotError(error, 'unavailable') && error.retryable);
      proxy.set({ kind: 'none' });
      assert.equal((await store.stat('again/1'))?.sizeBytes, 1);
      await proxy.close();
    });
  });
});

await needServer(
  'rclone',
  () => startRclone('sftp'),
  (rclone) => {
    test('an SFTP server whose hard links overwrite is found out by the probe and refused', async () => {
      const [store, other] = [0, 1].map(() => openSftpBlobStore(rclone.address, { env: rclone.env }));
      assert.ok(store && other);
      const report = await probeStore(await store, {
        id: randomBytes(8).toString('hex'),
        clock: () => performance.now(),
        sleep: (ms) => sleep(ms),
        others: [await other],
      });
      assert.equal(report.findings[0]?.check, 'create-if-absent');
      assert.throws(
        () => checkTrustworthy(rclone.address, report),
        (error) => isIngotError(error, 'refused'),
      );
    });
  },
);
