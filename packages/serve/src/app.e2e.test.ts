import { once } from 'node:events';
import { Agent, type IncomingMessage, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { deflateRawSync, deflateSync, gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { memoryHost } from './http/testing/memory-host.ts';
import { ADDER, BROKEN, CHURN, ECHO, IMAGE, IRIS, waiting } from './http/testing/models.ts';
import { type ServedApp, serveApp } from './http/testing/served-app.ts';

const logged: string[] = [];
let aborted: () => void = () => undefined;
const host = memoryHost([...CHURN, ADDER, ECHO, IMAGE, IRIS, BROKEN, waiting(() => aborted())]);
let served: ServedApp;

beforeAll(async () => {
  served = await serveApp({
    host,
    version: '1.2.3',
    limits: { bodyBytes: 1024 * 1024, headersTimeoutMs: 300, requestTimeoutMs: 600, compressFromBytes: 2000 },
    log: (_level, message, facts) => logged.push(`${message} ${JSON.stringify(facts)}`),
  });
});
afterAll(() => served[Symbol.asyncDispose]());

const row = { age: 41, charges: 1.5, plan: 'pro' };

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

function asRecord(value: unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(Object(value)));
}

async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const raw = typeof body === 'string' || body instanceof Uint8Array;
  const response = await fetch(served.url + path, {
    method: 'POST',
    body: raw ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
  return { status: response.status, headers: response.headers, body: asRecord(await response.json()) };
}

async function get(path: string): Promise<Answer> {
  const response = await fetch(served.url + path);
  return { status: response.status, headers: response.headers, body: asRecord(await response.json()) };
}

/** Sends raw bytes and gives what came back until the server closed, or until `enough` says so. */
async function raw(bytes: string, enough: (text: string) => boolean = () => false): Promise<string> {
  const socket = connect(served.port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
    if (enough(text)) socket.destroy();
  });
  socket.on('error', () => undefined);
  socket.write(bytes);
  await once(socket, 'close');
  return text;
}

test('/predict answers one entry a row with model, version and digest', async () => {
  const digest = `sha256:${'0'.repeat(63)}7`;
  const { status, headers, body } = await post('/predict/churn', [row, { ...row, age: 2 }]);
  expect(status).toBe(200);
  expect(body).toEqual({ predictions: [42.5, 3.5], model: 'churn', version: '7', digest });
  expect([headers.get('ingot-model'), headers.get('ingot-model-version'), headers.get('ingot-model-digest')]).toEqual([
    'churn',
    '7',
    digest,
  ]);
  expect((await post('/predict/churn', row)).body.predictions).toEqual([42.5]);
});

test('a version is chosen by number or label, in the path or the query; the first is the default', async () => {
  for (const path of ['/predict/churn/versions/8', '/predict/churn?version=8'])
    expect((await post(path, [row])).body).toMatchObject({ predictions: [-42.5], version: '8' });
  for (const path of ['/predict/churn/versions/1.2.0', '/predict/churn?version=1.2.0'])
    expect((await post(path, [row])).body).toMatchObject({ version: '7' });
  expect((await post('/predict/churn/versions/99', [row])).status).toBe(404);
});

test('classes add labels, names in a namespace are found with and without percent-encoding', async () => {
  expect((await post('/predict/iris', [{ width: 0.5 }, { width: 2 }])).body).toMatchObject({
    predictions: [0, 1],
    labels: ['setosa', 'virginica'],
  });
  for (const path of ['/predict/team%2Fimage', '/predict/team/image'])
    expect((await post(path, [[1, 2]])).body).toMatchObject({ predictions: [[1, 2]], model: 'team/image' });
});

test('no rows get no predictions', async () => {
  expect((await post('/predict/churn', [])).body).toMatchObject({ predictions: [], model: 'churn', version: '7' });
});

test('a row that disagrees with the signature is 422 with all that is wrong, and the version that refused it', async () => {
  const { status, headers, body } = await post('/predict/churn', [{ agee: 41, charges: 'x', plan: 'gold' }]);
  expect(status).toBe(422);
  expect(headers.get('ingot-model-version')).toBe('7');
  expect(body).toMatchObject({
    code: 'signature-mismatch',
    missing: ['age'],
    extra: ['agee'],
    wrong: [
      { feature: 'charges', row: 0, value: '"x"' },
      { feature: 'plan', row: 0, allowed: ['basic', 'pro'] },
    ],
    example: { age: 54, charges: 0.5, plan: 'basic' },
  });
  expect(body.error).toContain('did you mean "age"');
  expect((await post('/predict/churn', [body.example])).status).toBe(200);
});

test('a request that is broken in itself is 400, an unknown form 415, an unknown method 400', async () => {
  for (const body of ['', '{', '[1, NaN]', '"text"', '7', 'null'])
    expect((await post('/predict/churn', body)).status).toBe(400);
  for (const type of ['application/x-python-pickle', 'application/octet-stream', 'application/x-npy']) {
    const { status, body } = await post('/predict/churn', '[]', { 'content-type': type });
    expect([status, body.code]).toEqual([415, 'unsupported-media-type']);
  }
  expect((await post('/predict/churn?method=__init__', [row])).status).toBe(400);
  expect((await post('/predict/churn?method=fit', [row])).status).toBe(400);
});

test('a failure of the model is 500 with its message; its traceback stays in the log', async () => {
  const { status, headers, body } = await post('/predict/broken', [{ x: 1 }]);
  expect([status, body.error, body.code]).toEqual([500, 'ValueError: no such column', 'model-failed']);
  expect(headers.get('ingot-model-version')).toBe('1');
  expect(JSON.stringify(body)).not.toContain('Traceback');
  expect(logged.join('\n')).toContain('predict failed with 500');
});

test('a wrong path is 404 with the nearest route, a wrong method 405 with the right ones', async () => {
  const missing = await get('/v2/model/churn');
  expect(missing.status).toBe(404);
  expect(missing.body).toMatchObject({ code: 'path-not-found', nearest: '/v2/models/churn' });
  const wrong = await get('/predict/churn');
  expect(wrong.status).toBe(405);
  expect(wrong.headers.get('allow')).toBe('POST');
  expect((await post('/predict/chrn', [])).status).toBe(404);
  expect((await fetch(`${served.url}/v2`, { method: 'DELETE' })).status).toBe(405);
  expect((await get('/%zz')).status).toBe(404);
});

test('HEAD is answered like GET without a body', async () => {
  const response = await fetch(`${served.url}/v2`, { method: 'HEAD' });
  expect([response.status, await response.text()]).toEqual([200, '']);
  expect(Number(response.headers.get('content-length'))).toBeGreaterThan(10);
});

test('gzip and deflate bodies are read, with and without the zlib header; large replies are compressed on request', async () => {
  const body = JSON.stringify([row]);
  for (const [encoding, bytes] of [
    ['gzip', gzipSync(body)],
    ['deflate', deflateSync(body)],
    ['deflate', deflateRawSync(body)],
  ] as const) {
    expect((await post('/predict/churn', bytes, { 'content-encoding': encoding })).body.predictions).toEqual([42.5]);
  }
  expect((await post('/predict/churn', 'x', { 'content-encoding': 'gzip' })).status).toBe(400);
  expect((await post('/predict/churn', 'x', { 'content-encoding': 'br' })).status).toBe(415);
  const rows = Array.from({ length: 1000 }, () => row);
  const zipped = await exchange('/predict/churn', JSON.stringify(rows), { 'accept-encoding': 'gzip' });
  expect(zipped.message.headers['content-encoding']).toBe('gzip');
  expect(JSON.parse(gunzipSync(zipped.bytes).toString()).predictions).toHaveLength(1000);
  const plain = await exchange('/predict/churn', JSON.stringify(rows), { 'accept-encoding': 'gzip;q=0' });
  expect(plain.message.headers['content-encoding']).toBeUndefined();
});

async function exchange(
  path: string,
  body: string,
  headers: Record<string, string>,
): Promise<{ message: IncomingMessage; bytes: Buffer }> {
  const sent = httpRequest(served.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
  });
  sent.end(body);
  const [message] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  return { message, bytes: Buffer.concat(chunks) };
}

test('a body over the limit is 413: announced, in chunks, or only when decompressed', async () => {
  const large = Buffer.alloc(3 * 1024 * 1024, 0x20);
  const announced = await post('/predict/churn', large);
  expect([announced.status, announced.body.code, announced.body.limitBytes]).toEqual([
    413,
    'payload-too-large',
    1024 * 1024,
  ]);
  const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024));
  expect((await post('/predict/churn', bomb, { 'content-encoding': 'gzip' })).status).toBe(413);
  const chunked = httpRequest(`${served.url}/predict/churn`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
  });
  chunked.end(large);
  const [message] = (await once(chunked, 'response')) as [IncomingMessage];
  message.resume();
  expect(message.statusCode).toBe(413);
});

test('a large body is refused before it is sent when the client asks first', async () => {
  const answer = await raw(
    'POST /predict/churn HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\nExpect: 100-continue\r\n\r\n',
  );
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  expect(answer).toContain('"code":"payload-too-large"');
});

test('after a refused body the connection answers the next request', async () => {
  const body = 'x'.repeat(2 * 1024 * 1024);
  const answer = await raw(
    `POST /predict/churn HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
  );
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  expect(answer).toContain('{"live":true}');
});

test('what is no HTTP, ambiguous, too large in its headers or too slow gets an error and a closed connection', async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['nonsense\r\n\r\n', /^HTTP\/1\.1 400 /],
    [
      'POST /v2 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    ['POST /v2 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello', /^HTTP\/1\.1 400 /],
    [`GET /v2 HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
    ['GET /v2 HTTP/1.1\r\nHost: x\r\nX-Slow: ', /^HTTP\/1\.1 408 /],
    ['POST /predict/churn HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[', /^HTTP\/1\.1 408 /],
  ];
  for (const [bytes, expected] of cases) {
    const answer = await raw(bytes);
    expect(answer).toMatch(expected);
    expect(answer).toContain('{"error":');
  }
});

test('a client that goes away aborts its prediction', async () => {
  const gone = new Promise<void>((resolve) => {
    aborted = resolve;
  });
  const abort = new AbortController();
  const pending = fetch(`${served.url}/predict/waiting`, {
    method: 'POST',
    body: '[{"x": 1}]',
    headers: { 'content-type': 'application/json' },
    signal: abort.signal,
  }).catch(() => 'cut');
  while (host.leased() === 0) await new Promise(setImmediate);
  abort.abort();
  await gone;
  expect(await pending).toBe('cut');
  while (host.leased() > 0) await new Promise(setImmediate);
});

test('a request id comes back, but not one that could break a header or a log', async () => {
  expect((await post('/predict/churn', [row], { 'x-request-id': 'abc-1' })).headers.get('x-request-id')).toBe('abc-1');
  expect((await post('/predict/churn', [row], { 'x-request-id': 'a b' })).headers.get('x-request-id')).toBeNull();
});

test('health, readiness and version answer on all their routes', async () => {
  expect((await get('/health/live')).body).toEqual({ live: true });
  for (const path of ['/health/ready', '/healthz', '/v2/health/ready'])
    expect((await get(path)).body).toEqual({ live: true, ready: true });
  for (const path of ['/ping', '/health']) expect(await (await fetch(served.url + path)).text()).toBe('\n');
  expect(await (await fetch(`${served.url}/version`)).text()).toBe('1.2.3');
});

test('metrics count by model, version, route and status, and never by what a client made up', async () => {
  await post('/predict/churn', [row]);
  await get('/made/up/by/a/client');
  const text = await (await fetch(`${served.url}/metrics`)).text();
  expect(text).toMatch(/ingot_requests_total\{route="predict",model="churn",version="7",status="200"\} \d+/);
  expect(text).toMatch(/ingot_request_duration_seconds_bucket\{le="0.01",route="predict",model="churn"/);
  expect(text).toMatch(/ingot_requests_in_flight 1/);
  expect(text).toMatch(/ingot_model_state\{model="churn",version="7",state="READY"\} 1/);
  expect(text).not.toContain('made');
});

test('pages show models and escape what came from packages; they load nothing from elsewhere', async () => {
  for (const path of ['/', '/docs']) {
    const response = await fetch(served.url + path);
    const text = await response.text();
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(text).toContain(`curl ${served.url}/predict/churn`);
    expect(text).not.toMatch(/<script|src=|https?:\/\/(?!127)/);
  }
});

test('closing lets a request in flight end, denies readiness meanwhile, and takes no new ones', async () => {
  let answer: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const slow = memoryHost([
    { name: 'slow', predict: async (request) => held.then(() => ({ outputs: request.inputs })) },
  ]);
  const other = await serveApp({ host: slow });
  const pending = fetch(`${other.url}/predict/slow`, {
    method: 'POST',
    body: '[{"x": 1}]',
    headers: { 'content-type': 'application/json' },
  });
  while (slow.leased() === 0) await new Promise(setImmediate);
  const closed = other.app.close({ drainMs: 5000 });
  await expect(fetch(`${other.url}/v2`)).rejects.toThrow();
  answer();
  const response = await pending;
  expect(response.headers.get('connection')).toBe('close');
  expect(await response.json()).toMatchObject({ predictions: [1] });
  await closed;
});

test('clients that keep their connections lose no request to a server that lingers before it closes', async () => {
  const other = await serveApp({
    host: memoryHost([{ name: 'steady', predict: async (request) => ({ outputs: request.inputs }) }]),
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (): Promise<string | undefined> =>
    new Promise((resolve, reject) => {
      const sent = httpRequest(`${other.url}/v2/health/live`, { agent }, (reply) =>
        reply.resume().on('end', () => resolve(reply.headers.connection)),
      );
      sent.on('error', reject).end();
    });
  expect(await ask()).toBe('keep-alive');
  const closed = other.app.close({ lingerMs: 200 });
  const answers = [await ask(), await ask()];
  expect(answers).toEqual(['close', 'close']);
  expect((await fetch(`${other.url}/v2/health/ready`)).status).toBe(503);
  await closed;
  await expect(ask()).rejects.toThrow('ECONNREFUSED');
  agent.destroy();
});

test('closing cuts what does not end in time', async () => {
  const stuck = memoryHost([{ name: 'stuck', predict: () => new Promise(() => undefined) }]);
  const other = await serveApp({ host: stuck });
  const pending = fetch(`${other.url}/predict/stuck`, {
    method: 'POST',
    body: '[{"x": 1}]',
    headers: { 'content-type': 'application/json' },
  });
  pending.catch(() => undefined);
  while (stuck.leased() === 0) await new Promise(setImmediate);
  await other.app.close({ drainMs: 20 });
  await expect(pending).rejects.toThrow();
});
