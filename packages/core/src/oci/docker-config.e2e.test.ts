import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { dockerCredential } from './docker-config.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'ingot-docker-'));
  await mkdir(join(home, '.docker'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const base64 = (text: string) => Buffer.from(text).toString('base64');
const write = (config: object) => writeFile(join(home, '.docker/config.json'), JSON.stringify(config));
const ask = (host: string, env = {}) =>
  dockerCredential(host, { env: { HOME: home, PATH: `${home}:${process.env.PATH}`, ...env } });

/** A credential helper: what it was given is compared, what it says is given. */
async function helper(name: string, script: string): Promise<void> {
  const path = join(home, `docker-credential-${name}`);
  await writeFile(path, `#!/bin/sh\nread host || true\n${script}\n`);
  await chmod(path, 0o755);
}

it('is read from auths, however the host is written there', async () => {
  await write({
    auths: {
      'a.example:5000': { auth: base64('ana:se:cret') },
      'https://b.example/v2/': { username: 'ben', password: 'x' },
      'c.example': { auth: base64('<token>:'), identitytoken: 'refresh' },
      'https://index.docker.io/v1/': { auth: base64('hub:x') },
      'empty.example': {},
      'a.example:5000/team': { auth: base64('tea:m') },
    },
  });
  const inTeam = (repository: string) => dockerCredential('a.example:5000', { env: { HOME: home }, repository });
  expect(await inTeam('team/churn')).toEqual({ username: 'tea', password: 'm' });
  expect(await inTeam('teams')).toEqual({ username: 'ana', password: 'se:cret' });
  expect(await ask('a.example:5000')).toEqual({ username: 'ana', password: 'se:cret' });
  expect(await ask('b.example')).toEqual({ username: 'ben', password: 'x' });
  expect(await ask('c.example')).toEqual({ username: '<token>', identityToken: 'refresh' });
  expect(await ask('docker.io')).toEqual({ username: 'hub', password: 'x' });
  expect(await ask('a.example')).toBeUndefined();
  expect(await ask('empty.example')).toBeUndefined();
});

it('is asked of the program for the host, else of the one for all', async () => {
  await helper('own', 'echo "{\\"Username\\":\\"ana\\",\\"Secret\\":\\"for $host\\"}"');
  await helper(
    'all',
    '[ "$host" = "b.example" ] || { echo "credentials not found in native keychain"; exit 1; }\necho \'{"Username":"<token>","Secret":"t"}\'',
  );
  await write({ credHelpers: { 'a.example': 'own' }, credsStore: 'all' });
  expect(await ask('a.example')).toEqual({ username: 'ana', password: 'for a.example' });
  expect(await ask('b.example')).toEqual({ username: '', identityToken: 't' });
  expect(await ask('c.example')).toBeUndefined();
});

it('tells of a program that fails, and nothing of what it said', async () => {
  await helper('bad', 'echo "secret-word"; exit 3');
  await write({ credHelpers: { 'a.example': 'bad', 'b.example': '../../bin/sh', 'c.example': 'missing' } });
  for (const host of ['a.example', 'b.example', 'c.example']) {
    const failing = ask(host);
    await expect(failing, host).rejects.toMatchObject({ code: 'invalid-config' });
    await expect(failing, host).rejects.not.toThrow(/secret-word/);
  }
});

it('is looked for where REGISTRY_AUTH_FILE or DOCKER_CONFIG say, which must then be there', async () => {
  const file = join(home, 'auth.json');
  await expect(ask('a.example', { REGISTRY_AUTH_FILE: file })).rejects.toMatchObject({ code: 'invalid-config' });
  await writeFile(file, '{"auths":{"a.example":{"auth":"YTpi"}}}');
  expect(await ask('a.example', { REGISTRY_AUTH_FILE: file })).toEqual({ username: 'a', password: 'b' });
  expect(await ask('a.example', { DOCKER_CONFIG: join(home, 'none') })).toBeUndefined();
  await writeFile(file, 'no json');
  await expect(ask('a.example', { REGISTRY_AUTH_FILE: file })).rejects.toThrow(/not valid JSON/);
});
