import { createServer } from 'node:http';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildOnce } from './build-once.ts';
import { runIngot, workDirectory } from './run-case.ts';

beforeAll(buildOnce);

/** A storage that refuses every request, and counts those who come. */
async function countingStorage() {
  let visits = 0;
  const server = createServer((_, response) => response.writeHead(403).end());
  server.on('connection', () => {
    visits += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const env = {
    INGOT_REGISTRY: 's3://models/team',
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'key',
    AWS_SECRET_ACCESS_KEY: 'secret',
  };
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
  };
  return { env, visits: () => visits, [Symbol.asyncDispose]: close };
}

describe('INGOT_OFFLINE', () => {
  it.each([
    ['pull churn@production --cached'],
    ['pull churn -o here'],
    ['serve churn --port 0'],
    ['show churn'],
    ['lock churn'],
  ])('ingot %s asks a storage nothing', async (line) => {
    await using storage = await countingStorage();
    using directory = workDirectory();
    const words = [...line.split(' '), '--json'];
    const offline = await runIngot(words, { cwd: directory.path, env: { ...storage.env, INGOT_OFFLINE: '1' } });
    expect(offline.stderr).toContain('INGOT_OFFLINE');
    expect(offline.status).toBe(7);
    expect(storage.visits()).toBe(0);
  });

  it('without it the same storage is asked', async () => {
    await using storage = await countingStorage();
    using directory = workDirectory();
    const asked = await runIngot(['pull', 'churn', '--cached'], { cwd: directory.path, env: storage.env });
    expect(asked.status).not.toBe(0);
    expect(storage.visits()).toBeGreaterThan(0);
  });
});
