/** Clients of container registries as they come, against a server that asks who they are. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, test } from 'vitest';
import { testServer } from '../../../../scripts/lib/servers/test-servers.mjs';
import { librariesOf } from '../../../../scripts/lib/servers/tools.mjs';
import { needServer } from '../../../core/test/servers/need-server.ts';
import { type TrialServer, trialServer, withToken } from '../trial-server.ts';
import { imageIn, modelIn, ociClient } from './oci-client.ts';

const run = promisify(execFile);
const FILES = { 'model.bin': 'x'.repeat(400_000), 'docs/readme.md': '# A model' };
let server: TrialServer;
let host = '';
let home = '';

beforeAll(async () => {
  server = await trialServer();
  host = new URL(server.url).host;
  home = await mkdtemp(join(tmpdir(), 'ingot-oci-clients-'));
  await mkdir(join(home, 'model/docs'), { recursive: true });
  for (const [path, text] of Object.entries(FILES)) await writeFile(join(home, 'model', path), text);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(home, { recursive: true });
});

/** A client's program, started in a home of its own. */
async function client(name: 'oras' | 'crane' | 'skopeo') {
  const found = await testServer(name);
  const program = name === 'skopeo' ? join(found, 'usr/bin/skopeo') : found;
  const libraries = name === 'skopeo' ? { LD_LIBRARY_PATH: librariesOf(found) } : {};
  const ask = async (...args: string[]) => {
    const env = { PATH: process.env.PATH, HOME: home, XDG_RUNTIME_DIR: home, ...libraries };
    const { stdout } = await run(program, args, { cwd: join(home, 'model'), env });
    return stdout.trim();
  };
  return { ask, close: async () => {} };
}

const native = async (path: string) => {
  const answer = await server.ask(`/api/v1/${path}`, withToken(server.firstToken));
  return JSON.parse(await answer.text());
};

await needServer(
  'oras',
  () => client('oras'),
  ({ ask }) => {
    test('oras signs in, pushes files that become a version, and pulls them by every name', async () => {
      await ask('login', '--plain-http', host, '-u', 'any', '-p', server.firstToken);
      await ask('push', '--plain-http', `${host}/team/churn:1.2.0`, 'model.bin', 'docs/readme.md');
      await ask('tag', '--plain-http', `${host}/team/churn:1.2.0`, 'production');
      const version = await native('models/team%2Fchurn/versions/1.2.0');
      assert.deepEqual([version.number, version.aliases, version.fileCount], [1, ['production'], 2]);
      assert.deepEqual((await ask('repo', 'tags', '--plain-http', `${host}/team/churn`)).split('\n'), [
        '1',
        '1.2.0',
        'latest',
        'production',
      ]);
      for (const reference of [':1', ':production', ':latest', `@${version.manifest}`]) {
        const out = join(home, `out${reference.replace(/\W/g, '')}`);
        await ask('pull', '--plain-http', `${host}/team/churn${reference}`, '-o', out);
        for (const [path, text] of Object.entries(FILES)) assert.equal(await readFile(join(out, path), 'utf8'), text);
      }
      await ask('cp', '--from-plain-http', '--to-plain-http', `${host}/team/churn:1`, `${host}/copy/churn:5`);
      assert.equal((await native('models/copy%2Fchurn/versions/5')).manifest, version.manifest);
      await writeFile(join(home, 'model/sbom.json'), '{}');
      await ask(
        'attach',
        '--plain-http',
        '--artifact-type',
        'application/spdx+json',
        `${host}/team/churn:1`,
        'sbom.json',
      );
      assert.match(await ask('discover', '--plain-http', `${host}/team/churn:production`), /application\/spdx\+json/);
      await ask('manifest', 'delete', '--plain-http', '--force', `${host}/copy/churn:5`);
      assert.equal((await native('models/copy%2Fchurn/versions/5')).code, 'version-not-found');
    });
  },
);

await needServer(
  'crane',
  () => client('crane'),
  ({ ask }) => {
    test('crane signs in, reads a model, and copies, tags and deletes an image beside it', async () => {
      await ask('auth', 'login', host, '-u', 'any', '-p', server.firstToken);
      const admin = ociClient(server.url, `Bearer ${server.firstToken}`);
      await admin.put('images/base', 'v1', await imageIn(admin, 'images/base', 'crane'));
      await ask('copy', '--insecure', `${host}/images/base:v1`, `${host}/images/deep/copy:v1`);
      await ask('tag', '--insecure', `${host}/images/deep/copy:v1`, 'v2');
      assert.deepEqual((await ask('ls', '--insecure', `${host}/images/deep/copy`)).split('\n'), ['v1', 'v2']);
      const digest = await ask('digest', '--insecure', `${host}/images/deep/copy:v2`);
      await ask('delete', '--insecure', `${host}/images/deep/copy@${digest}`);
      await assert.rejects(ask('manifest', '--insecure', `${host}/images/deep/copy:v1`));
      assert.ok((await ask('catalog', '--insecure', host)).split('\n').includes('images/base'));
    });
  },
);

await needServer(
  'skopeo',
  () => client('skopeo'),
  ({ ask }) => {
    test('skopeo copies a model to a layout and back, where it is the same version', async () => {
      const policy = join(home, 'policy.json');
      await writeFile(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
      const who = `any:${server.firstToken}`;
      const layout = `oci:${join(home, 'layout')}:model`;
      const from = ['--policy', policy, 'copy', '--src-tls-verify=false', '--src-creds', who];
      const admin = ociClient(server.url, `Bearer ${server.firstToken}`);
      await admin.put('sk/model', 'staging', await modelIn(admin, 'sk/model', FILES));
      await ask(...from, `docker://${host}/sk/model:staging`, layout);
      const into = ['--policy', policy, 'copy', '--dest-tls-verify=false', '--dest-creds', who];
      await ask(...into, layout, `docker://${host}/sk/model:production`);
      assert.deepEqual((await native('models/sk%2Fmodel/aliases')).aliases, { production: 1, staging: 1 });
    });
  },
);
