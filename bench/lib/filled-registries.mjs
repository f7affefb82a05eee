/** Homes of the registry server and of `mlflow server` that hold as many versions and models as are asked about; filled once and kept. */
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { emptied, HOME, MLFLOW_PYTHON, startIngot, startMlflow } from './registry-servers.mjs';
import { send } from './requests.mjs';

/** Where the API of MLflow lies. */
export const API = '/api/2.0/mlflow';

const PLACES = [
  { id: '10', name: '10 versions', versions: 10, models: 1 },
  { id: '1000', name: '1,000 versions', versions: 1000, models: 1 },
  { id: '10000', name: '10,000 versions', versions: 10_000, models: 1 },
  { id: 'models', name: '1,000 models', versions: 1, models: 1000 },
];

/** How much there is, as `--versions` and `--only` choose. */
export const placesFor = ({ versions: most = 10_000, only }) =>
  PLACES.filter(({ versions, id }) => versions <= most && (only === undefined || only.includes(id)));

/** Who is asked: the registry server, and with its environment `mlflow server`. Each starts over a home. */
export const serversFor = ({ python, peers }) => ({
  ingot: (home) => startIngot({ home, python }),
  ...(peers && MLFLOW_PYTHON && { mlflow: (home) => startMlflow({ home }) }),
});

/** Starts a server over a copy of a home that holds as much as is asked for; gives what `use` makes of it. */
export async function withFilled({ who, place, open }, use) {
  await filled(who, place, open);
  const home = copyOf(who, place);
  try {
    const server = await open(home);
    try {
      return await use(server);
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** Run and source of the first version, for more of its kind. */
export async function draftOf({ url, headers }, name) {
  const {
    model_version: { run_id, source },
  } = await send(url, undefined, { path: `${API}/model-versions/get?name=${name}&version=1`, headers });
  return { run_id, source };
}

function copyOf(who, { name }) {
  const place = name.replaceAll(/[, ]/g, '');
  const home = emptied(`run-${who}-${place}`);
  cpSync(join(HOME, `filled-${who}-${place}`), home, { recursive: true });
  return home;
}

/** Filled over HTTP by the same requests, once; MLflow's database gets more than ten versions of a model past it, for that takes long. */
async function filled(who, { name, versions, models }, open) {
  const place = join(HOME, `filled-${who}-${name.replaceAll(/[, ]/g, '')}`);
  const mark = `${place}.done`;
  if (existsSync(mark)) return;
  console.error(`- filling ${who} with ${name} …`);
  // In memory where that can be, as thousands of acknowledged writes are thousands of waits for the disk.
  const home = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'ingot-bench-'));
  const count = who === 'mlflow' ? Math.min(10, versions) : versions;
  try {
    const server = await open(home);
    try {
      await fill(server, { versions: count, models });
    } finally {
      await server.stop();
    }
    if (versions > count)
      await run(MLFLOW_PYTHON, [
        inRoot('bench/lib/more_mlflow_versions.py'),
        join(home, 'db.sqlite'),
        String(versions),
      ]);
    rmSync(place, { recursive: true, force: true });
    cpSync(home, place, { recursive: true });
    writeFileSync(mark, '');
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function fill(server, { versions, models }) {
  const post = (path, body) =>
    send(server.url, AGENT, { method: 'POST', path: `${API}/${path}`, headers: server.headers, body });
  const {
    run: { info },
  } = await post('runs/create', { experiment_id: '0', start_time: Date.now() });
  const under = new URL(info.artifact_uri).pathname.replace(/^\/+/, '');
  await putText(server, `/api/2.0/mlflow-artifacts/artifacts/${under}/model/MLmodel`, MLMODEL);
  const source = `${info.artifact_uri}/model`;
  for (let model = 0; model < models; model++) {
    await post('registered-models/create', { name: `model-${model}` });
    for (let version = 1; version <= versions; version++) {
      const tags = [{ key: 'team', value: (models > 1 ? model : version) % 10 === 0 ? 'red' : 'blue' }];
      await post('model-versions/create', { name: `model-${model}`, run_id: info.run_id, source, tags });
    }
    await post('registered-models/alias', { name: `model-${model}`, alias: 'production', version: '1' });
  }
}

const AGENT = new Agent({ keepAlive: true, maxSockets: 1 });
const MLMODEL =
  'flavors:\n  python_function:\n    loader_module: mine\n    python_version: 3.11.7\nmlflow_version: 3.17.2\n';

async function putText({ url, headers }, path, text) {
  const { authorization } = headers;
  const reply = await fetch(`${url}${path}`, {
    method: 'PUT',
    headers: { ...(authorization && { authorization }), 'content-type': 'application/octet-stream' },
    body: text,
  });
  if (!reply.ok) throw new Error(`PUT ${path} answers ${reply.status}: ${await reply.text()}`);
}
