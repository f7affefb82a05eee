import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { afterEach, describe, test } from 'vitest';
import { isIngotError } from '../../errors.ts';
import { bodyOf } from '../bytes.ts';
import { HttpClient } from './client.ts';

const servers: Server[] = [];

async function serve(server: Server): Promise<HttpClient> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return new HttpClient({ origin: `http://127.0.0.1:${port}`, credentialsHint: 'none', silenceMs: 1000 });
}

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

describe('the HTTP client', () => {
  test('sends a request anew that went out on a connection which the server was just ending', async () => {
    const onConnection = new Map<unknown, number>();
    const bodies: string[] = [];
    const client = await serve(
      createServer(async (request, response) => {
        const count = (onConnection.get(request.socket) ?? 0) + 1;
        onConnection.set(request.socket, count);
        if (count === 2) return request.socket.destroy();
        let text = '';
        for await (const piece of request) text += piece;
        bodies.push(text);
        response.end();
      }),
    );
    for (const n of [1, 2, 3, 4]) {
      const reply = await client.send({
        method: 'PUT',
        path: '/x',
        body: bodyOf(`body ${n}`),
        operation: 'blob.write',
      });
      assert.equal(reply.status, 200);
      await reply.discard();
    }
    assert.deepEqual(bodies, ['body 1', 'body 2', 'body 3', 'body 4']);
  });

  test('gives up a request on a new connection that is ended, without a second one', async () => {
    let requests = 0;
    const client = await serve(
      createServer((request) => {
        requests += 1;
        request.socket.destroy();
      }),
    );
    await assert.rejects(client.send({ method: 'GET', path: '/x', operation: 'blob.read' }), (error) =>
      isIngotError(error, 'unavailable'),
    );
    assert.equal(requests, 1);
  });

  test('takes an answer that comes before the whole body was sent', async () => {
    const client = await serve(createServer((_, response) => response.writeHead(413).end()));
    const endless = {
      sizeBytes: 1e9,
      open: async function* () {
        for (let n = 0; n < 1000; n += 1) yield Buffer.alloc(1e6);
      },
    };
    const reply = await client.send({ method: 'PUT', path: '/x', body: endless, operation: 'blob.write' });
    assert.equal(reply.status, 413);
    await reply.discard();
  });

  test('refuses what redirects in circles', async () => {
    const client = await serve(createServer((_, response) => response.writeHead(302, { location: '/x' }).end()));
    await assert.rejects(client.send({ method: 'GET', path: '/x', operation: 'blob.read' }), (error) =>
      isIngotError(error, 'refused'),
    );
  });
});
