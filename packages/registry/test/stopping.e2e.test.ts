import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { expect, test } from 'vitest';
import { trialServer } from './trial-server.ts';

const agent = new Agent({ keepAlive: true });

/** Sends the head of a request, and the body up to a point. */
function begin(url: string, method: string, token: string): ClientRequest {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return request(url, { method, agent, headers });
}

async function answerTo(sent: ClientRequest): Promise<{ status: number | undefined; connection: string | undefined }> {
  const response: IncomingMessage = await new Promise((resolve, reject) => {
    sent.once('response', resolve);
    sent.once('error', reject);
  });
  response.resume();
  await new Promise((resolve) => response.once('end', resolve));
  return { status: response.statusCode, connection: response.headers.connection };
}

test('a server that stops answers what came before and meanwhile, closes each connection behind its answer, and waits for no client', async () => {
  const server = await trialServer({ drainMs: 300 });
  const body = JSON.stringify({ name: 'churn' });
  const running = begin(`${server.url}/api/v1/models`, 'POST', server.firstToken);
  running.setHeader('content-length', body.length);
  const ran = answerTo(running);
  const flushed = new Promise<void>((resolve) => running.write(body.slice(0, 4), () => resolve()));
  await flushed;
  await server.ask('/healthz');

  const beganAt = performance.now();
  const stopped = server[Symbol.asyncDispose]();
  const asked = begin(`${server.url}/healthz`, 'GET', server.firstToken);
  asked.end();
  expect(await answerTo(asked)).toEqual({ status: 200, connection: 'close' });

  const isRefused = (): Promise<boolean> =>
    server.ask('/healthz').then(
      () => false,
      () => true,
    );
  await expect.poll(isRefused, { timeout: 4000, interval: 20 }).toBe(true);
  running.end(body.slice(4));
  expect((await ran).status).toBe(201);
  await stopped;
  expect(performance.now() - beganAt).toBeLessThan(5000);
  agent.destroy();
});

test('a server whose port is taken ends without a word of what it had begun', async () => {
  await using first = await trialServer();
  const logged: string[] = [];
  const log = (_level: string, message: string): void => void logged.push(message);
  await expect(trialServer({ port: Number(new URL(first.url).port), log })).rejects.toMatchObject({
    code: 'port-in-use',
  });
  // What looks from time to time would do so within a second: nothing can be waited for that must not come.
  await new Promise((resolve) => setTimeout(resolve, 1300));
  expect(logged).toEqual([]);
});
