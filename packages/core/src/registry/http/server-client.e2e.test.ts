import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { openServerClient } from './server-client.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

async function serve(answer: Answer): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}

const sleep = async (): Promise<void> => {};
const options = { env: {}, authorization: 'Bearer canary', retry: { sleep } };

describe('the client of a registry server', () => {
  test('repeats a write with the same key while the server is busy, as long as it asks for', async () => {
    const keys: unknown[] = [];
    const waits: number[] = [];
    const url = await serve((request, response) => {
      keys.push(request.headers['idempotency-key']);
      const status = [429, 503, 201][keys.length - 1] ?? 500;
      response.writeHead(status, { 'retry-after': '3', connection: 'close' }).end(status === 201 ? '{"id":"x"}' : '');
    });
    const retry = { sleep, random: () => 0, onRetry: (_: unknown, __: number, delayMs: number) => waits.push(delayMs) };
    const client = await openServerClient(url, { ...options, retry });
    expect((await client.ask({ method: 'POST', path: '/models', body: {} })).body).toEqual({ id: 'x' });
    expect(new Set(keys).size).toBe(1);
    expect([keys[0], waits]).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), [3000, 3000]]);
  });

  test('throws what the server says is wrong, once', async () => {
    let asked = 0;
    const url = await serve((_, response) => {
      asked += 1;
      const problem = { code: 'alias-not-found', detail: 'no such alias', nearest: 'churn@production', hint: 'ls' };
      response.writeHead(404, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
    });
    const client = await openServerClient(url, options);
    await expect(client.ask({ method: 'GET', path: '/x' })).rejects.toMatchObject({
      code: 'alias-not-found',
      nearest: 'churn@production',
      hint: 'ls',
    });
    expect(asked).toBe(1);
  });

  test('does not follow a redirect to another place, where the token would go', async () => {
    const seen: unknown[] = [];
    const elsewhere = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end('{}');
    });
    const url = await serve((_, response) => {
      response.writeHead(307, { location: `${elsewhere}/api/v1/x` }).end();
    });
    const client = await openServerClient(url, options);
    await expect(client.ask({ method: 'GET', path: '/x' })).rejects.toMatchObject({ code: 'refused' });
    expect(seen).toEqual([]);
  });

  test('sends no token without TLS to another machine, unless that is allowed', async () => {
    await expect(openServerClient('http://models.example.com', options)).rejects.toMatchObject({ code: 'refused' });
    await openServerClient('http://models.example.com', { ...options, allowPlainHttp: true });
    await openServerClient('http://models.example.com', { env: {} });
    await openServerClient('http://127.0.0.1:1', options);
  });
});
