import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, it } from 'vitest';
import { openBlobStore } from './open.ts';

it('tells who waits which storage fails, and names it once', { timeout: 60_000 }, async () => {
  const server = createServer((_, reply) => reply.writeHead(503).end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const warnings: string[] = [];
  const env = { STORAGE_EMULATOR_HOST: `http://127.0.0.1:${port}`, INGOT_RETRIES: '3' };
  const blobs = await openBlobStore('gs://models/team', { env, onWarning: (message) => warnings.push(message) });
  await expect(blobs.stat('ingot.json')).rejects.toMatchObject({ code: 'overloaded' });
  server.close();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]?.match(/gs:\/\/models\/team/g)).toHaveLength(1);
  expect(warnings[0]).toMatch(/; trying again$/);
});
