/** A bucket for measurements: versitygw, a strict S3 over a directory of this machine, on loopback. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../scripts/demo/engine.mjs';
import { testServer } from '../../scripts/lib/servers/test-servers.mjs';
import { tail } from '../../scripts/lib/run.mjs';
import { bytesUnder, fresh } from './folders.mjs';

const BUCKET = 'models';
const [USER, SECRET] = ['akey', 'skeyskey'];
const ANSWER_WITHIN_MS = 30_000;

/**
 * Starts a bucket whose objects lie under `key`, empty unless `from`, a directory of files, becomes its contents.
 * Gives the address and variables for Ingot (`address`, `env`) and for rclone (`rclone`, `rcloneEnv`), the server's process
 * ids, what is stored, how many requests it met, and what empties and ends it.
 */
export async function startBucket(key, { from } = {}) {
  const home = fresh('buckets', key);
  const data = join(home, 'data', BUCKET);
  for (const directory of [join(home, 'iam'), join(home, 'data')]) mkdirSync(directory, { recursive: true });
  if (from === undefined) mkdirSync(data);
  else renameSync(from, data);
  const log = join(home, 'requests.log');
  const port = await freePort();
  const args = ['--port', `127.0.0.1:${port}`, '--iam-dir', join(home, 'iam'), '--access-log', log, 'posix', join(home, 'data')];
  const child = spawn(await testServer('versitygw'), args, { env: { ...process.env, ROOT_ACCESS_KEY: USER, ROOT_SECRET_KEY: SECRET }, stdio: ['ignore', 'pipe', 'pipe'] });
  const endpoint = `http://127.0.0.1:${port}`;
  const end = await whenAnswering(child, endpoint);
  return {
    address: `s3://${BUCKET}`,
    bucket: BUCKET,
    endpoint,
    env: { AWS_ACCESS_KEY_ID: USER, AWS_SECRET_ACCESS_KEY: SECRET, AWS_REGION: 'us-east-1', AWS_ENDPOINT_URL: endpoint },
    rclone: `bucket:${BUCKET}`,
    rcloneEnv: rcloneVariables(endpoint),
    servers: [child.pid],
    storedBytes: async () => bytesUnder(data),
    requests: () => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0),
    async empty() {
      for (const name of readdirSync(data)) rmSync(join(data, name), { recursive: true, force: true });
    },
    async stop() {
      await end();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

const rcloneVariables = (endpoint) => ({
  RCLONE_CONFIG_BUCKET_TYPE: 's3',
  RCLONE_CONFIG_BUCKET_PROVIDER: 'Other',
  RCLONE_CONFIG_BUCKET_ACCESS_KEY_ID: USER,
  RCLONE_CONFIG_BUCKET_SECRET_ACCESS_KEY: SECRET,
  RCLONE_CONFIG_BUCKET_REGION: 'us-east-1',
  RCLONE_CONFIG_BUCKET_ENDPOINT: endpoint,
  RCLONE_CONFIG_BUCKET_FORCE_PATH_STYLE: 'true',
  RCLONE_S3_NO_CHECK_BUCKET: 'true',
});

/** Waits for the first answer of whatever kind; gives what ends the server. */
async function whenAnswering(child, endpoint) {
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { printed = `${printed}${data}`.slice(-8192); });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const stop = async () => {
    process.off('exit', kill);
    child.kill('SIGTERM');
    const later = setTimeout(kill, 3000);
    await ended;
    clearTimeout(later);
  };
  const deadline = Date.now() + ANSWER_WITHIN_MS;
  while (!(await fetch(endpoint).then(() => true, () => false))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      if (child.exitCode === null) await stop();
      throw new Error(`versitygw does not answer${tail(printed)}`);
    }
    await sleep(25);
  }
  return stop;
}
