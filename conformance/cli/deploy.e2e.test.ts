import { execFile, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { worldOf } from '../world.ts';
import { ADDER } from './adder.ts';
import { buildOnce } from './build-once.ts';
import { BINARY, runIngot, workDirectory } from './run-case.ts';
import { up } from './up.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const IMAGE = `registry.invalid/ingot:1@${DIGEST}`;

beforeAll(buildOnce);

describe('ingot deploy', () => {
  it('names a version that stays by its digest, and an alias by its name', async () => {
    using directory = workDirectory(ADDER);
    const { path: cwd } = directory;
    await using server = await up(cwd);
    const env = { INGOT_REGISTRY: server.said.url ?? '' };
    await runIngot(['push', 'add', '--alias', 'production'], { cwd, env });
    const deploy = async (source: string) => {
      const { stdout, stderr, status } = await runIngot(['deploy', 'kubernetes', source, '--image', IMAGE], {
        cwd,
        env,
      });
      expect([status, stderr]).toEqual([0, expect.stringContaining('kubectl create secret generic add-credentials')]);
      const objects = parseAllDocuments(stdout).map((document) => document.toJS());
      return {
        settings: objects.find(({ kind }) => kind === 'ConfigMap').data,
        annotations: objects.find(({ kind }) => kind === 'Deployment').spec.template.metadata.annotations,
      };
    };
    const fixed = await deploy('add:1');
    expect(fixed.settings.INGOT_MODELS).toMatch(/^add@sha256:[0-9a-f]{64}$/);
    expect(fixed.settings.INGOT_REGISTRY).toBe(server.said.url);
    expect(fixed.settings.INGOT_MODELS).toBe(`add@${fixed.annotations['ingot.dev/digest']}`);
    expect(fixed.annotations['ingot.dev/version']).toBe('1');
    const followed = await deploy('add@production');
    expect(followed.settings.INGOT_MODELS).toBe('add@production');
    expect(followed.annotations).not.toHaveProperty('ingot.dev/version');
    const missing = await runIngot(['deploy', 'kubernetes', 'add:7', '--image', IMAGE], { cwd, env });
    expect(missing.status).toBe(3);
  });

  it('writes files, again only those that change, and never over somebody’s own', async () => {
    using directory = workDirectory();
    const { path: cwd } = directory;
    const words = (...more: string[]) => [
      'deploy',
      'kserve',
      'add:1',
      '--image',
      IMAGE,
      '-o',
      'out',
      '--json',
      ...more,
    ];
    const env = { INGOT_REGISTRY: 'https://models.invalid', INGOT_OFFLINE: '1' };
    const run = async (...more: string[]) => {
      const { stdout, stderr } = await runIngot(words(...more), { cwd, env });
      if (stdout === '') throw new Error(stderr);
      const files: readonly { readonly path: string; readonly written: string }[] = JSON.parse(stdout).files;
      return Object.fromEntries(files.map(({ path, written }) => [path, written]));
    };
    expect(new Set(Object.values(await run()))).toEqual(new Set(['new']));
    expect(new Set(Object.values(await run()))).toEqual(new Set(['same']));
    expect((await run('--max', '3'))['inferenceservice.yaml']).toBe('changed');
    const baked = await runIngot(words('--baked'), { cwd, env });
    expect(JSON.parse(baked.stdout).left).toEqual(['clusterstoragecontainer.yaml', 'servingruntime.yaml']);
    writeFileSync(join(cwd, 'out/kustomization.yaml'), 'resources: []\n');
    const refused = await runIngot(words(), { cwd, env });
    expect([refused.status, refused.stderr]).toEqual([5, expect.stringContaining('kustomization.yaml')]);
    expect(readFileSync(join(cwd, 'out/kustomization.yaml'), 'utf8')).toBe('resources: []\n');
  });

  it.each([
    ['a directory of this machine', ['--image', IMAGE], 2, 'which no container reaches'],
    ['a secret in the address', ['--image', IMAGE, '--registry', 'webdavs://u:hush@h/models'], 6, 'holds a secret'],
    ['a secret among the variables', ['--image', IMAGE, '--baked', '--set', 'AWS_SECRET_ACCESS_KEY=hush'], 6, 'secret'],
    ['a secret of others', ['--image', IMAGE, '--baked', '--set', 'INGOT_OCI_PASSWORD=hush'], 6, 'secret'],
    ['a port that no probe asks', ['--image', IMAGE, '--baked', '--set', 'INGOT_PORT=9000'], 2, 'listen on 8080'],
    ['an image without a host', ['--image', 'churn:7', '--baked'], 2, '--image'],
    ['a name that is none', ['--image', IMAGE, '--baked', '--name', 'Add_1'], 2, 'add-1'],
    ['two ways at once', ['--image', IMAGE, '--baked', '--model-image', IMAGE], 2, 'exclude each other'],
    ['both kinds of scale', ['--image', IMAGE, '--baked', '--replicas', '2', '--max', '3'], 2, 'excludes'],
    ['no memory', ['--image', IMAGE, '--baked', '--memory', '0'], 2, '--memory'],
  ])('refuses %s', async (_, words, status, says) => {
    using directory = workDirectory();
    const ended = await runIngot(['deploy', 'kubernetes', 'add:1', ...words], {
      cwd: directory.path,
      env: { INGOT_OFFLINE: '1' },
    });
    expect([ended.status, ended.stderr]).toEqual([status, expect.stringContaining(says)]);
    expect(ended.stdout + ended.stderr).not.toContain('hush');
  });

  it('writes no secret of a plain address', async () => {
    using directory = workDirectory();
    const words = ['deploy', 'systemd', 'https://ana:hush@models.invalid/churn.pkl'];
    const ended = await runIngot(words, { cwd: directory.path });
    expect([ended.status, ended.stderr]).toEqual([6, expect.stringContaining('holds a secret')]);
    expect(ended.stdout + ended.stderr).not.toContain('hush');
  });

  it('writes a unit that systemd takes, for a program that is there', async () => {
    using directory = workDirectory();
    const { path: cwd } = directory;
    const program = join(cwd, 'in got');
    writeFileSync(program, '#!/bin/sh\n');
    chmodSync(program, 0o755);
    const words = ['deploy', 'systemd', 'add@production', '--program', program, '--cpu', '500m:2', '-o', 'units'];
    const told = await runIngot([...words, '--set', 'A=50%h "$x"'], { cwd, env: { INGOT_OFFLINE: '1' } });
    expect(told.stderr).toContain(`${program} is hidden from the unit`);
    const verify = promisify(execFile)('systemd-analyze', ['verify', '--man=no', join(cwd, 'units/ingot-add.service')]);
    const said = await verify.catch((error: Error & { readonly code?: string; readonly stderr?: string }) => {
      if (error.code === 'ENOENT') return { stderr: '' };
      throw error;
    });
    expect(said.stderr).not.toContain('ingot-add');
  });
});

/** A model server as the runtime of KServe starts it; what there was of store and cache it does not find. */
async function serveBaked(cwd: string, where: string): Promise<AsyncDisposable & { readonly url: string }> {
  const words = [BINARY, 'serve', `baked:${where}`, '--port', '0', '--env', 'none', '--json'];
  const env = { ...worldOf(cwd), INGOT_REGISTRY: '/nowhere', INGOT_CACHE: join(cwd, 'empty') };
  const child = spawn(process.execPath, words, { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const { value } = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  return {
    url: JSON.parse(value).url,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

describe('ingot storage-initializer, as KServe calls it', () => {
  const initializer = (cwd: string, ...words: string[]) => runIngot(['storage-initializer', ...words], { cwd });

  it('fills directories, from which a model server answers without registry, cache or network', async () => {
    using directory = workDirectory(ADDER);
    const { path: cwd } = directory;
    await runIngot(['push', 'add', '--name', 'team/add', '--alias', 'production'], { cwd });
    mkdirSync(join(cwd, 'mnt/models'), { recursive: true });
    const words = ['ingot://team/add@production', 'mnt/models', 'ingot://team/add:1', 'mnt/other'];
    const first = await initializer(cwd, ...words, '--json');
    expect([first.status, JSON.parse(first.stdout).models]).toMatchObject([
      0,
      [{ ref: 'team/add:1', existed: false }, {}],
    ]);
    for (const where of ['mnt/models', 'mnt/other']) {
      await using served = await serveBaked(cwd, where);
      const answer = await fetch(`${served.url}/predict/team%2Fadd`, { method: 'POST', body: '[{"a": 1, "b": 2}]' });
      expect(await answer.json()).toMatchObject({ predictions: [3], model: 'team/add', version: '1' });
    }
    const again = await initializer(cwd, ...words, '--json');
    expect(JSON.parse(again.stdout).models).toMatchObject([{ existed: true }, { existed: true }]);
    truncateSync(join(cwd, 'mnt/models/interface.py'), 3);
    const mended = await initializer(cwd, ...words, '--json');
    expect(JSON.parse(mended.stdout).models).toMatchObject([{ existed: false }, { existed: true }]);
  });

  it.each([
    [['s3://bucket/model', '/tmp/x'], 2, 'ingot://'],
    [['ingot://add'], 2, 'followed by the directory'],
    [['ingot://../../etc', 'x'], 2, 'not a model name'],
    [['ingot://add@production', 'x'], 3, 'store'],
  ])('%j ends with %i', async (words, status, says) => {
    using directory = workDirectory();
    const ended = await initializer(directory.path, ...words);
    expect([ended.status, ended.stderr]).toEqual([status, expect.stringContaining(says)]);
  });
});

it('what is deployed is read back by a YAML reader as it was meant', () => {
  const manifest = new URL('../../deploy/kustomize/kserve/clusterstoragecontainer.yaml', import.meta.url);
  const { spec } = parse(readFileSync(manifest, 'utf8'));
  expect(spec.supportedUriFormats).toEqual([{ prefix: 'ingot://' }]);
  expect(spec.container).toMatchObject({ name: 'storage-initializer', command: ['ingot', 'storage-initializer'] });
});
