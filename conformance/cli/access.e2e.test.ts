import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { buildOnce } from './build-once.ts';
import { runIngot, workDirectory } from './run-case.ts';
import { up } from './up.ts';

const PASSWORD = 'correct horse battery';

beforeAll(buildOnce);

it('people sign in, machines get tokens, and what happened is proved and cannot be changed unseen', async () => {
  using directory = workDirectory({ 'model.json': '{"a":1}' });
  const cwd = directory.path;
  const plain = (words: readonly string[], stdin?: string) =>
    runIngot(words, stdin === undefined ? { cwd } : { cwd, stdin });
  expect((await plain(['push', 'model.json', '--name', 'churn', '--alias', 'production'])).status).toBe(0);
  await using server = await up(cwd, []);
  const { url = '' } = server.said;
  expect(server.said.open).toBe(true);
  const ingot = (words: readonly string[], stdin?: string, env: Record<string, string> = {}) =>
    runIngot(words, { cwd, env: { INGOT_REGISTRY: url, ...env }, ...(stdin === undefined ? {} : { stdin }) });
  expect(await ingot(['account', 'add', 'ana'], `${PASSWORD}\n`)).toMatchObject({ status: 0 });
  expect(await ingot(['account', 'ls'])).toMatchObject({ status: 4, stdout: '' });
  expect(await ingot(['login', url, '--name', 'ana'], 'wrong horse battery')).toMatchObject({ status: 4 });
  const signedIn = await ingot(['login', url, '--name', 'ana', '--json'], PASSWORD);
  expect(signedIn.status).toBe(0);
  const { file } = JSON.parse(signedIn.stdout);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8')).not.toContain(PASSWORD);
  expect(await ingot(['account', 'add', 'ben', '--role', 'reader', '--on', 'team/'], PASSWORD)).toMatchObject({
    status: 0,
  });
  expect((await ingot(['grant', 'ben', 'promoter', '--on', 'churn', '--alias', 'staging'])).stdout).toContain(
    '@staging',
  );
  const made = await ingot(['token', 'create', 'ci', '--service', '--role', 'reader', '--on', 'team/', '--json']);
  const { token, id } = JSON.parse(made.stdout);
  expect(await ingot(['account', 'ls'], undefined, { INGOT_TOKEN: token })).toMatchObject({ status: 4 });
  expect((await ingot(['token', 'ls'])).stdout).not.toContain(token);
  expect(await ingot(['token', 'revoke', id])).toMatchObject({ status: 0 });

  const evidence = join(cwd, 'churn.json');
  expect(await ingot(['audit', 'export', 'churn', '-o', evidence])).toMatchObject({ status: 0 });
  expect(await plain(['audit', 'verify', evidence])).toMatchObject({ status: 0 });
  writeFileSync(evidence, readFileSync(evidence, 'utf8').replace('alias-set', 'alias-sat'));
  expect(await plain(['audit', 'verify', evidence])).toMatchObject({ status: 8 });
  expect(await ingot(['audit', 'verify', '--json'])).toMatchObject({ status: 0 });
  const headers = { authorization: `Bearer ${JSON.parse(readFileSync(file, 'utf8')).servers[url].token}` };
  const checkpoints = await (await fetch(`${url}/api/v1/audit/checkpoints`, { headers })).text();
  writeFileSync(join(cwd, 'checkpoints.json'), checkpoints);
  const checked = await plain(['audit', 'verify', '--checkpoint', 'checkpoints.json', '--json']);
  expect(JSON.parse(checked.stdout)).toMatchObject({ findings: [] });
  expect(JSON.parse(checked.stdout).checkpoints).toBeGreaterThan(0);
  expect(await ingot(['logout', url])).toMatchObject({ status: 0 });
  expect(await ingot(['account', 'ls'])).toMatchObject({ status: 4 });
});

it('a protected alias that is moved past the server is told of, not followed, and counts when that is said', async () => {
  using directory = workDirectory({
    'one.json': '{"a":1}',
    'two.json': '{"a":2}',
    'policy.yaml': 'policies: { churn: { aliases: { production: { approvals: 1 } } } }\n',
  });
  const cwd = directory.path;
  const past = (...words: string[]) => runIngot([...words, '--json'], { cwd });
  await past('push', 'one.json', '--name', 'churn', '--alias', 'production');
  await past('push', 'two.json', '--name', 'churn');
  await using server = await up(cwd, []);
  const ingot = (...words: string[]) => runIngot(words, { cwd, env: { INGOT_REGISTRY: server.said.url ?? '' } });
  expect(await ingot('policy', 'apply', 'policy.yaml')).toMatchObject({ status: 0, stderr: '' });
  expect((await ingot('audit', 'flagged')).stderr).toContain('no protected alias');
  expect(await past('alias', 'set', 'churn', 'production', 'churn:2')).toMatchObject({ status: 0 });
  await expect.poll(async () => (await ingot('audit', 'flagged')).stdout, { timeout: 20_000 }).toContain('production');
  expect((await ingot('show', 'churn@production', '--quiet')).stdout).toBe('churn:1\n');
  const verified = await ingot('audit', 'verify');
  expect([verified.status, verified.stderr]).toEqual([0, expect.stringContaining('1 move of protected aliases')]);
  expect(await ingot('audit', 'accept', 'churn', 'staging')).toMatchObject({ status: 3 });
  expect(await ingot('audit', 'accept', 'churn', 'production')).toMatchObject({ status: 0 });
  expect((await ingot('show', 'churn@production', '--quiet')).stdout).toBe('churn:2\n');
  expect(JSON.parse((await ingot('audit', 'flagged', '--json')).stdout)).toEqual({ moves: [] });
});

it('a server that listens elsewhere says its token once, and is closed to all others', async () => {
  using directory = workDirectory({});
  const cwd = directory.path;
  let token = '';
  {
    await using server = await up(cwd, ['--host', '0.0.0.0']);
    token = server.said.token ?? '';
    expect(token).toMatch(/^ingot_/);
  }
  await using again = await up(cwd, ['--host', '0.0.0.0']);
  expect(again.said.token).toBeUndefined();
  const url = (again.said.url ?? '').replace('0.0.0.0', '127.0.0.1');
  const env = { INGOT_REGISTRY: url };
  expect(await runIngot(['token', 'ls'], { cwd, env })).toMatchObject({ status: 4 });
  expect(await runIngot(['login', url, '--with-token'], { cwd, stdin: token })).toMatchObject({ status: 0 });
  expect((await runIngot(['token', 'ls'], { cwd, env })).stdout).toContain('first-admin');
});
