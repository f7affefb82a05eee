/** `ingot mirror` as a process that is killed, or whose disk fails, at every kind of step; and as people use it. */

import { spawn } from 'node:child_process';
import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLocalBlobStore } from '@ingot/core/blob/local';
import { check } from '@ingot/core/check';
import { mirror } from '@ingot/core/mirror';
import { beforeAll, describe, expect, it } from 'vitest';
import { worldOf } from '../world.ts';
import { buildOnce } from './build-once.ts';
import { BINARY, runIngot, workDirectory } from './run-case.ts';

const FAULTY_DISK = fileURLToPath(new URL('./faulty-disk.mjs', import.meta.url));
const ENDLESS = 400;

beforeAll(buildOnce);

const FILES = {
  'one/model.bin': 'first',
  'two/model.bin': 'second',
};

const STORE = [
  ['push', 'one', '--name', 'churn', '--alias', 'production'],
  ['push', 'two', '--name', 'churn'],
  ['push', 'two', '--name', 'fraud'],
];

async function prepared(): Promise<ReturnType<typeof workDirectory>> {
  const directory = workDirectory(FILES);
  for (const words of STORE) expect((await runIngot(words, { cwd: directory.path })).status).toBe(0);
  return directory;
}

function mirrorOnFaultyDisk(cwd: string, fault: string, at: number): Promise<{ status: number | null; error: string }> {
  const env = { ...worldOf(cwd), FAULT: fault, FAULT_AT: String(at), FAULT_UNDER: join(cwd, 'standby') };
  const words = ['--import', FAULTY_DISK, BINARY, 'mirror', 'store', 'standby', '--json'];
  const child = spawn(process.execPath, words, { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let error = '';
  child.stderr.on('data', (data) => {
    error += data;
  });
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, error })));
}

async function packsOf(cwd: string): Promise<number> {
  let packs = 0;
  if (existsSync(join(cwd, 'standby')))
    for await (const { key } of createLocalBlobStore(join(cwd, 'standby')).list('packs/'))
      if (key.endsWith('.pack')) packs += 1;
  return packs;
}

/** Mirrors with a fault at some steps; after each the mirror is whole, and the next mirroring copies only the rest. */
async function sweep(fault: string, stride: number, code?: string): Promise<number> {
  using source = await prepared();
  let failures = 0;
  let next = 1;
  const hand = async (): Promise<void> => {
    for (let at = next; at < ENDLESS; at = next) {
      next += stride;
      using directory = workDirectory();
      const cwd = directory.path;
      cpSync(source.path, cwd, { recursive: true });
      const { status, error } = await mirrorOnFaultyDisk(cwd, fault, at);
      const label = `${fault} at step ${at}: ${error}`;
      const destination = createLocalBlobStore(join(cwd, 'standby'));
      if (status === 0) {
        if (fault === 'kill') next = ENDLESS;
        else if (at > 150) next = ENDLESS;
      } else {
        failures += 1;
        if (code !== undefined) expect(JSON.parse(error.trim().split('\n').at(-1) ?? '').error.code, label).toBe(code);
      }
      if (existsSync(join(cwd, 'standby', 'ingot.json')))
        expect(await check({ blobs: destination, readData: true }), label).toMatchObject({ ok: true, versions: [] });
      const there = await packsOf(cwd);
      const { packs } = await mirror({ source: createLocalBlobStore(join(cwd, 'store')), destination });
      expect(packs.new + there, label).toBe(3);
      expect(await check({ blobs: destination, readData: true }), label).toMatchObject({
        ok: true,
        checked: { versions: 3, events: 6 },
      });
    }
  };
  await Promise.all([hand(), hand()]);
  return failures;
}

describe('a mirroring', () => {
  it('that is killed at any step leaves a whole mirror, and goes on where it was', async () => {
    expect(await sweep('kill', 5)).toBeGreaterThan(12);
  });

  it('whose disk fails says why, leaves a whole mirror, and goes on where it was', async () => {
    expect(await sweep('EIO', 17)).toBeGreaterThan(3);
    expect(await sweep('ENOSPC', 13, 'disk-full')).toBeGreaterThan(3);
  });
});

/** Every command that writes, with what it needs to get there. */
const WRITERS = [
  'push one --name churn',
  'import one --name other',
  'alias set churn staging churn:1',
  'alias rm churn production',
  'promote churn:2',
  'rollback churn',
  'edit churn:1 --description text',
  'rename churn other',
  'retire churn:2',
  'rm churn:2 --yes',
  'rm churn --yes',
  'gc --keep-last 1 --yes',
];

describe('a mirror', () => {
  it('refuses every command that writes, naming where to write and how to end it; gc frees, and all reading works', async () => {
    using directory = await prepared();
    const cwd = directory.path;
    expect((await runIngot(['mirror', 'store', 'standby'], { cwd })).status).toBe(0);
    const there = { cwd, env: { INGOT_REGISTRY: join(cwd, 'standby') } };
    for (const words of WRITERS) {
      const { status, stderr } = await runIngot(words.split(' '), there);
      expect(status, `${words}: ${stderr}`).toBe(6);
      expect(stderr).toContain(`is a mirror of ${join(cwd, 'store')}`);
      expect(stderr).toContain('ingot mirror --detach');
    }
    for (const words of ['gc', 'check --read-data', 'stats', 'ls', 'show churn@production', 'pull churn -o out']) {
      const { status, stderr } = await runIngot(words.split(' '), there);
      expect(status, `${words}: ${stderr}`).toBe(0);
    }
  });

  it('takes writes once it is detached, which takes one address and cannot be done to a store', async () => {
    using directory = await prepared();
    const cwd = directory.path;
    await runIngot(['mirror', 'store', 'standby', '--model', 'churn'], { cwd });
    const there = { cwd, env: { INGOT_REGISTRY: join(cwd, 'standby') } };
    expect((await runIngot(['pull', 'fraud', '-o', 'out'], there)).stderr).toContain('in this mirror of');
    expect((await runIngot(['mirror', 'store', 'standby', '--detach'], { cwd })).status).toBe(2);
    expect((await runIngot(['mirror', 'store', '--detach'], { cwd })).status).toBe(5);
    const detached = await runIngot(['mirror', '--detach', 'standby', '--json'], { cwd });
    expect(JSON.parse(detached.stdout)).toMatchObject({ from: join(cwd, 'store'), models: 1, versions: 2 });
    expect((await runIngot(['promote', 'churn:2'], there)).status).toBe(0);
    expect((await runIngot(['mirror', 'store', 'standby'], { cwd })).status).toBe(5);
  });
});
