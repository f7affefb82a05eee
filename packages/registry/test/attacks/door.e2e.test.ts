import { request } from 'node:http';
import { connect } from 'node:net';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stat } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type TrialServer, trialServer, withToken } from '../trial-server.ts';

const PASSWORD = 'c4n4ry horse battery';

async function withAna(): Promise<TrialServer> {
  const server = await trialServer();
  const made = await server.ask(
    '/api/v1/accounts',
    withToken(server.firstToken, 'POST', { name: 'ana', password: PASSWORD }),
  );
  expect(made.status).toBe(201);
  return server;
}

const basic = (name: string, password: string) => ({
  headers: { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` },
});

async function filesOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/** What `fetch` does not let one send: any Host header. */
function rawStatus(url: string, headers: Record<string, string>, method = 'GET'): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, setHost: !('host' in headers) }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end();
  });
}

/** The status of an answer to a head that no client would write. */
async function statusOf(url: string, lines: readonly string[]): Promise<number> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.setEncoding('latin1').write(`${[...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`);
  let text = '';
  for await (const piece of socket) text += String(piece);
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
}

describe('names and pages', () => {
  it('a foreign Host or Origin is refused, also on public routes and where there is nothing', async () => {
    await using server = await trialServer();
    for (const path of ['/healthz', '/api/v1/models', '/nothing']) {
      for (const host of ['evil.example', 'localhost.evil.example', 'localhost:80:80'])
        expect(await rawStatus(server.url + path, { host }), `${path} ${host}`).toBe(403);
      expect(await rawStatus(server.url + path, { origin: 'http://evil.example' }), path).toBe(403);
      expect(await rawStatus(server.url + path, { origin: 'null' }), path).toBe(403);
    }
    expect(await rawStatus(`${server.url}/healthz`, {})).toBe(200);
  });

  it('two names for the server are none, and an address that is written in full is what is meant', async () => {
    await using server = await trialServer();
    const { host } = new URL(server.url);
    const status = (...lines: string[]) => statusOf(server.url, lines);
    expect(await status('GET /healthz HTTP/1.1', `Host: ${host}`, 'host: evil.example')).toBe(403);
    expect(await status('GET /healthz HTTP/1.1', 'HOST: evil.example', `Host: ${host}`)).toBe(403);
    expect(await status('GET http://evil.example/healthz HTTP/1.1', `Host: ${host}`)).toBe(403);
    expect(await status(`GET http://${host}/healthz HTTP/1.1`, `Host: ${host}`)).toBe(200);
  });

  it('no preflight of any page is granted', async () => {
    await using server = await trialServer();
    const response = await server.ask('/api/v1/models', {
      method: 'OPTIONS',
      headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' },
    });
    expect(response.status).toBe(403);
    const names = [...response.headers.keys()].filter((name) => name.startsWith('access-control-'));
    expect(names).toEqual([]);
  });

  it('a cookie alone changes nothing, and bodies that forms can send are no bodies', async () => {
    await using server = await withAna();
    const body = JSON.stringify({ name: 'ana', password: PASSWORD });
    const signedIn = await server.ask('/api/v1/sessions', {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    const set = signedIn.headers.get('set-cookie') ?? '';
    expect(set).toMatch(/^ingot_session=[^;]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=\d+$/);
    const cookie = set.split(';')[0] ?? '';
    const { csrf }: { csrf: string } = await signedIn.json().then(Object);
    const model = JSON.stringify({ name: 'churn' });
    const post = (headers: Record<string, string>) =>
      server
        .ask('/api/v1/models', { method: 'POST', body: model, headers: { cookie, ...headers } })
        .then(({ status }) => status);
    const json = { 'content-type': 'application/json' };
    expect(await post(json)).toBe(403);
    expect(await post({ ...json, 'x-ingot-csrf': csrf, origin: 'http://evil.example' })).toBe(403);
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])
      expect(await post({ 'content-type': type, 'x-ingot-csrf': csrf }), type).toBe(415);
    expect(await post({ ...json, 'x-ingot-csrf': csrf })).toBe(201);
    expect((await server.ask('/api/v1/sessions/current', { headers: { cookie } })).status).toBe(200);
    await server.ask('/api/v1/sessions/current', { method: 'DELETE', headers: { cookie, 'x-ingot-csrf': csrf } });
    expect((await server.ask('/api/v1/sessions/current', { headers: { cookie } })).status).toBe(401);
  });
});

describe('credentials', () => {
  it('that are wrong, ended, or stand in the address are 401, and no secret is in any log, table or answer', async () => {
    const server = await withAna();
    const admin = server.firstToken;
    const made = await server.ask(
      '/api/v1/tokens',
      withToken(admin, 'POST', { name: 'ci', service: true, scopes: [{ role: 'reader' }] }),
    );
    const { token, id }: { token: string; id: string } = await made.json().then(Object);
    const status = async (init: RequestInit, path = '/api/v1/models') => (await server.ask(path, init)).status;
    expect(await status(withToken(token))).toBe(200);
    expect(await status(basic('ana', PASSWORD))).toBe(200);
    expect(await status(withToken(`${token.slice(0, -2)}zz`))).toBe(401);
    expect(await status({}, `/api/v1/models?token=${token}&access_token=${token}`)).toBe(401);
    expect(await status({ headers: { authorization: `Digest ${token}` } })).toBe(401);
    expect(await status(withToken('eyJhbGciOiJub25lIn0.e30.'))).toBe(401);
    expect(await status(basic('ana', `${PASSWORD}x`))).toBe(401);
    expect(await status(withToken(admin, 'DELETE'), `/api/v1/tokens/${id}`)).toBe(200);
    expect(await status(withToken(token))).toBe(401);
    const listed = await (await server.ask('/api/v1/tokens', withToken(admin))).text();
    const events = await (await server.ask('/api/v1/audit/events', withToken(admin))).text();
    const said = [listed, events, ...server.logged].join('\n');
    for (const file of await filesOf(server.directory)) {
      const text = (await readFile(file)).toString('latin1');
      for (const secret of [token.slice(20), admin.slice(20), PASSWORD])
        expect(text.includes(secret), file).toBe(false);
    }
    for (const secret of [token.slice(20), admin.slice(20), PASSWORD, 'c4n4ry']) expect(said).not.toContain(secret);
    expect(events).toContain('"kind":"sign-in-failed"');
    expect(events).toContain('"kind":"token-revoked"');
    await server[Symbol.asyncDispose]();
  });

  it('an unknown name takes as long as a wrong password', async () => {
    await using server = await withAna();
    const fastest = new Map<string, number>();
    // In turns, and the fastest of each: whatever else the machine does slows both down.
    for (let time = 0; time < 9; time += 1)
      for (const name of ['ana', 'zoe']) {
        const began = performance.now();
        await server.ask('/api/v1/models', basic(name, `wrong password ${time}`));
        fastest.set(name, Math.min(fastest.get(name) ?? Number.POSITIVE_INFINITY, performance.now() - began));
      }
    const [known = 0, unknown = 0] = ['ana', 'zoe'].map((name) => fastest.get(name));
    expect(Math.max(known, unknown) / Math.min(known, unknown)).toBeLessThan(2);
    expect(unknown).toBeGreaterThan(10);
  });

  it('after ten wrong passwords no more are tried, and what was right before still is', async () => {
    await using server = await withAna();
    expect((await server.ask('/api/v1/models', basic('ana', PASSWORD))).status).toBe(200);
    const statuses: number[] = [];
    for (let time = 0; time < 14; time += 1)
      statuses.push((await server.ask('/api/v1/models', basic('ana', `wrong ${time}`))).status);
    expect(statuses.slice(0, 10).every((status) => status === 401)).toBe(true);
    const limited = await server.ask('/api/v1/models', basic('ana', 'wrong again'));
    expect(limited.status).toBe(429);
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await server.ask('/api/v1/models', basic('ana', PASSWORD))).status).toBe(200);
  });
});

describe('a start without configuration', () => {
  it('on loopback lets in this machine; elsewhere it asks for the token that it has made', async () => {
    await using local = await trialServer({ host: '127.0.0.1' });
    expect(local.firstToken).toBe('');
    expect((await local.ask('/api/v1/models')).status).toBe(200);
    await using elsewhere = await trialServer();
    expect(elsewhere.firstToken).toMatch(/^ingot_[0-9a-z]{12}_[0-9A-Za-z]{40}$/);
    expect((await elsewhere.ask('/api/v1/models')).status).toBe(401);
    expect((await elsewhere.ask('/api/v1/models', withToken(elsewhere.firstToken))).status).toBe(200);
    for (const file of await readdir(elsewhere.directory)) {
      const { mode } = await stat(join(elsewhere.directory, file));
      expect(mode & 0o077, file).toBe(0);
    }
  });

  it('the first account ends the open server, and what it was told is shown as claimed', async () => {
    await using server = await trialServer({ host: '127.0.0.1' });
    const headers = { 'content-type': 'application/json', 'ingot-actor': 'mallory' };
    const post = (path: string, body: unknown) =>
      server.ask(path, { method: 'POST', headers, body: JSON.stringify(body) });
    expect((await post('/api/v1/models', { name: 'churn' })).status).toBe(201);
    const early = { method: 'PATCH', headers, body: JSON.stringify({ description: 'first' }) };
    expect((await server.ask('/api/v1/models/churn', early)).status).toBe(200);
    expect((await post('/api/v1/accounts', { name: 'ana', password: PASSWORD })).status).toBe(201);
    expect((await post('/api/v1/models', { name: 'churn2' })).status).toBe(401);
    expect((await server.ask('/api/v1/accounts', basic('ana', PASSWORD))).status).toBe(200);
    const change = { method: 'PATCH', body: JSON.stringify({ description: 'x' }) };
    const json = { ...basic('ana', PASSWORD).headers, 'content-type': 'application/json' };
    expect((await server.ask('/api/v1/models/churn', { ...change, headers: json })).status).toBe(200);
    const told = Object(await (await server.ask('/api/v1/models/churn/history', basic('ana', PASSWORD))).json());
    const actors = told.items.map(({ actor, claimed }: { actor: string; claimed: boolean }) => [actor, claimed]);
    expect(actors).toEqual([
      ['mallory', true],
      ['ana', false],
    ]);
  });
});

describe('too much', () => {
  it('calls of nobody beyond the limit end in 429, and others are answered meanwhile', async () => {
    const rates = { identity: { perSecond: 1000, burst: 1000 }, address: { perSecond: 0.01, burst: 50 } };
    await using server = await trialServer({ rates });
    const call = async (init?: RequestInit): Promise<number> => {
      const response = await server.ask('/api/v1/models', init);
      await response.text();
      return response.status;
    };
    const statuses = await Promise.all(Array.from({ length: 200 }, () => call()));
    const count = (wanted: number): number => statuses.filter((status) => status === wanted).length;
    expect([count(401), count(429)]).toEqual([50, 150]);
    expect(await call(withToken(server.firstToken))).toBe(200);
    expect(await call(withToken('ingot_wrong'))).toBe(429);
  });

  it('who holds a signed address is no nobody; one that was made up is', async () => {
    const rates = { identity: { perSecond: 1000, burst: 1000 }, address: { perSecond: 0.01, burst: 5 } };
    await using server = await trialServer({ rates });
    const artifacts = '/api/2.0/mlflow-artifacts/artifacts';
    const headers = { authorization: `Bearer ${server.firstToken}` };
    const put = await server.ask(`${artifacts}/0/run/artifacts/a.txt`, { method: 'PUT', headers, body: 'text' });
    expect(put.status, await put.text()).toBe(200);
    const told = await server.ask('/api/2.0/mlflow-artifacts/presigned/0/run/artifacts/a.txt', { headers });
    const { url }: { url: string } = JSON.parse(await told.text());
    const read = async (address: string): Promise<number> => {
      const answer = await fetch(address);
      await answer.text();
      return answer.status;
    };
    expect(await Promise.all(Array.from({ length: 20 }, () => read(url)))).toEqual(
      Array.from({ length: 20 }, () => 200),
    );
    const wrong = await Promise.all(Array.from({ length: 20 }, () => read(`${url}x`)));
    expect([403, 429].map((status) => wrong.filter((each) => each === status).length)).toEqual([5, 15]);
  });

  it('pages of any size, bodies of any size and depth, and names of any sort are refused before they cost', async () => {
    await using server = await trialServer();
    const admin = server.firstToken;
    const get = (path: string) => server.ask(path, withToken(admin)).then(({ status }) => status);
    for (const limit of ['-1', '0', '1000000000', '1e9', 'x'])
      expect(await get(`/api/v1/models?limit=${limit}`), limit).toBe(400);
    const post = async (body: string) => {
      const headers = { authorization: `Bearer ${admin}`, 'content-type': 'application/json' };
      return (await server.ask('/api/v1/models', { method: 'POST', headers, body })).status;
    };
    expect(await post(`{"name":"${'x'.repeat(2_000_000)}"}`)).toBe(413);
    expect(await post(`${'['.repeat(100_000)}`)).toBe(400);
    expect(await post('{"name":"a","__proto__":{"x":1}}')).toBe(400);
    expect(await post('{"name":"a","constructor":{"prototype":{"x":1}}}')).toBe(400);
    expect(Reflect.get({}, 'x')).toBeUndefined();
    for (const name of [
      '../x',
      '.',
      '',
      'a/b/c',
      'x'.repeat(10_000),
      '\u202Eevil',
      'dot.',
      'CON',
      'a//b',
      'a\u0000b',
      '%2e%2e',
    ])
      expect(await post(JSON.stringify({ name })), name.slice(0, 20)).toBe(400);
  });
});
