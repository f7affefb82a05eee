/** An S3 server (versitygw, over a directory) with one bucket, `models`, and what each contender must know to use it. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../scripts/demo/engine.mjs';
import { versitygw } from '../../scripts/lib/bench-peers.mjs';
import { bytesUnder, fresh } from './folders.mjs';
import { SERVER_HOST, startLink } from './link.mjs';
import { startService } from './service.mjs';

const BUCKET = 'models';
const KEYS = { AWS_ACCESS_KEY_ID: 'akey', AWS_SECRET_ACCESS_KEY: 'skeyskey', AWS_REGION: 'us-east-1', AWS_DEFAULT_REGION: 'us-east-1' };

/** Starts it on a line of its own, `delayMs` late, or on the loopback where no line can be made (then with the reason, and only without a delay). */
export async function startS3({ delayMs = 0 } = {}) {
  const binary = await versitygw();
  const { link, noLink } = await lineOrReason(delayMs);
  const home = fresh('s3');
  const [iam, data] = [join(home, 'iam'), join(home, 'data')];
  const bucket = join(data, BUCKET);
  for (const directory of [iam, bucket]) mkdirSync(directory, { recursive: true });
  const [host, port] = link === undefined ? ['127.0.0.1', await freePort()] : [SERVER_HOST, 7070];
  const program = { command: binary, args: ['--port', `${host}:${port}`, '--iam-dir', iam, '--quiet', '--keep-alive', 'posix', data] };
  const env = { ...process.env, ROOT_ACCESS_KEY: KEYS.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: KEYS.AWS_SECRET_ACCESS_KEY };
  let server;
  try {
    server = await startService({ ...(link?.onServer(program) ?? program), env, port, netOf: link?.serverPid });
  } catch (error) {
    await link?.stop();
    throw error;
  }
  return {
    ...addressesOf(`http://${host}:${port}`),
    how: link?.how ?? `the loopback (${noLink})`,
    contest: { servers: [server.pid], via: link?.onClient, traffic: link?.traffic, isFlushed: false },
    storedBytes: async () => bytesUnder(bucket),
    empty: async () => {
      for (const name of readdirSync(bucket)) rmSync(join(bucket, name), { recursive: true, force: true });
    },
    stop: async () => {
      await server.stop();
      await link?.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function lineOrReason(delayMs) {
  try {
    return { link: await startLink({ delayMs }) };
  } catch (error) {
    if (delayMs > 0) throw new Error(`no line with a delay can be made here (it needs root): ${error.message}`, { cause: error });
    return { noLink: error.message.split('\n')[0] };
  }
}

function addressesOf(endpoint) {
  const rclone = { TYPE: 's3', PROVIDER: 'Other', ENDPOINT: endpoint, REGION: KEYS.AWS_REGION, ACCESS_KEY_ID: KEYS.AWS_ACCESS_KEY_ID, SECRET_ACCESS_KEY: KEYS.AWS_SECRET_ACCESS_KEY };
  return {
    endpoint,
    bucket: BUCKET,
    address: `s3://${BUCKET}/ingot`,
    env: { ...KEYS, AWS_ENDPOINT_URL: endpoint },
    rclone: `bench:${BUCKET}`,
    rcloneEnv: Object.fromEntries(Object.entries(rclone).map(([name, value]) => [`RCLONE_CONFIG_BENCH_${name}`, value])),
    restic: `s3:${endpoint}/${BUCKET}/restic`,
  };
}
