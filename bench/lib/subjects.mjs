/** Ingot and its peers, each as a command that serves the same random forest, with the body it takes. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { demoEnvironment, ingot } from '../../scripts/demo/engine.mjs';
import { CLI_ENTRY, inRoot, pythonOf } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';

const HOME = inRoot('.cache/bench');
export const MODELS = join(HOME, 'models');

/** The environment of what is measured: the clone's Python first on PATH, a store and a cache of its own. */
export function benchEnvironment(python) {
  return { ...demoEnvironment(python), INGOT_REGISTRY: join(HOME, 'store'), INGOT_CACHE: join(HOME, 'cache'), BENCH_MODELS: MODELS };
}

/** Trains the models and pushes them to a fresh store. Gives the rows to ask about. */
export async function prepareModels(python) {
  const env = benchEnvironment(python);
  mkdirSync(MODELS, { recursive: true });
  if (!existsSync(join(MODELS, 'rows.json'))) await run(python, [inRoot('bench/models.py'), MODELS], { env });
  for (const name of ['store', 'cache']) rmSync(join(HOME, name), { recursive: true, force: true });
  for (const name of ['array', 'frame']) await ingot(env, 'push', join(MODELS, name));
  await ingot(env, 'push', join(MODELS, 'forest.onnx'), '--name', 'forest-onnx');
  return JSON.parse(readFileSync(join(MODELS, 'rows.json'), 'utf8'));
}

const v2 = (datatype) => (rows) =>
  JSON.stringify({ inputs: [{ name: 'features', datatype, shape: [rows.length, rows[0].length], data: rows.flat() }] });
const lists = (rows) => JSON.stringify({ rows });
const named = (rows) => rows.map((row) => Object.fromEntries(row.map((value, index) => [`f${index}`, value])));

const ingotServe = (env, model, path) => (port) => ({
  program: process.execPath,
  args: [CLI_ENTRY, 'serve', model, '--port', String(port), '--env', 'current'],
  env,
  path,
});

const uvicorn = (env, python, app, path) => (port) => ({
  program: python,
  args: ['-m', 'uvicorn', `${app}:app`, '--port', String(port), '--workers', '1', '--log-level', 'warning', '--no-access-log'],
  env,
  cwd: inRoot('bench/peers'),
  path,
});

/** Subjects that need nothing but what the tests need. */
export function subjectsOf(python) {
  const env = benchEnvironment(python);
  return {
    ingotArray: { name: 'ingot serve, Python worker, one tensor', command: ingotServe(env, 'forest-array', '/v2/models/forest-array/infer'), body: v2('FP64') },
    ingotFrame: { name: 'ingot serve, Python worker, DataFrame', command: ingotServe(env, 'forest-frame', '/predict/forest-frame'), body: (rows) => JSON.stringify(named(rows)) },
    ingotOnnx: { name: 'ingot serve, ONNX', command: ingotServe(env, 'forest-onnx', '/v2/models/forest-onnx/infer'), body: v2('FP32') },
    fastapiArray: { name: 'FastAPI + scikit-learn, 1 worker, array', command: uvicorn(env, python, 'fastapi_sklearn', '/array'), body: lists },
    fastapiFrame: { name: 'FastAPI + scikit-learn, 1 worker, DataFrame', command: uvicorn(env, python, 'fastapi_sklearn', '/frame'), body: (rows) => JSON.stringify({ rows: named(rows) }) },
    fastapiOnnx: { name: 'FastAPI + onnxruntime, 1 worker', command: uvicorn(env, python, 'fastapi_onnx', '/array'), body: lists },
    nodeOnnx: { name: 'node:http + onnxruntime-node, bare', command: (port) => ({ program: process.execPath, args: [inRoot('bench/peers/node-onnx.mjs'), join(MODELS, 'forest.onnx'), String(port)], env, path: '/' }), body: v2('FP32') },
  };
}

const PEERS = [
  { key: 'mlflow', name: 'mlflow models serve', packages: ['mlflow', 'scikit-learn', 'pandas'], make: mlflowModel, command: mlflowCommand, body: (rows) => JSON.stringify({ inputs: rows }) },
  { key: 'mlserver', name: 'MLServer, defaults', packages: ['mlserver', 'mlserver-sklearn', 'uvloop<0.22'], make: mlserverModel, command: mlserverCommand, body: v2('FP64') },
  { key: 'bentoml', name: 'BentoML, defaults', packages: ['bentoml', 'scikit-learn', 'numpy'], make: async () => {}, command: bentoCommand, body: lists },
];

/** The larger peers, each in an environment of its own under `.cache/bench`; one that cannot be made says why. */
export async function preparePeers(python) {
  const ready = [];
  const skipped = [];
  for (const peer of PEERS) {
    try {
      const own = await peerEnvironment(python, peer);
      const directory = join(HOME, 'peers', peer.key);
      await peer.make(own, directory);
      ready.push({ name: peer.name, command: peer.command(own, directory), body: peer.body });
    } catch (error) {
      skipped.push(`${peer.name}: ${error.message.split('\n').slice(0, 3).join(' ')}`);
    }
  }
  return { ready, skipped };
}

async function peerEnvironment(python, { key, packages }) {
  const venv = join(HOME, 'venvs', key);
  const own = pythonOf(venv);
  if (existsSync(join(venv, 'ready'))) return own;
  console.error(`- environment of ${key} …`);
  const uv = join(dirname(python), 'uv');
  await run(uv, ['venv', '--clear', '--python', python, venv], { label: 'uv venv' });
  await run(uv, ['pip', 'install', '--python', own, ...packages], { label: `uv pip install ${packages.join(' ')}` });
  // A pickle from another release of scikit-learn may not load, so each peer trains its own forest.
  await run(own, ['-c', TRAIN, join(HOME, 'peers', key)], { label: `training for ${key}` });
  writeFileSync(join(venv, 'ready'), '');
  return own;
}

const TRAIN = `
import pickle, sys
from pathlib import Path
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
out = Path(sys.argv[1]) / "array"
out.mkdir(parents=True, exist_ok=True)
x, y = make_classification(n_samples=4000, n_features=20, n_informative=10, random_state=0)
model = RandomForestClassifier(n_estimators=100, max_depth=10, random_state=0).fit(x, y)
pickle.dump(model, open(out / "model.pkl", "wb"))
import importlib.util as u
if u.find_spec("joblib"):
    import joblib
    joblib.dump(model, out / "model.joblib")
`;

async function mlflowModel(own, directory) {
  rmSync(join(directory, 'model'), { recursive: true, force: true });
  const code = 'import pickle, sys, mlflow.sklearn; mlflow.sklearn.save_model(pickle.load(open(sys.argv[1], "rb")), sys.argv[2], serialization_format="cloudpickle")';
  await run(own, ['-c', code, join(directory, 'array/model.pkl'), join(directory, 'model')], { label: 'mlflow save_model' });
}

const peerVariables = (own, directory) => ({ ...benchEnvironment(own), BENCH_MODELS: directory, BENTOML_DO_NOT_TRACK: 'true', MLFLOW_DISABLE_TELEMETRY: 'true' });

function mlflowCommand(own, directory) {
  return (port) => ({
    program: own,
    args: ['-m', 'mlflow', 'models', 'serve', '-m', join(directory, 'model'), '--env-manager', 'local', '-p', String(port), '-w', '1'],
    env: peerVariables(own, directory),
    path: '/invocations',
  });
}

async function mlserverModel(_own, directory) {
  const model = { name: 'forest', implementation: 'mlserver_sklearn.SKLearnModel', parameters: { uri: './array/model.joblib' } };
  writeFileSync(join(directory, 'model-settings.json'), JSON.stringify(model));
}

function mlserverCommand(own, directory) {
  return (port) => {
    const settings = { http_port: port, grpc_port: port + 1, metrics_port: port + 2, host: '127.0.0.1' };
    writeFileSync(join(directory, 'settings.json'), JSON.stringify(settings));
    return { program: join(dirname(own), 'mlserver'), args: ['start', directory], env: peerVariables(own, directory), cwd: directory, path: '/v2/models/forest/infer' };
  };
}

function bentoCommand(own, directory) {
  return (port) => ({
    program: own,
    args: ['-m', 'bentoml', 'serve', 'bento_service:Forest', '--host', '127.0.0.1', '--port', String(port)],
    env: peerVariables(own, directory),
    cwd: inRoot('bench/peers'),
    path: '/array',
  });
}
