/** Who may do what through the distribution API: tokens for repositories, and what they do not let through. */

import assert from 'node:assert/strict';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, test } from 'vitest';
import { type TrialServer, trialServer, withToken } from '../trial-server.ts';
import { answerOf, digestOf, imageIn, modelIn, named, ociClient } from './oci-client.ts';

const PASSWORD = 'correct horse battery';
let server: TrialServer;
let passedMs = 0;
const people = { reader: 'rita', pusher: 'paul', stranger: 'stan', mover: 'mona' } as const;

beforeAll(async () => {
  server = await trialServer({ now: () => new Date(Date.now() + passedMs) });
  await native('accounts', 'POST', { name: 'root', password: PASSWORD });
  for (const name of Object.values(people)) await native('accounts', 'POST', { name, password: PASSWORD });
  await native('grants', 'POST', { account: people.reader, role: 'reader', scope: 'team/' });
  await native('grants', 'POST', { account: people.pusher, role: 'pusher', scope: 'team/' });
  await native('grants', 'POST', {
    account: people.mover,
    role: 'promoter',
    scope: 'team/churn',
    aliases: ['staging'],
  });
  await native('grants', 'POST', { account: people.stranger, role: 'pusher', scope: 'other/' });
  const admin = ociClient(server.url, `Bearer ${server.firstToken}`);
  const model = await modelIn(admin, 'team/churn', { 'm.bin': 'm' });
  assert.equal((await admin.put('team/churn', 'production', model)).status, 201);
  assert.equal((await admin.put('team/deep/image', 'v1', await imageIn(admin, 'team/deep/image', 'i'))).status, 201);
});

afterAll(() => server[Symbol.asyncDispose]());

const native = async (path: string, method = 'GET', body?: object) => {
  const answer = await server.ask(`/api/v1/${path}`, withToken(server.firstToken, method, body));
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  const text = await answer.text();
  return text === '' ? {} : JSON.parse(text);
};

const basic = (name: string, password = PASSWORD): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

async function tokenOf(authorization: string, ...scopes: string[]): Promise<string> {
  const query = new URLSearchParams({ service: 'x' });
  for (const scope of scopes) query.append('scope', scope);
  const answer = await server.ask(`/v2/token?${query}`, { headers: { authorization } });
  assert.equal(answer.status, 200, await answer.clone().text());
  const { token, access_token, expires_in } = await answerOf(answer);
  assert.ok(token === access_token && Number(expires_in) >= 60);
  return `Bearer ${token}`;
}

const as = (authorization: string) => ociClient(server.url, authorization);
const statusOf = async (authorization: string, path: string, method = 'GET') =>
  (await as(authorization).ask(method, path)).status;

test('whoever comes without credentials is told where to get a token and for what', async () => {
  const nobody = ociClient(server.url);
  const { host } = new URL(server.url);
  const challenge = async (method: string, path: string) =>
    (await nobody.ask(method, path)).headers.get('www-authenticate');
  const start = `Bearer realm="${server.url}/v2/token",service="${host}"`;
  assert.equal(await challenge('GET', ''), start);
  assert.equal(await challenge('GET', 'team/churn/manifests/1'), `${start},scope="repository:team/churn:pull"`);
  assert.equal(
    await challenge('HEAD', `team/churn/blobs/${digestOf('x')}`),
    `${start},scope="repository:team/churn:pull,push"`,
  );
  assert.equal(await challenge('PUT', 'a/b/c/manifests/1'), `${start},scope="repository:a/b/c:pull,push"`);
  assert.equal(
    await challenge('POST', `x/blobs/uploads/?mount=${digestOf('x')}&from=team/churn`),
    `${start},scope="repository:x:pull,push repository:team/churn:pull"`,
  );
  assert.match((await challenge('GET', 'token')) ?? '', /^Basic /);
});

test('a password or a service token gives a token for what was asked, which counts nowhere else', async () => {
  const token = await tokenOf(basic(people.pusher), 'repository:team/churn:pull');
  assert.equal(await statusOf(token, ''), 200);
  assert.equal(await statusOf(token, 'team/churn/manifests/production'), 200);
  assert.equal(await statusOf(token, 'team/deep/image/manifests/v1'), 401);
  assert.equal((await as(token).ask('POST', 'team/churn/blobs/uploads/')).status, 401);
  for (const path of ['/api/v1/models', '/api/v1/tokens', '/api/2.0/mlflow/registered-models/search'])
    assert.equal((await server.ask(path, { headers: { authorization: token } })).status, 401, path);
  assert.equal((await server.ask('/v2/token', { headers: { authorization: token } })).status, 401);
  const both = await tokenOf(
    basic('any', server.firstToken),
    'repository:team/churn:pull repository:team/deep/image:pull,push',
  );
  assert.equal(await statusOf(both, 'team/deep/image/manifests/v1'), 200);
  const form = { grant_type: 'password', service: 'x', client_id: 'c', username: people.reader, password: PASSWORD };
  const posted = await server.ask('/v2/token', {
    method: 'POST',
    body: new URLSearchParams({ ...form, scope: 'repository:team/churn:pull' }),
  });
  assert.equal(posted.status, 200);
  const refreshed = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: server.firstToken });
  assert.equal((await server.ask('/v2/token', { method: 'POST', body: refreshed })).status, 200);
});

test('wrong, forged, expired and revoked credentials are answered with invalid_token', async () => {
  assert.equal(
    (await server.ask('/v2/token', { headers: { authorization: basic(people.reader, 'wrong') } })).status,
    401,
  );
  const bad = new URLSearchParams({ grant_type: 'password', username: people.reader, password: 'wrong' });
  assert.equal((await server.ask('/v2/token', { method: 'POST', body: bad })).status, 401);
  const token = await tokenOf(basic(people.reader), 'repository:team/churn:pull');
  const [head = '', body = '', signature = ''] = token.slice('Bearer '.length).split('.');
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
  const forged = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', typ: 'repository+jwt' })
    .sign(Buffer.alloc(32));
  const unsigned = Buffer.from('{"alg":"none","typ":"repository+jwt"}').toString('base64url');
  for (const other of [forged, `${unsigned}.${body}.`, `${head}.${body}.${signature.slice(1)}A`, 'x.y.z']) {
    const answer = await as(`Bearer ${other}`).ask('GET', 'team/churn/tags/list');
    assert.equal(answer.status, 401);
    assert.match(answer.headers.get('www-authenticate') ?? '', /error="invalid_token"/);
  }
  passedMs = 16 * 60_000;
  assert.equal(await statusOf(token, 'team/churn/tags/list'), 401);
  passedMs = 0;
  const { token: secret, id } = await native('tokens', 'POST', {
    name: 'ci',
    service: true,
    scopes: [{ role: 'reader', scope: '*' }],
  });
  const ofToken = await tokenOf(basic('x', secret), 'repository:team/churn:pull');
  assert.equal(await statusOf(ofToken, 'team/churn/tags/list'), 200);
  await native(`tokens/${id}`, 'DELETE');
  assert.equal(await statusOf(ofToken, 'team/churn/tags/list'), 401);
});

test('roles count as everywhere: what nobody may read is not there, and each act is asked for', async () => {
  const [reader, pusher, stranger, mover] = [people.reader, people.pusher, people.stranger, people.mover].map((name) =>
    basic(name),
  );
  assert.ok(reader && pusher && stranger && mover);
  assert.equal(await statusOf(reader, 'team/churn/tags/list'), 200);
  for (const path of ['team/churn/tags/list', 'team/churn/manifests/1', 'team/deep/image/manifests/v1'])
    assert.deepEqual(await as(stranger).code(await as(stranger).ask('GET', path)), '404 NAME_UNKNOWN', path);
  assert.deepEqual((await as(stranger).json('_catalog')).repositories, []);
  assert.deepEqual((await as(reader).json('_catalog')).repositories, ['team/churn', 'team/deep/image']);
  assert.equal(await as(reader).code(await as(reader).ask('POST', 'team/churn/blobs/uploads/')), '403 DENIED');
  const model = await modelIn(as(pusher), 'team/churn', { 'm.bin': 'new' });
  assert.equal(await as(reader).code(await as(reader).put('team/churn', '9', model)), '403 DENIED');
  assert.equal(await as(pusher).code(await as(pusher).put('team/churn', 'production', model)), '403 DENIED');
  assert.equal((await as(pusher).put('team/churn', '1.5.0', model)).status, 201);
  for (const reference of ['1.5.0', 'latest', digestOf(JSON.stringify(model), 'sha512')])
    assert.equal(await as(reader).code(await as(reader).put('team/churn', reference, model)), '403 DENIED', reference);
  assert.equal(
    (await as(pusher).put('team/deep/image', 'v2', await imageIn(as(pusher), 'team/deep/image', 'j'))).status,
    201,
  );
  // Many clients push a manifest by its digest before its tag.
  const twice = await modelIn(as(pusher), 'team/churn', { 'm.bin': 'newer' });
  for (const reference of [named(twice).digest, '1.6.0', '1.6.0'])
    assert.equal((await as(pusher).put('team/churn', reference, twice)).status, 201, reference);
  assert.equal(await as(pusher).code(await as(pusher).put('team/churn', '1.6.0', model)), '403 DENIED');
  assert.equal((await as(mover).put('team/churn', 'staging', model)).status, 201);
  assert.equal(await as(mover).code(await as(mover).put('team/churn', 'production', model)), '403 DENIED');
  assert.equal(
    await as(pusher).code(await as(pusher).ask('DELETE', `team/churn/manifests/${named(model).digest}`)),
    '403 DENIED',
  );
  assert.equal(await statusOf(mover, 'team/churn/manifests/staging', 'DELETE'), 202);
  assert.equal(await statusOf(pusher, 'team/deep/image/manifests/v2', 'DELETE'), 202);
  const actors = JSON.stringify(await native('models/team%2Fchurn/history'));
  assert.ok(actors.includes(people.pusher) && actors.includes(people.mover));
  const denied = JSON.stringify(await native('audit/events?kind=denied&limit=200'));
  assert.ok(denied.includes(people.reader) && denied.includes('team/churn'));
});
