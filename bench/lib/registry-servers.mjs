/** The registry server and `mlflow server`, each in a directory of its own, to be asked the same. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../scripts/demo/engine.mjs';
import { CLI_ENTRY, inRoot } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { installedServer } from '../../scripts/lib/servers/test-servers.mjs';
import { usageOf } from './processes.mjs';
import { send } from './requests.mjs';
import { startService } from './service.mjs';
import { benchEnvironment } from './subjects.mjs';

export const HOME = inRoot('.cache/bench/registry');
const PEER = installedServer('mlflow');

/** MLflow's command; undefined where `npm run setup` has not brought it. */
export const MLFLOW = PEER && join(PEER, 'bin/mlflow');

/** The interpreter that has the client of MLflow; undefined where it is not installed. */
export const MLFLOW_PYTHON = PEER && join(PEER, 'bin/python');

/** An empty directory below that of these measurements. */
export function emptied(name) {
  const directory = join(HOME, name);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  return directory;
}

/**
 * Starts `ingot up` over the store in `home` and makes a token, so that everybody else has to sign in. Gives `url`, `pid`,
 * `token`, `headers` to ask with, what the start took, and `stop`.
 */
export async function startIngot({ home, python, store = join(home, 'store') }) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const cache = join(home, 'cache');
  const env = {
    ...benchEnvironment(python),
    HOME: home,
    INGOT_REGISTRY: store,
    INGOT_CACHE: cache,
    INGOT_STATE: join(home, 'state'),
  };
  const start = { command: process.execPath, args: [CLI_ENTRY, 'up', '--port', String(port)], env, port };
  const server = await started(start, url, '/api/v1');
  const args = [CLI_ENTRY, 'token', 'create', `bench-${Date.now()}`, '--service', '--role', 'admin', '--quiet'];
  try {
    const { stdout } = await run(process.execPath, args, {
      env: { ...env, INGOT_REGISTRY: url },
      label: 'making a token',
    });
    const token = stdout.trim();
    return { ...server, token, env, headers: { accept: 'application/json', authorization: `Bearer ${token}` } };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Starts `mlflow server` with SQLite and one worker; `jobs` as it is by default, which starts queues beside it. */
export async function startMlflow({ home, jobs = false }) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const env = {
    ...process.env,
    MLFLOW_DISABLE_TELEMETRY: 'true',
    ...(!jobs && { MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false' }),
  };
  const where = [
    '--backend-store-uri',
    `sqlite:///${join(home, 'db.sqlite')}`,
    '--artifacts-destination',
    join(home, 'artifacts'),
  ];
  const args = ['server', '--host', '127.0.0.1', '--port', String(port), '--workers', '1', ...where];
  const server = await started(
    { command: MLFLOW, args, env, port, cwd: home },
    url,
    '/api/2.0/mlflow/experiments/get?experiment_id=0',
  );
  return { ...server, token: undefined, headers: {} };
}

async function started(service, url, path) {
  const began = performance.now();
  const { pid, stop, printed } = await startService(service);
  try {
    await untilItAnswers(() => send(url, undefined, { path }));
    const seconds = (performance.now() - began) / 1000;
    return { url, pid, stop, printed, seconds, startCpu: usageOf(pid).cpu };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Asks until there is an answer, for two minutes at most, and gives it. */
export async function untilItAnswers(ask) {
  const endsAt = Date.now() + 120_000;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > endsAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
