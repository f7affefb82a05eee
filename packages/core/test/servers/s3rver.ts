import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testServer } from '../../../../scripts/lib/servers/test-servers.mjs';
import { answers, freePort, startProcess, type TestServer } from './server.ts';

/** Starts s3rver, which ignores conditions: it overwrites in spite of `If-None-Match`. With the bucket `models` in it. */
export async function startS3rver(): Promise<TestServer> {
  const directory = await testServer('s3rver');
  const data = await mkdtemp(join(tmpdir(), 'ingot-s3rver-'));
  await mkdir(join(data, 'models'));
  const port = await freePort();
  const running = await startProcess({
    command: process.execPath,
    args: [
      join(directory, 'node_modules/s3rver/bin/s3rver.js'),
      ...['-d', data, '-a', '127.0.0.1', '-p', String(port), '--silent'],
    ],
    isReady: () => answers(`http://127.0.0.1:${port}/`),
  });
  return {
    address: 's3://models',
    port,
    env: {
      AWS_ACCESS_KEY_ID: 'S3RVER',
      AWS_SECRET_ACCESS_KEY: 'S3RVER',
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    },
    close: async () => {
      await running.stop();
      await rm(data, { recursive: true, force: true });
    },
  };
}
