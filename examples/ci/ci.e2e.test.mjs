/** The pipelines of this folder: their makers' schemas accept them, and their scripts do what they say. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { buildOnce } from '../../conformance/cli/build-once.ts';
import { BINARY, runIngot, workDirectory } from '../../conformance/cli/run-case.ts';
import { up } from '../../conformance/cli/up.ts';
import { findPipelineJudge } from '../../packages/core/test/servers/check-jsonschema.ts';
import { needServer } from '../../packages/core/test/servers/need-server.ts';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { githubScripts, gitlabScripts, runScript, startComments, startIssuer } from './pipeline.mjs';

const GITHUB = inRoot('examples/ci/github/model.yml');
const GITLAB = inRoot('examples/ci/gitlab/model.gitlab-ci.yml');
const onGithub = readFileSync(GITHUB, 'utf8');
const onGitlab = readFileSync(GITLAB, 'utf8');
const PASSWORD = 'correct horse battery';

beforeAll(buildOnce);

await needServer('check-jsonschema', findPipelineJudge, (judge) => {
  test('the published schemas accept both files, and notice what is wrong in them', async () => {
    expect(await judge.check('github-workflows', GITHUB)).toBe('');
    expect(await judge.check('gitlab-ci', GITLAB)).toBe('');
    const directory = placed({ 'wrong.yml': onGithub.replaceAll('runs-on:', 'runs-at:') });
    expect(await judge.check('github-workflows', join(directory.path, 'wrong.yml'))).toContain('runs-at');
  }, 60_000);
});

describe('what the files promise', () => {
  const workflow = parse(onGithub);
  const scripts = [
    ...Object.values(githubScripts(onGithub)).flatMap((job) => Object.values(job)),
    ...Object.values(gitlabScripts(onGitlab)),
  ];

  test('no expression stands in a script, and no script prints a token', () => {
    expect(scripts.length).toBeGreaterThanOrEqual(12);
    // What begins with INGOT_ and is no setting makes each command warn.
    expect(onGithub + onGitlab).not.toContain('INGOT_VERSION');
    for (const script of scripts) {
      expect(script).not.toContain('${{');
      expect(script).not.toMatch(/set -[a-z]*x|echo .*TOKEN|--header .*TOKEN/);
    }
  });

  test('actions of others are named by their commit, and each job has only the rights that it names', () => {
    expect(workflow.permissions).toEqual({});
    for (const job of Object.values(workflow.jobs)) {
      expect(job.permissions).toBeDefined();
      for (const { uses } of job.steps) if (uses !== undefined) expect(uses).toMatch(/@[0-9a-f]{40}$/);
    }
  });
});

/** A directory that goes when the test ends. */
function placed(files) {
  const directory = workDirectory(files);
  onTestFinished(() => directory[Symbol.dispose]());
  return directory;
}

/** Ends with the test, before what was begun earlier. */
function ended(running) {
  onTestFinished(() => running[Symbol.asyncDispose]());
  return running;
}

const METADATA = (type) =>
  `name: churn\ninput_features:\n- {name: age, type: ${type}}\noutput:\n- {name: score, type: float}\n`;

test('an image is baked with a login that lies in a file of its own, gone when the step ends', async () => {
  const directory = placed({ 'login.txt': '' });
  const bin = join(directory.path, 'bin');
  mkdirSync(bin);
  // What bake makes of it is tried where bake is; here it counts how it is called, and what it finds.
  writeFileSync(
    join(bin, 'ingot'),
    '#!/bin/sh\nprintf "%s %s %s\\n" "$INGOT_REGISTRY" "$INGOT_TOKEN" "$*"; cat "$DOCKER_CONFIG/config.json"; echo "$DOCKER_CONFIG" > config.txt\n',
  );
  chmodSync(join(bin, 'ingot'), 0o755);
  const issuer = ended(await startIssuer({ repository: 'team/churn' }));
  const statement = await issuer.statement('ingot-production');
  const env = {
    PATH: [bin, process.env.PATH].join(delimiter),
    PRODUCTION: 'https://models.example.com',
    PRODUCTION_AUDIENCE: 'ingot-production',
    BASE_IMAGE: 'python:3.11-slim',
    ACTIONS_ID_TOKEN_REQUEST_URL: `${issuer.issuer}/statement?api=1`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'request-token',
  };
  const onBoth = [
    [
      gitlabScripts(onGitlab).bake,
      { IMAGE: 'registry.example.com/team/churn', PROMOTED: 'churn:8', INGOT_TOKEN: statement },
      { CI_REGISTRY: 'registry.example.com', CI_REGISTRY_USER: 'ana', CI_REGISTRY_PASSWORD: 'a"b$c' },
    ],
    // A repository's name may have capitals, an image's may not.
    [
      githubScripts(onGithub).bake.bake,
      { IMAGE: 'registry.example.com/Team/Churn', REF: 'churn:8' },
      { IMAGE_REGISTRY: 'registry.example.com', IMAGE_USER: 'ana', IMAGE_PASSWORD: 'a"b$c' },
    ],
  ];
  for (const [script, named, login] of onBoth) {
    const { status, said } = await runScript(script, { cwd: directory.path, env: { ...env, ...named, ...login } });
    expect(status, said).toBe(0);
    const [called, config] = said.split('\n');
    expect(called).toMatch(
      /^https:\/\/models\.example\.com eyJ\S+ bake churn:8 --base python:3\.11-slim -o registry\.example\.com\/team\/churn:8$/,
    );
    const { auth } = JSON.parse(config).auths['registry.example.com'];
    expect(Buffer.from(auth, 'base64').toString()).toBe('ana:a"b$c');
    expect(existsSync(readFileSync(join(directory.path, 'config.txt'), 'utf8').trim())).toBe(false);
  }
});

/** Staging and production as servers that trust the issuer's statements, and an admin of production. */
async function environments(directory, { issuer }) {
  const servers = {};
  for (const name of ['staging', 'production']) {
    const cwd = join(directory.path, name);
    mkdirSync(join(cwd, 'home'), { recursive: true });
    const grants = ['pusher', 'promoter'].map((role) => ({ role, scope: 'churn' }));
    const workload = {
      issuer,
      audience: `ingot-${name}`,
      name: 'ci:{repository}',
      rules: [{ claims: { repository: 'team/churn' }, grants }],
    };
    writeFileSync(join(cwd, 'sign-in.json'), JSON.stringify({ workloads: [workload] }));
    const server = ended(await up(cwd, ['--sign-in', 'sign-in.json']));
    const admin = (words, stdin = '') => runIngot(words, { cwd, env: { INGOT_REGISTRY: server.said.url }, stdin });
    expect((await admin(['account', 'add', 'ana'], PASSWORD)).status).toBe(0);
    expect((await admin(['login', server.said.url, '--name', 'ana'], PASSWORD)).status).toBe(0);
    servers[name] = { url: server.said.url, admin, cwd };
  }
  const policy = 'policies: { "*": { aliases: { production: { approvals: 1 } } } }';
  writeFileSync(join(servers.production.cwd, 'policy.yaml'), policy);
  expect((await servers.production.admin(['policy', 'apply', 'policy.yaml'])).status).toBe(0);
  return servers;
}

/** A runner's machine, where `ingot` is installed. */
function runner(directory, { issuer }, { staging, production }, comments) {
  const bin = join(directory.path, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'ingot'), `#!/bin/sh\nexec ${process.execPath} ${BINARY} "$@"\n`);
  chmodSync(join(bin, 'ingot'), 0o755);
  return {
    PATH: [bin, process.env.PATH].join(delimiter),
    HOME: join(directory.path, 'home'),
    INGOT_CACHE: join(directory.path, 'cache'),
    MODEL_DIR: 'model',
    MODEL_NAME: 'churn',
    ALIAS: 'production',
    FAIL_ON: 'breaking',
    STAGING: staging.url,
    PRODUCTION: production.url,
    STAGING_AUDIENCE: 'ingot-staging',
    PRODUCTION_AUDIENCE: 'ingot-production',
    COMMIT: '1f2e3d',
    GITHUB_SHA: '1f2e3d',
    CI_COMMIT_SHA: '1f2e3d',
    GITHUB_OUTPUT: join(directory.path, 'output.txt'),
    GITHUB_STEP_SUMMARY: join(directory.path, 'summary.md'),
    ACTIONS_ID_TOKEN_REQUEST_URL: `${issuer}/statement?api=1`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'request-token',
    PULL_REQUEST: '17',
    GITHUB_API_URL: comments.url,
    GITHUB_REPOSITORY: 'team/churn',
    COMMENT_TOKEN: 'comment-token',
    CI_API_V4_URL: comments.url,
    CI_PROJECT_ID: '3',
    CI_MERGE_REQUEST_IID: '17',
    GATE_TOKEN: 'comment-token',
  };
}

test('a change is pushed, commented, refused while an approval is missing, promoted when it is given, and stopped when it breaks callers', async () => {
  const directory = placed({ 'model/model.bin': 'one', 'model/metadata.yaml': METADATA('integer') });
  const issuer = ended(await startIssuer({ repository: 'team/churn' }));
  const { staging, production } = await environments(directory, issuer);
  const mark = '<!-- ingot gate churn@production -->';
  const strangers = Array.from({ length: 100 }, (_, id) => ({
    id,
    user: { login: 'mallory' },
    author: { id: 8 },
    body: `${mark}\nall is well`,
  }));
  const comments = ended(await startComments(strangers));
  const env = runner(directory, issuer, { staging, production }, comments);
  const github = githubScripts(onGithub);
  const at = (name) => join(directory.path, name);
  const run = (script, more = {}) => runScript(script, { cwd: directory.path, env: { ...env, ...more } });

  expect(await run(github.push.push)).toMatchObject({ status: 0 });
  expect(readFileSync(at('output.txt'), 'utf8')).toBe('ref=churn:1\n');
  expect(await run(github.gate.gate, { REF: 'churn:1' })).toMatchObject({ status: 0 });
  const issues = '/repos/team/churn/issues';
  expect(comments.asked.splice(0)).toEqual([
    `GET ${issues}/17/comments`,
    `GET ${issues}/17/comments`,
    `POST ${issues}/17/comments`,
  ]);
  expect(comments.items).toHaveLength(101);
  expect(comments.items.at(-1).body).toContain('names nothing yet → `churn:1`');
  const refused = await run(github.promote.promote, { REF: 'churn:1' });
  expect(refused).toMatchObject({ status: 6, said: expect.stringContaining('0 of 1 approvals') });
  expect((await production.admin(['approve', 'churn:1', '-m', 'looked at it'])).status).toBe(0);
  expect(await run(github.promote.promote, { REF: 'churn:1' })).toMatchObject({ status: 0 });
  const told = JSON.parse((await production.admin(['history', 'churn', '--json'])).stdout);
  expect(told.events.map(({ actor, kind }) => `${actor} ${kind}`)).toEqual([
    'ci:team/churn version-published',
    'ana approval-given',
    'ci:team/churn alias-set',
  ]);
  expect(told.events.at(-1).reason).toBe('commit 1f2e3d');

  writeFileSync(at('model/metadata.yaml'), METADATA('datetime'));
  writeFileSync(at('model/model.bin'), 'two');
  const gitlab = gitlabScripts(onGitlab);
  // A statement for one server lets nobody in at the other.
  expect(await run(gitlab.push, { INGOT_TOKEN: await issuer.statement('ingot-production') })).toMatchObject({
    status: 4,
    said: expect.stringContaining(`ingot login ${staging.url}`),
  });
  expect(await run(gitlab.push, { INGOT_TOKEN: await issuer.statement('ingot-staging') })).toMatchObject({ status: 0 });
  expect(readFileSync(at('push.env'), 'utf8')).toBe('REF=churn:2\n');
  const tokens = {
    INGOT_FROM_TOKEN: await issuer.statement('ingot-staging'),
    INGOT_TO_TOKEN: await issuer.statement('ingot-production'),
  };
  const stopped = await run(gitlab.gate, { REF: 'churn:2', ...tokens });
  expect(stopped.status).toBe(6);
  expect(stopped.said).not.toContain(tokens.INGOT_TO_TOKEN);
  // The comment that is there is written anew, and nobody else's.
  expect(comments.asked.at(-1)).toBe('PUT /projects/3/merge_requests/17/notes/1100');
  expect(comments.items).toHaveLength(101);
  expect(comments.items.slice(0, 100).every(({ body }) => body === `${mark}\nall is well`)).toBe(true);
  const report = readFileSync(at('gate.md'), 'utf8');
  expect(comments.items.at(-1).body).toBe(report);
  expect(report).toContain('❌ `churn:2` for `@production`');
  expect(report).toContain('**breaking for callers**');
  expect(await run(gitlab.promote, { REF: 'churn:1', ...tokens })).toMatchObject({ status: 0 });
  expect(readFileSync(at('promote.env'), 'utf8')).toBe('PROMOTED=churn:1\n');
}, 240_000);
