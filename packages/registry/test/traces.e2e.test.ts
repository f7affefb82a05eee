import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { trialServer, withToken } from './trial-server.ts';

interface Posted {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

interface Span {
  readonly traceId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Record<string, string> }[];
  readonly status: { readonly code?: number };
}

const CANARY = 'canary5ecret';
const TRACE = '0af7651916cd43dd8448eb211c80319c';

let collector: Server;
let endpoint: string;
const posted: Posted[] = [];
let isSilent: boolean;

beforeEach(async () => {
  posted.length = 0;
  isSilent = false;
  collector = createServer((request, response) => {
    let text = '';
    request.on('data', (data) => {
      text += String(data);
    });
    request.on('end', () => {
      posted.push({ path: request.url ?? '', headers: request.headers, text });
      if (!isSilent) response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const address = collector.address() as AddressInfo;
  endpoint = `http://127.0.0.1:${address.port}`;
});
afterEach(async () => {
  collector.closeAllConnections();
  await new Promise((resolve) => collector.close(resolve));
});

function spans(): Span[] {
  return posted.flatMap(({ text }) => JSON.parse(text).resourceSpans[0].scopeSpans[0].spans as Span[]);
}

test('a collector gets a span for each request, of its trace, with its attributes, and no secret of it', async () => {
  const traces = { endpoint: `${endpoint}/`, headers: 'x-tenant=ml%20team', serviceName: 'models', everyMs: 20 };
  {
    await using server = await trialServer({ traces, drainMs: 0 });
    const headers = { ...Object(withToken(server.firstToken).headers), traceparent: `00-${TRACE}-b7ad6b7169203331-01` };
    await server.ask(`/api/v1/models/none?token=${CANARY}`, { headers });
    await expect.poll(() => posted.length).toBeGreaterThan(0);
    const body = { name: 'ana', password: `${CANARY} horse battery` };
    await server.ask('/api/v1/accounts', withToken(server.firstToken, 'POST', body));
    await server.ask(`/${CANARY}`, { headers: { authorization: `Bearer ${CANARY}`, cookie: `a=${CANARY}` } });
  }
  const [first, second, third] = spans();
  expect(posted[0]).toMatchObject({ path: '/v1/traces', headers: { 'x-tenant': 'ml team' } });
  const [resource] = JSON.parse(posted[0]?.text ?? '{}').resourceSpans;
  expect(resource.resource.attributes[0]).toEqual({ key: 'service.name', value: { stringValue: 'models' } });
  expect(first).toMatchObject({
    traceId: TRACE,
    parentSpanId: 'b7ad6b7169203331',
    name: 'GET /api/v1/models/:name',
    status: {},
    attributes: [
      { key: 'http.request.method', value: { stringValue: 'GET' } },
      { key: 'http.route', value: { stringValue: '/api/v1/models/:name' } },
      { key: 'http.response.status_code', value: { intValue: '404' } },
      { key: 'ingot.request_id', value: { stringValue: expect.any(String) } },
    ],
  });
  expect(BigInt(first?.endTimeUnixNano ?? 0)).toBeGreaterThan(BigInt(first?.startTimeUnixNano ?? 0));
  expect([second?.name, third?.name]).toEqual(['POST /api/v1/accounts', 'GET none']);
  expect(JSON.stringify(posted)).not.toContain(CANARY);
  expect(JSON.stringify(posted)).not.toContain('ingot_');
});

test('a collector that is away or hangs costs no request anything, is told once, and does not keep the server from stopping', async () => {
  isSilent = true;
  const away = 'http://user:pass@127.0.0.1:9';
  for (const traces of [
    { endpoint: away, everyMs: 5 },
    { endpoint, everyMs: 5 },
  ]) {
    const server = await trialServer({ traces, drainMs: 0 });
    for (let count = 0; count < 20; count += 1) expect((await server.ask('/healthz')).status).toBe(200);
    if (traces.endpoint === away) await expect.poll(() => server.logged.length).toBeGreaterThan(0);
    await server.ask('/healthz');
    const beganAt = performance.now();
    await server[Symbol.asyncDispose]();
    expect(performance.now() - beganAt).toBeLessThan(4500);
    const told = server.logged.filter((line) => line.includes('traces are lost'));
    expect(told.length).toBeLessThanOrEqual(1);
    if (traces.endpoint === away)
      expect(told).toEqual([expect.stringContaining('traces are lost: http://127.0.0.1:9')]);
    expect(told.join()).not.toContain('pass');
  }
});
