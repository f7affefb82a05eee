/** Contents through `ingot up`, as processes: on a directory and on S3, with accounts, on bad lines, and killed on the way. */

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeAll, describe, expect, it } from 'vitest';
import { needServer } from '../../packages/core/test/servers/need-server.ts';
import { startToxiproxy } from '../../packages/core/test/servers/toxiproxy.ts';
import { startVersitygw } from '../../packages/core/test/servers/versitygw.ts';
import { worldOf } from '../world.ts';
import { buildOnce } from './build-once.ts';
import { BINARY, type Finished, runIngot, workDirectory } from './run-case.ts';

const MIB = 1024 * 1024;
const PASSWORD = 'a password that is long';

beforeAll(buildOnce);

interface Up extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  kill(): Promise<void>;
}

/** Starts a registry server over the store of a directory, or the one that `env` names. */
async function up(
  cwd: string,
  { env = {}, port = 0 }: { env?: Record<string, string>; port?: number } = {},
): Promise<Up> {
  const state = join(cwd, 'state');
  const words = [BINARY, 'up', '--port', String(port), '--json'];
  const child = spawn(process.execPath, words, {
    cwd,
    env: { ...worldOf(cwd), INGOT_STATE: state, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const first: string = await new Promise((resolve, reject) => {
    lines.once('line', resolve);
    child.once('close', (status) => reject(new Error(`ingot up ended with ${status}`)));
  });
  const { url }: { url: string } = JSON.parse(first);
  const end = (signal: NodeJS.Signals): Promise<void> => ended(child, signal);
  return {
    url,
    port: Number(new URL(url).port),
    kill: () => end('SIGKILL'),
    [Symbol.asyncDispose]: () => end('SIGTERM'),
  };
}

function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('close', () => resolve());
    child.kill(signal);
  });
}

interface Pushed {
  readonly ref: string;
  readonly version: number;
  readonly bytes: { readonly new: number; readonly stored: number; readonly written: number };
}

async function push(cwd: string, path: string, name: string, env: Record<string, string>): Promise<Pushed> {
  const { stdout, stderr, status } = await runIngot(['push', path, '--name', name, '--json'], { cwd, env });
  expect([status, stderr]).toEqual([0, expect.anything()]);
  return JSON.parse(stdout);
}

async function code(finished: Promise<Finished>): Promise<string> {
  const { stderr } = await finished;
  return /"code":"([^"]*)"/.exec(stderr)?.[1] ?? stderr;
}

function model(cwd: string, name: string, bytes: Buffer): void {
  mkdirSync(join(cwd, name), { recursive: true });
  writeFileSync(join(cwd, name, 'weights.bin'), bytes);
  writeFileSync(join(cwd, name, 'notes.txt'), 'the same for all');
}

async function pulls(cwd: string, reference: string, env: Record<string, string>): Promise<Buffer> {
  const output = `out-${randomBytes(4).toString('hex')}`;
  const { status, stderr } = await runIngot(['pull', reference, '-o', output], {
    cwd,
    env: { ...env, INGOT_CACHE: join(cwd, output, '..', `cache-${output}`) },
  });
  expect([status, stderr]).toEqual([0, expect.anything()]);
  return readFileSync(join(cwd, output, 'weights.bin'));
}

/** A line that counts what goes to the server. */
async function counting(port: number): Promise<AsyncDisposable & { readonly port: number; sent(): number }> {
  let sent = 0;
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    const on = connect(port, '127.0.0.1');
    socket.on('data', (bytes) => {
      sent += bytes.byteLength;
    });
    socket.pipe(on).pipe(socket);
    for (const end of [socket, on]) {
      open.add(end);
      // A side that waits for a server that was killed is not read any more, and would not see that the other has gone.
      end.once('close', () => {
        for (const other of [socket, on]) open.delete(other.destroy());
      });
      end.on('error', () => {});
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    sent: () => sent,
    [Symbol.asyncDispose]: () => {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Everything a day does; `direct` is whether the storage signs addresses. */
async function day(cwd: string, server: Up, direct: boolean): Promise<void> {
  await using line = await counting(server.port);
  const env = { INGOT_REGISTRY: `http://127.0.0.1:${line.port}` };
  const weights = randomBytes(8 * MIB);
  model(cwd, 'one', weights);
  expect((await push(cwd, 'one', 'churn', env)).ref).toBe('churn:1');
  const changed = Buffer.from(weights);
  randomBytes(160_000).copy(changed, 3 * MIB);
  model(cwd, 'two', changed);
  const whole = line.sent();
  if (direct) expect(whole).toBeLessThan(MIB);
  else expect(whole).toBeGreaterThan(8 * MIB);
  const second = await push(cwd, 'two', 'churn', env);
  expect(second.bytes.written).toBeLessThan(0.06 * changed.byteLength);
  expect(line.sent() - whole).toBeLessThan(0.06 * changed.byteLength);
  const before = line.sent();
  const other = await push(cwd, 'one', 'other', env);
  expect(other.bytes.new).toBe(0);
  expect(line.sent() - before).toBeLessThan(150_000);
  expect((await pulls(cwd, 'churn:2', env)).equals(changed)).toBe(true);
  expect((await pulls(cwd, 'other', env)).equals(weights)).toBe(true);
}

describe('contents through a registry server', () => {
  it('over a directory: only what changed is sent, and what another model has is not', async () => {
    using directory = workDirectory();
    await using server = await up(directory.path);
    await day(directory.path, server, false);
    const { path: cwd } = directory;
    const mirrored = async (): Promise<unknown> => {
      const { stdout, stderr } = await runIngot(['mirror', server.url, 'standby', '--json'], { cwd });
      return JSON.parse(stdout || stderr);
    };
    expect(await mirrored()).toMatchObject({ models: 2, versions: { new: 3, there: 0 } });
    expect(await mirrored()).toMatchObject({ models: 2, versions: { new: 0, there: 3 } });
    expect((await pulls(cwd, 'churn:2', { INGOT_REGISTRY: join(cwd, 'standby') })).byteLength).toBe(8 * MIB);
    expect(await code(runIngot(['mirror', 'store', server.url, '--json'], { cwd }))).toBe('usage');
  });

  it('with accounts: everybody reaches what was granted and nothing else', async () => {
    using directory = workDirectory();
    const cwd = directory.path;
    await using server = await up(cwd);
    const env = { INGOT_REGISTRY: server.url };
    const account = await runIngot(['account', 'add', 'boss', '--role', 'admin'], { cwd, env, stdin: `${PASSWORD}\n` });
    expect([account.status, account.stderr]).toEqual([0, expect.anything()]);
    const login = await runIngot(['login', '--name', 'boss'], { cwd, env, stdin: `${PASSWORD}\n` });
    expect([login.status, login.stderr]).toEqual([0, expect.anything()]);
    const token = async (name: string, role: string, scope: string): Promise<Record<string, string>> => {
      const words = ['token', 'create', name, '--service', '--role', role, '--on', scope, '--json'];
      const { stdout, stderr } = await runIngot(words, { cwd, env });
      const { token: text } = JSON.parse(stdout || stderr);
      return { INGOT_REGISTRY: server.url, INGOT_TOKEN: text, HOME: join(cwd, `home-${name}`) };
    };
    const [reader, pusher] = [await token('reader', 'reader', 'team/'), await token('pusher', 'pusher', 'mine')];
    const weights = randomBytes(2 * MIB);
    model(cwd, 'one', weights);
    await push(cwd, 'one', 'team/secret', env);
    expect((await pulls(cwd, 'team/secret', reader)).equals(weights)).toBe(true);
    const denied = (words: readonly string[], who: Record<string, string>) =>
      code(runIngot([...words, '--json'], { cwd, env: who }));
    expect(await denied(['push', 'one', '--name', 'team/secret'], reader)).toBe('forbidden');
    expect(await denied(['pull', 'team/secret', '-o', 'x'], pusher)).toBe('model-not-found');
    const nobody = { INGOT_REGISTRY: server.url, HOME: join(cwd, 'home-nobody') };
    expect(await denied(['pull', 'team/secret', '-o', 'x'], nobody)).toBe('unauthenticated');
    const mine = await push(cwd, 'one', 'mine', pusher);
    expect(mine.bytes.new).toBeGreaterThan(weights.byteLength);
    expect((await pulls(cwd, 'mine', pusher)).equals(weights)).toBe(true);
  });

  it('a push that is killed is gone on with, and no half version is there', async () => {
    using directory = workDirectory();
    const cwd = directory.path;
    await using server = await up(cwd);
    const weights = randomBytes(48 * MIB);
    model(cwd, 'one', weights);
    await using line = await counting(server.port);
    const env = { INGOT_REGISTRY: `http://127.0.0.1:${line.port}` };
    const child = spawn(process.execPath, [BINARY, 'push', 'one', '--name', 'churn'], {
      cwd,
      env: { ...worldOf(cwd), ...env },
      stdio: 'ignore',
    });
    await until(() => packsNoted(cwd) >= 4);
    await ended(child, 'SIGKILL');
    expect(await code(runIngot(['show', 'churn', '--json'], { cwd, env }))).toMatch(/not-found/);
    const before = line.sent();
    await push(cwd, 'one', 'churn', env);
    expect(line.sent() - before).toBeLessThan(40 * MIB);
    expect((await pulls(cwd, 'churn', env)).equals(weights)).toBe(true);
  });

  it('a server that is killed and started anew in the middle of a push does not fail it', async () => {
    using directory = workDirectory();
    const cwd = directory.path;
    const first = await up(cwd);
    const weights = randomBytes(48 * MIB);
    model(cwd, 'one', weights);
    const env = { INGOT_REGISTRY: first.url };
    await push(cwd, 'one', 'warm', env);
    randomBytes(32 * MIB).copy(weights);
    model(cwd, 'one', weights);
    await using line = await counting(first.port);
    const pushing = push(cwd, 'one', 'churn', { INGOT_REGISTRY: `http://127.0.0.1:${line.port}` });
    await Promise.race([until(() => line.sent() > 12 * MIB), pushing]);
    await first.kill();
    await using second = await up(cwd, { port: first.port });
    expect((await pushing).ref).toBe('churn:1');
    expect((await pulls(cwd, 'churn', { INGOT_REGISTRY: second.url })).equals(weights)).toBe(true);
    const checked = await runIngot(['check', '--read-data'], { cwd });
    expect([checked.status, checked.stdout]).toEqual([0, expect.anything()]);
  });
});

await needServer('toxiproxy', startToxiproxy, (toxiproxy) => {
  describe('contents on a bad line', () => {
    it('a pull and a push go on where they were cut', async () => {
      using directory = workDirectory();
      const cwd = directory.path;
      await using server = await up(cwd);
      const weights = randomBytes(16 * MIB);
      model(cwd, 'one', weights);
      const cut = (stream: 'upstream' | 'downstream') =>
        toxiproxy.line(server.port, [{ type: 'limit_data', stream, toxicity: 1, attributes: { bytes: 5 * MIB } }]);
      const [upward, downward] = [await cut('upstream'), await cut('downstream')];
      await push(cwd, 'one', 'churn', { INGOT_REGISTRY: `http://127.0.0.1:${upward.port}` });
      const env = { INGOT_REGISTRY: `http://127.0.0.1:${downward.port}` };
      expect((await pulls(cwd, 'churn', env)).equals(weights)).toBe(true);
    });
  });
});

await needServer(
  'versitygw',
  () => startVersitygw({ versioning: false }),
  (s3) => {
    describe('contents through a registry server over S3', () => {
      for (const direct of [true, false]) {
        it(
          direct ? 'go straight to the bucket, by signed addresses' : 'go through the server where that is wanted',
          async () => {
            using directory = workDirectory();
            const cwd = directory.path;
            const env = { ...s3.env, INGOT_REGISTRY: `${s3.address}/${direct ? 'direct' : 'through'}` };
            await using server = await up(cwd, { env: direct ? env : { ...env, INGOT_DIRECT: 'no' } });
            await day(cwd, server, direct);
          },
        );
      }
    });
  },
);

/** How many packs a push has written down as sent. */
function packsNoted(cwd: string): number {
  const cache = join(cwd, 'cache');
  if (!existsSync(cache)) return 0;
  const journals = readdirSync(cache, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /uploads.[0-9a-f]+\.json$/.test(name),
  );
  return journals.flatMap((name) => readFileSync(join(cache, name), 'utf8').match(/[0-9a-f]{32}\/\d+/g) ?? []).length;
}

async function until(is: () => boolean): Promise<void> {
  for (const endsAt = performance.now() + 60_000; !is() && performance.now() < endsAt; )
    await new Promise((resolve) => setTimeout(resolve, 5));
}
