import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { testServer } from '../../../../scripts/lib/servers/test-servers.mjs';
import { answers, freePort, startProcess, type TestServer } from './server.ts';

const USER = 'ana';
const PASSWORD = 'correct horse';

/** Starts Debian's rclone as a WebDAV or SFTP server over a directory of its own. Both overwrite where they should not. */
export async function startRclone(protocol: 'webdav' | 'sftp'): Promise<TestServer> {
  const tree = await testServer('rclone');
  const home = await mkdtemp(join(tmpdir(), 'ingot-rclone-'));
  const port = await freePort();
  await mkdir(join(home, 'data'));
  const hostKey = ssh2.utils.generateKeyPairSync('ed25519');
  await writeFile(join(home, 'host_key'), hostKey.private, { mode: 0o600 });
  await writeFile(join(home, 'known_hosts'), `[127.0.0.1]:${port} ${hostKey.public}\n`);
  const key = protocol === 'sftp' ? ['--key', join(home, 'host_key')] : [];
  const running = await startProcess({
    command: join(tree, 'usr/bin/rclone'),
    args: [
      ...['serve', protocol, join(home, 'data'), '--config', join(home, 'rclone.conf')],
      ...['--addr', `127.0.0.1:${port}`, '--user', USER, '--pass', PASSWORD, '--vfs-cache-mode', 'off', ...key],
    ],
    env: { ...process.env, HOME: home },
    isReady: () => (protocol === 'webdav' ? answers(`http://127.0.0.1:${port}/`) : accepts(port)),
  });
  return {
    address:
      protocol === 'webdav' ? `webdav://${USER}@127.0.0.1:${port}/models` : `sftp://${USER}@127.0.0.1:${port}/models`,
    env: {
      INGOT_WEBDAV_PASSWORD: PASSWORD,
      INGOT_SFTP_PASSWORD: PASSWORD,
      INGOT_SFTP_KNOWN_HOSTS: join(home, 'known_hosts'),
      HOME: home,
    },
    port,
    close: async () => {
      await running.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
