import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { digestOf } from '@ingot/core/digest';
import { randomOf } from '@ingot/core/seeded-random';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildOnce } from '../../../../conformance/cli/build-once.ts';
import { BINARY, workDirectory } from '../../../../conformance/cli/run-case.ts';
import { worldOf } from '../../../../conformance/world.ts';

const FILES = '/api/2.0/mlflow-artifacts/artifacts';

beforeAll(buildOnce);

interface Up extends AsyncDisposable {
  readonly url: string;
  kill(): Promise<void>;
}

async function up(cwd: string): Promise<Up> {
  const env = { ...worldOf(cwd), INGOT_STATE: join(cwd, 'state') };
  const words = [BINARY, 'up', '--port', '0', '--json'];
  const child = spawn(process.execPath, words, { cwd, env, stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(child, 'close');
  const line = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  const { url } = JSON.parse(String(line.value));
  return { url, kill: () => end('SIGKILL'), [Symbol.asyncDispose]: () => end('SIGTERM') };
}

/** Sends a path as it is: what a URL would mend is sent, too. */
function send(
  url: string,
  path: string,
  { method = 'GET', body, agent }: { method?: string; body?: Buffer; agent?: Agent } = {},
): Promise<{ readonly status: number; readonly bytes: Buffer }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, method, agent, headers: { 'content-length': body?.length ?? 0 } });
    asked.on('error', reject);
    asked.on('response', (reply) => {
      const pieces: Buffer[] = [];
      reply.on('data', (piece) => pieces.push(piece));
      reply.on('error', reject);
      reply.on('end', () => resolve({ status: reply.statusCode ?? 0, bytes: Buffer.concat(pieces) }));
    });
    asked.end(body);
  });
}

describe('the artifact proxy', () => {
  it('has every byte that it has acknowledged, whenever it is killed', async () => {
    using work = workDirectory();
    const acknowledged = new Map<string, string>();
    for (const [round, killAfter] of [40, 5, 120].entries()) {
      const server = await up(work.path);
      const agent = new Agent({ keepAlive: true, maxSockets: 8 });
      let ending: Promise<void> | undefined;
      const puts = Array.from({ length: 150 }, async (_, n) => {
        const body = randomBytes(n % 10 === 0 ? 700_000 : 3000);
        const path = `${FILES}/0/run/artifacts/${round}/${n % 7}/${n}`;
        const { status } = await send(server.url, path, { method: 'PUT', body, agent });
        if (status !== 200) return;
        acknowledged.set(path, digestOf(body));
        if (acknowledged.size >= killAfter && ending === undefined) ending = server.kill();
      });
      await Promise.allSettled(puts);
      await (ending ?? server.kill());
      agent.destroy();
    }
    await using server = await up(work.path);
    const lost: string[] = [];
    for (const [path, digest] of acknowledged) {
      const { status, bytes } = await send(server.url, path);
      if (status !== 200 || digestOf(bytes) !== digest) lost.push(path);
    }
    expect(acknowledged.size).toBeGreaterThan(100);
    expect(lost).toEqual([]);
  });

  it('gives nothing that was not put, whatever 2,000 generated addresses say', async () => {
    using work = workDirectory({ 'secret.txt': 'nobody may see this' });
    await using server = await up(work.path);
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    const random = randomOf(7);
    const pieces = [
      '..',
      '.',
      '/',
      '%2e%2e',
      '%2f',
      '%5c',
      '%252e',
      '%00',
      'secret.txt',
      'etc',
      'passwd',
      '%c0%ae',
      '//',
    ];
    const odd: string[] = [];
    const ask = async (): Promise<void> => {
      const some = Array.from(
        { length: 1 + Math.floor(random() * 9) },
        () => pieces[Math.floor(random() * pieces.length)],
      );
      const path = `${FILES}/${some.join('')}`;
      const { status, bytes } = await send(server.url, path, { agent });
      const isRefusal = status === 400 || status === 404;
      if (!isRefusal || bytes.includes('nobody may see') || bytes.includes('root:')) odd.push(`${status} ${path}`);
    };
    for (let round = 0; round < 250; round += 1) await Promise.all(Array.from({ length: 8 }, ask));
    agent.destroy();
    expect(odd).toEqual([]);
  });
});
