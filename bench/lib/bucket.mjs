/** A bucket for measurements: versitygw, a strict S3 over a directory of this machine, which keeps connections as clouds do. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../scripts/demo/engine.mjs';
import { testServer } from '../../scripts/lib/servers/test-servers.mjs';
import { bytesUnder, fresh } from './folders.mjs';
import { SERVER_HOST, startLink } from './link.mjs';
import { startService } from './service.mjs';

const BUCKET = 'models';
const REGION = 'us-east-1';
const [USER, SECRET] = ['akey', 'skeyskey'];
const PORT_ON_LINE = 7070;

/**
 * Starts a bucket whose objects lie under `key`, empty unless `from`, a directory of files, becomes its contents. It is on
 * the loopback; with `line` on a line of its own where one can be made, and with `delayMs` on one that is so late, or not
 * at all.
 *
 * Gives its addresses and variables for Ingot (`address`, `env`), rclone (`rclone`, `rcloneEnv`) and restic; for a contest
 * what every contender on it needs (`contest`); how it is reached in words (`how`); the server's process ids, what is stored, how
 * many requests it met, and what empties and ends it.
 */
export async function startBucket(key, { from, line = false, delayMs = 0 } = {}) {
  const { link, reason } = line || delayMs > 0 ? await linkOrReason(delayMs) : {};
  const home = fresh('buckets', key);
  const data = join(home, 'data', BUCKET);
  for (const directory of [join(home, 'iam'), join(home, 'data')]) mkdirSync(directory, { recursive: true });
  if (from === undefined) mkdirSync(data);
  else renameSync(from, data);
  const log = join(home, 'requests.log');
  const [host, port] = link === undefined ? ['127.0.0.1', await freePort()] : [SERVER_HOST, PORT_ON_LINE];
  const server = await startGateway({ host, port, home, log, link });
  return {
    ...addressesOf(`http://${host}:${port}`),
    how: link?.how ?? (reason === undefined ? 'the loopback' : `the loopback, as no line of its own could be made: ${reason}`),
    servers: [server.pid],
    contest: { servers: [server.pid], via: link?.onClient, traffic: link?.traffic, isFlushed: false },
    storedBytes: async () => bytesUnder(data),
    requests: () => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0),
    async empty() {
      for (const name of readdirSync(data)) rmSync(join(data, name), { recursive: true, force: true });
    },
    async stop() {
      await server.stop();
      await link?.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function linkOrReason(delayMs) {
  try {
    return { link: await startLink({ delayMs }) };
  } catch (error) {
    if (delayMs > 0) throw new Error(`no line with a delay can be made here (it needs Linux and root): ${error.message}`, { cause: error });
    return { reason: error.message.split('\n')[0] };
  }
}

async function startGateway({ host, port, home, log, link }) {
  try {
    const command = await testServer('versitygw');
    const args = ['--port', `${host}:${port}`, '--iam-dir', join(home, 'iam'), '--keep-alive', '--quiet', '--access-log', log, 'posix', join(home, 'data')];
    const program = link?.onServer({ command, args }) ?? { command, args };
    return await startService({ ...program, env: { ...process.env, ROOT_ACCESS_KEY: USER, ROOT_SECRET_KEY: SECRET }, port, netOf: link?.serverPid });
  } catch (error) {
    await link?.stop();
    throw error;
  }
}

function addressesOf(endpoint) {
  return {
    address: `s3://${BUCKET}`,
    bucket: BUCKET,
    endpoint,
    env: { AWS_ACCESS_KEY_ID: USER, AWS_SECRET_ACCESS_KEY: SECRET, AWS_REGION: REGION, AWS_DEFAULT_REGION: REGION, AWS_ENDPOINT_URL: endpoint },
    rclone: `bucket:${BUCKET}`,
    rcloneEnv: rcloneVariables(endpoint),
    restic: `s3:${endpoint}/${BUCKET}/restic`,
  };
}

const rcloneVariables = (endpoint) => ({
  RCLONE_CONFIG_BUCKET_TYPE: 's3',
  RCLONE_CONFIG_BUCKET_PROVIDER: 'Other',
  RCLONE_CONFIG_BUCKET_ACCESS_KEY_ID: USER,
  RCLONE_CONFIG_BUCKET_SECRET_ACCESS_KEY: SECRET,
  RCLONE_CONFIG_BUCKET_REGION: REGION,
  RCLONE_CONFIG_BUCKET_ENDPOINT: endpoint,
  RCLONE_CONFIG_BUCKET_FORCE_PATH_STYLE: 'true',
  RCLONE_S3_NO_CHECK_BUCKET: 'true',
});
