import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { testServer } from '../../../../scripts/lib/servers/test-servers.mjs';
import { librariesOf } from '../../../../scripts/lib/servers/tools.mjs';
import { freePort, startProcess, type TestServer } from './server.ts';

// Not nobody, whose account counts as locked where systemd answers for it.
const DAEMON = { uid: 1, gid: 1, username: 'daemon' };

/** OpenSSH, the directory that it serves, and who may log in. */
export interface OpensshServer extends TestServer {
  readonly user: string;
  readonly directory: string;
  /** The host's public key, as a line of `authorized_keys` has it. */
  readonly hostKey: string;
  /** A directory for files that a test writes: other keys, other known hosts. */
  readonly home: string;
}

/** Starts Debian's OpenSSH with its own SFTP, as a user that is not root, with an account for one key. */
export async function startOpenssh(): Promise<OpensshServer> {
  const tree = await testServer('openssh');
  const isRoot = process.getuid?.() === 0;
  const user = isRoot ? DAEMON : userInfo();
  const home = await mkdtemp(join(tmpdir(), 'ingot-openssh-'));
  const directory = join(home, 'data');
  await mkdir(directory);
  const [hostKey, userKey] = [ssh2.utils.generateKeyPairSync('ed25519'), ssh2.utils.generateKeyPairSync('ed25519')];
  const port = await freePort();
  const files = {
    host_key: hostKey.private,
    user_key: userKey.private,
    authorized_keys: `${userKey.public}\n`,
    known_hosts: `[127.0.0.1]:* ${hostKey.public}\n`,
    config: configuration(home, port),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(home, name), text, { mode: 0o600 });
  // As root it would need an account and a directory of its own on this machine.
  if (isRoot) {
    await chmod(home, 0o755);
    for (const name of ['data', ...Object.keys(files)]) await chown(join(home, name), user.uid, user.gid);
  }
  const sshd = [join(tree, 'usr/sbin/sshd'), '-D', '-e', '-r', '-f', join(home, 'config')];
  const drop = ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'];
  const [command = '', ...args] = isRoot ? [...drop, ...sshd] : sshd;
  const running = await startProcess({
    command,
    args,
    env: { ...process.env, LD_LIBRARY_PATH: librariesOf(tree) },
    isReady: () => greets(port),
    ownSession: true,
  });
  return {
    address: `sftp://${user.username}@127.0.0.1:${port}${directory}/models`,
    env: { INGOT_SFTP_KEY: join(home, 'user_key'), INGOT_SFTP_KNOWN_HOSTS: join(home, 'known_hosts') },
    port,
    user: user.username,
    directory,
    hostKey: hostKey.public,
    home,
    close: async () => {
      await running.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

function configuration(home: string, port: number): string {
  return [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${home}/host_key`,
    `AuthorizedKeysFile ${home}/authorized_keys`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'MaxStartups 100',
    'Subsystem sftp internal-sftp',
    '',
  ].join('\n');
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.once('data', () => end(true));
    socket.once('error', () => end(false));
  });
}
