import { spawn } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeAll, describe, expect, it } from 'vitest';
import { worldOf } from '../world.ts';
import { buildOnce } from './build-once.ts';
import { BINARY, runIngot, workDirectory } from './run-case.ts';

beforeAll(buildOnce);

/** Starts a command that is going to be told to stop. */
function start(cwd: string, ...words: string[]) {
  const child = spawn(process.execPath, [BINARY, ...words], { cwd, env: worldOf(cwd), stdio: 'pipe' });
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { child, ended, said: () => stderr, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** How many packs stand in a store, of any upload. */
function packsIn(store: string): number {
  const packs = join(store, 'packs');
  if (!existsSync(packs)) return 0;
  return readdirSync(packs).reduce((sum, upload) => sum + readdirSync(join(packs, upload)).length, 0);
}

/** Writes a file in which no two pieces are the same. */
function writeNoise(path: string, sizeBytes: number): void {
  const file = openSync(path, 'w');
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  const zeros = Buffer.alloc(4 * 1024 * 1024);
  for (let at = 0; at < sizeBytes; at += zeros.length) writeSync(file, cipher.update(zeros));
  closeSync(file);
}

describe('a command that is interrupted', () => {
  it('exits 130 in the middle of a push, and no version and no half of one is there', async () => {
    using directory = workDirectory({ 'small.bin': 'x' });
    writeNoise(join(directory.path, 'big.bin'), 400_000_000);
    const push = start(directory.path, 'push', 'big.bin', '--name', 'big');
    await until(() => packsIn(join(directory.path, 'store')) > 1 || push.child.exitCode !== null);
    push.child.kill('SIGINT');
    expect(await push.ended, push.said()).toBe(130);
    expect(push.said()).toMatch(
      /(^|\n)interrupted\n {2}try {11}the same command again; it goes on where this one stopped\n$/,
    );
    const { stdout } = await runIngot(['ls', '--json'], { cwd: directory.path });
    expect(JSON.parse(stdout)).toEqual({ models: [] });
    expect((await runIngot(['push', 'small.bin', '--name', 'big', '--quiet'], { cwd: directory.path })).stdout).toBe(
      'big:1\n',
    );
  });

  it('ends a follower with its first line told, by a signal or when its parent closes the pipe', async () => {
    using directory = workDirectory({ 'small.bin': 'x', 'other.bin': 'y' });
    await runIngot(['push', 'small.bin', '--name', 'm', '--alias', 'production'], { cwd: directory.path });
    const follower = start(directory.path, 'pull', 'm@production', 'gone', '--cached', '--follow', '--json');
    const first = [await follower.lines.next(), await follower.lines.next()].map(({ value }) => JSON.parse(value));
    expect(first).toContainEqual(expect.objectContaining({ source: 'm@production', version: 1, staleSince: null }));
    expect(first).toContainEqual({ source: 'gone', error: expect.objectContaining({ code: 'model-not-found' }) });
    await runIngot(['push', 'other.bin', '--name', 'm', '--alias', 'production'], { cwd: directory.path });
    expect(JSON.parse((await follower.lines.next()).value)).toMatchObject({ source: 'm@production', version: 2 });
    follower.child.stdin.end();
    expect(await follower.ended, follower.said()).toBe(0);

    const another = start(directory.path, 'pull', 'm@production', '--cached', '--follow', '--quiet');
    expect((await another.lines.next()).value).toBe('m:2');
    another.child.kill('SIGINT');
    expect(await another.ended, another.said()).toBe(0);
  });

  it.skipIf(!existsSync('/dev/full'))('that cannot write its result is a failure', async () => {
    using directory = workDirectory({ 'small.bin': 'x' });
    await runIngot(['push', 'small.bin', '--name', 'm'], { cwd: directory.path });
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [BINARY, 'ls', '--json'], {
      cwd: directory.path,
      env: worldOf(directory.path),
      stdio: ['ignore', full, 'pipe'],
    });
    closeSync(full);
    let stderr = '';
    child.stderr?.on('data', (data) => {
      stderr += data;
    });
    expect(await new Promise((resolve) => child.on('close', resolve)), stderr).toBe(7);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'disk-full' } });
  });

  it.skipIf(!existsSync('/dev/full'))('that cannot write its help says so in one line', async () => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [BINARY, '--help'], { stdio: ['ignore', full, 'pipe'] });
    closeSync(full);
    let stderr = '';
    child.stderr?.on('data', (data) => {
      stderr += data;
    });
    expect(await new Promise((resolve) => child.on('close', resolve)), stderr).toBe(7);
    expect(stderr).toMatch(/^error\[disk-full\]: [^\n]+\n$/);
  });

  it('says nothing of a reader that stops reading', async () => {
    using directory = workDirectory();
    const shell = spawn('sh', ['-c', `"${process.execPath}" "${BINARY}" completion bash | true`], {
      cwd: directory.path,
      env: worldOf(directory.path),
    });
    let stderr = '';
    shell.stderr.on('data', (data) => {
      stderr += data;
    });
    await new Promise((resolve) => shell.on('close', resolve));
    expect(stderr).toBe('');
  });
});
