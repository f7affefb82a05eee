/** A day's work on storages other than a directory, configured by `.env` and with no server of Ingot's in between. */

import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeAll, describe, expect, it } from 'vitest';
import { startApache } from '../../packages/core/test/servers/apache.ts';
import { startAzurite } from '../../packages/core/test/servers/azurite.ts';
import { startFakeGcs } from '../../packages/core/test/servers/fake-gcs.ts';
import { needServer } from '../../packages/core/test/servers/need-server.ts';
import { startOpenssh } from '../../packages/core/test/servers/openssh.ts';
import { startS3rver } from '../../packages/core/test/servers/s3rver.ts';
import type { TestServer } from '../../packages/core/test/servers/server.ts';
import { startVersitygw } from '../../packages/core/test/servers/versitygw.ts';
import { worldOf } from '../world.ts';
import { ADDER } from './adder.ts';
import { buildOnce } from './build-once.ts';
import { BINARY, runIngot, workDirectory } from './run-case.ts';

const PACKAGE = {
  ...ADDER,
  'rows.json': '[{"a": 1, "b": 2}]',
};

beforeAll(buildOnce);

/** What `worldOf` says of the store must not hide what `.env` says. */
function environment(cwd: string): Record<string, string> {
  const { INGOT_REGISTRY: _, ...rest } = worldOf(cwd);
  return rest;
}

/** Variables of a test server as people would write them, those first that a project's file may not hold. */
function configure(cwd: string, { address, env }: Pick<TestServer, 'address' | 'env'>): Record<string, string> {
  const own = ['INGOT_SFTP_KEY', 'INGOT_SFTP_KNOWN_HOSTS', 'HOME'];
  const lines = Object.entries({ INGOT_REGISTRY: `${address.replace(/\/$/, '')}/team`, ...env }).filter(
    ([name]) => !own.includes(name),
  );
  writeFileSync(join(cwd, '.env'), lines.map(([name, text]) => `${name}='${text}'\n`).join(''));
  return Object.fromEntries(Object.entries(env).filter(([name]) => own.includes(name) && name !== 'HOME'));
}

async function follow(
  cwd: string,
  env: Record<string, string>,
): Promise<{ next(): Promise<string>; stop(): Promise<void> }> {
  const child = spawn(process.execPath, [BINARY, 'pull', 'add@production', '--cached', '--follow', '--quiet'], {
    cwd,
    env: { ...environment(cwd), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    next: async () => String((await lines.next()).value),
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

const STORAGES = [
  ['S3 (versitygw)', startVersitygw],
  ['Google Cloud Storage (fake-gcs-server)', startFakeGcs],
  ['Azure Blob Storage (azurite)', startAzurite],
  ['WebDAV (apache)', startApache],
  ['SFTP (openssh)', startOpenssh],
] as const;

for (const [name, start] of STORAGES) {
  await needServer<TestServer>(name, start, (server) => {
    describe(`a registry in ${name}`, () => {
      it('takes, moves, tells and gives back models, as a directory does', async () => {
        using work = workDirectory(PACKAGE);
        const cwd = work.path;
        const own = configure(cwd, server);
        const ingot = async (...words: string[]): Promise<string> => {
          const { status, stdout, stderr } = await runIngot(words, { cwd, env: { INGOT_REGISTRY: '', ...own } });
          expect(status, `${words.join(' ')}: ${stderr}`).toBe(0);
          return stdout;
        };
        expect(JSON.parse(await ingot('push', 'add', '--alias', 'production', '--json'))).toMatchObject({
          ref: 'add:1',
          existed: false,
        });
        const following = await follow(cwd, own);
        try {
          expect(await following.next()).toBe('add:1');
          writeFileSync(join(cwd, 'add/weights.txt'), '0.5\n');
          expect(await ingot('push', 'add', '--quiet')).toBe('add:2\n');
          await ingot('promote', 'add:2');
          expect(await following.next()).toBe('add:2');
        } finally {
          await following.stop();
        }
        await ingot('rollback', 'add', '-m', 'too slow');
        expect(JSON.parse(await ingot('show', 'add@production', '--json'))).toMatchObject({ version: { number: 1 } });
        expect(await ingot('ls', '--quiet')).toBe('add\n');
        expect(await ingot('history', 'add')).toMatch(/production moved from 2 to 1 +“too slow”/);
        expect(await ingot('__complete', 'show', 'ad')).toBe('add\n');
        await ingot('pull', 'add:2', '-o', 'back');
        expect(readFileSync(join(cwd, 'back/weights.txt'), 'utf8')).toBe('0.5\n');
        await ingot('rm', 'add', '--yes');
        expect(await ingot('ls', '--quiet')).toBe('');
      });
    });
  });
}

await needServer('versitygw', startVersitygw, (server) => {
  describe('a registry in S3', () => {
    it('says what to set where the credentials are wrong, and which bucket was meant where there is none', async () => {
      using directory = workDirectory({});
      const run = (env: Readonly<Record<string, string>>) =>
        runIngot(['ls'], {
          cwd: directory.path,
          env: { ...server.env, INGOT_REGISTRY: `${server.address}/team`, ...env },
        });
      const wrong = await run({ AWS_SECRET_ACCESS_KEY: 'not-the-secret' });
      expect(wrong.status).toBe(4);
      expect(wrong.stderr).toMatch(/AWS_SECRET_ACCESS_KEY/);
      expect(wrong.stderr).not.toMatch(/not-the-secret/);
      const missing = await run({ INGOT_REGISTRY: 's3://modles/team' });
      expect(missing.status).toBe(3);
      expect(missing.stderr).toMatch(/no bucket "modles"[\s\S]*models/);
    });

    it('answers predictions, and from the cache when it is away', async () => {
      using work = workDirectory(PACKAGE);
      const cwd = work.path;
      configure(cwd, server);
      const run = (...words: string[]) => runIngot(words, { cwd, env: { INGOT_REGISTRY: '', INGOT_ENV: 'none' } });
      expect((await run('push', 'add')).status).toBe(0);
      const predicted = await run('predict', 'add', '-f', 'rows.json', '--json');
      expect(JSON.parse(predicted.stdout), predicted.stderr).toMatchObject({ predictions: [3] });
      configure(cwd, { ...server, env: { ...server.env, INGOT_RETRIES: '1' } });
      await server.close();
      const again = await run('pull', 'add', '--cached', '--json');
      expect(JSON.parse(again.stdout)).toMatchObject({ ref: 'add:1', staleSince: expect.any(String) });
      expect((await run('ls')).status).toBe(7);
    });
  });
});

await needServer('s3rver', startS3rver, (server) => {
  describe('a storage that overwrites', () => {
    it('takes no push, and doctor says what is wrong and what to do', async () => {
      using work = workDirectory(PACKAGE);
      const cwd = work.path;
      configure(cwd, server);
      const run = (...words: string[]) => runIngot(words, { cwd, env: { INGOT_REGISTRY: '' } });
      const pushed = await run('push', 'add', '--json');
      expect(pushed.status).toBe(6);
      expect(JSON.parse(pushed.stderr).error).toMatchObject({
        code: 'refused',
        message: expect.stringMatching(/create-if-absent is not honoured/),
      });
      const { checks } = JSON.parse((await run('doctor', '--json')).stdout);
      expect(checks).toContainEqual(
        expect.objectContaining({
          name: 'create-if-absent',
          status: 'failed',
          fix: expect.stringMatching(/If-None-Match/),
        }),
      );
    });
  });
});

it('a file of the working directory that names an unsafe variable is passed over, with a warning', async () => {
  using work = workDirectory({
    '.env': 'INGOT_REGISTRY=s3://models\nAWS_CONFIG_FILE=evil\nAWS_REGION=eu-central-1\n',
    evil: '[default]\ncredential_process = touch stolen\n',
  });
  const { stderr } = await runIngot(['ls'], {
    cwd: work.path,
    env: { INGOT_REGISTRY: '', AWS_ENDPOINT_URL: 'http://127.0.0.1:1', AWS_EC2_METADATA_DISABLED: 'true' },
  });
  expect(stderr).toMatch(/AWS_CONFIG_FILE is not read from \.env/);
  expect(existsSync(join(work.path, 'stolen'))).toBe(false);
});
