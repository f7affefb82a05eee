/** MLflow's artifacts: written by the client itself to a directory or a bucket, or through MLflow's server. */
import { join } from 'node:path';
import { freePort } from '../../../scripts/demo/engine.mjs';
import { mlflow } from '../../../scripts/lib/bench-peers.mjs';
import { inRoot } from '../../../scripts/lib/paths.mjs';
import { run } from '../../../scripts/lib/run.mjs';
import { bytesUnder, fresh, STORAGE_HOME } from '../../lib/folders.mjs';
import { startService } from '../../lib/service.mjs';

const VARIABLES = {
  MLFLOW_DISABLE_TELEMETRY: 'true',
  DO_NOT_TRACK: 'true',
  MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR: 'false',
  // Not needed for artifacts, and it starts several processes more.
  MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
};

/** The client writes artifacts itself. @param remote a bucket; default: a directory. */
export async function mlflowContender({ remote } = {}) {
  const python = await mlflow();
  const home = join(STORAGE_HOME, 'stores/mlflow');
  const artifacts = remote === undefined ? join(home, 'artifacts') : `s3://${remote.bucket}/mlflow`;
  const env = { ...process.env, ...VARIABLES, ...remote?.env, ...(remote && { MLFLOW_S3_ENDPOINT_URL: remote.endpoint }), MLFLOW_TRACKING_URI: `sqlite:///${join(home, 'mlflow.db')}` };
  return {
    ...artifactSteps({ python, env, home }),
    key: 'mlflow',
    name: 'MLflow log_artifacts, direct',
    ...remote?.contest,
    async prepare() {
      fresh('stores/mlflow');
      await remote?.empty();
      await run(python, [...script('prepare'), 'bench', artifacts], { env, label: 'mlflow: preparing' });
    },
    storedBytes: remote?.storedBytes ?? (async () => bytesUnder(join(home, 'artifacts'))),
  };
}

/** The client sends artifacts to MLflow's server, which keeps them in a directory. */
export async function mlflowServerContender() {
  const python = await mlflow();
  const home = join(STORAGE_HOME, 'stores/mlflow-server');
  const port = await freePort();
  const env = { ...process.env, ...VARIABLES, MLFLOW_TRACKING_URI: `http://127.0.0.1:${port}` };
  const args = ['-m', 'mlflow', 'server', '--port', String(port), '--backend-store-uri', `sqlite:///${join(home, 'mlflow.db')}`, '--artifacts-destination', join(home, 'artifacts')];
  const servers = [];
  let server;
  const end = async () => {
    await server?.stop();
    servers.length = 0;
  };
  return {
    ...artifactSteps({ python, env, home }),
    key: 'mlflow-server',
    name: "MLflow log_artifacts, through its server (4 workers)",
    servers,
    async prepare() {
      await end();
      fresh('stores/mlflow-server');
      server = await startService({ command: python, args, env, cwd: home, port });
      servers.push(server.pid);
      await run(python, [...script('prepare'), 'bench'], { env, label: 'mlflow: preparing' });
    },
    storedBytes: async () => bytesUnder(join(home, 'artifacts')),
    end,
  };
}

const script = (verb) => [inRoot('bench/peers/storage/mlflow.py'), verb];

function artifactSteps({ python, env, home }) {
  const listing = (variant) => join(home, `${variant}.json`);
  return {
    isFlushed: false,
    rounds: 1,
    scattered: false,
    push: (variant, folder) => [{ command: python, args: [...script('push'), 'bench', folder, listing(variant)], env }],
    pull: (variant, target) => [{ command: python, args: [...script('pull'), listing(variant), target], env }],
  };
}
