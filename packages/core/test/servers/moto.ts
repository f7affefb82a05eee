import { join } from 'node:path';
import { testServer } from '../../../../scripts/lib/servers/test-servers.mjs';
import { answers, freePort, startProcess, type TestServer } from './server.ts';

/** Starts moto: AWS's answers, in memory, credulous about signatures and digests, with the bucket `models` in it. */
export async function startMoto(): Promise<TestServer> {
  const venv = await testServer('moto');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const running = await startProcess({
    command: join(venv, 'bin/moto_server'),
    args: ['-H', '127.0.0.1', '-p', String(port)],
    isReady: () => answers(`${url}/moto-api/data.json`),
  });
  const created = await fetch(`${url}/models`, { method: 'PUT', headers: { authorization: CREDENTIAL } });
  await created.body?.cancel();
  if (!created.ok) throw new Error(`moto made no bucket: ${created.status}`);
  return {
    address: 's3://models',
    port,
    env: {
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: url,
    },
    close: () => running.stop(),
  };
}

// moto reads the service and the account out of it and checks no signature.
const CREDENTIAL =
  'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=none';
