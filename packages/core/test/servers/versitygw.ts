import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { goTool } from '../../../../scripts/lib/servers/tools.mjs';
import { answers, freePort, startProcess, type TestServer } from './server.ts';

const MODULE = 'github.com/versity/versitygw/cmd/versitygw@v1.8.0';

/** Starts versitygw: S3 over a directory, strict about signatures and digests, with the bucket `models` in it. */
export async function startVersitygw(options: { readonly versioning?: boolean } = {}): Promise<TestServer> {
  const binary = await goTool(MODULE);
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
  return {
    address: 's3://models',
    port,
    env: {
      AWS_ACCESS_KEY_ID: 'akey',
      AWS_SECRET_ACCESS_KEY: 'skeyskey',
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    },
    close: async () => {
      await running.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}
