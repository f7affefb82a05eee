import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutBucketVersioningCommand, S3Client } from '@aws-sdk/client-s3';
import { testServer } from '../../../../scripts/lib/servers/test-servers.mjs';
import { answers, freePort, startProcess, type TestServer } from './server.ts';

/** Starts versitygw: S3 over a directory, strict about signatures and digests. Its bucket `models` keeps versions by default. */
export async function startVersitygw(options: { readonly versioning?: boolean } = {}): Promise<TestServer> {
  const binary = await testServer('versitygw');
  const home = await mkdtemp(join(tmpdir(), 'ingot-versitygw-'));
  const [iam, versions, data] = [join(home, 'iam'), join(home, 'versions'), join(home, 'data')];
  for (const directory of [iam, versions, join(data, 'models')]) await mkdir(directory, { recursive: true });
  const port = await freePort();
  const running = await startProcess({
    command: binary,
    args: [
      ...['--port', `127.0.0.1:${port}`, '--iam-dir', iam, 'posix'],
      ...(options.versioning === false ? [] : ['--versioning-dir', versions]),
      data,
    ],
    env: { ...process.env, ROOT_ACCESS_KEY: 'akey', ROOT_SECRET_KEY: 'skeyskey' },
    isReady: () => answers(`http://127.0.0.1:${port}/`),
  });
  const env = {
    AWS_ACCESS_KEY_ID: 'akey',
    AWS_SECRET_ACCESS_KEY: 'skeyskey',
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
  };
  if (options.versioning !== false) await keepVersions(env);
  return {
    address: 's3://models',
    port,
    env,
    close: async () => {
      await running.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function keepVersions(
  env: Readonly<Record<'AWS_ENDPOINT_URL' | 'AWS_ACCESS_KEY_ID' | 'AWS_SECRET_ACCESS_KEY', string>>,
) {
  const credentials = { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY };
  const client = new S3Client({
    endpoint: env.AWS_ENDPOINT_URL,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials,
  });
  const VersioningConfiguration = { Status: 'Enabled' } as const;
  await client.send(new PutBucketVersioningCommand({ Bucket: 'models', VersioningConfiguration }));
  client.destroy();
}
