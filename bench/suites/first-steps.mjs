/**
 * From an empty virtual environment to an answering curl, with every package in the installer's cache: Ingot from its own
 * wheel, and what people do today, by the same script. Installing scikit-learn itself is measured alone and taken off.
 * `PATH` holds the new environment alone, so the wheel has to bring what runs the engine.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pythonOf, VENV } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { buildWheel } from '../../scripts/wheel.mjs';
import { median } from '../lib/measure.mjs';

const UV = join(dirname(pythonOf(VENV)), 'uv');
const SKLEARN = 'scikit-learn==1.9.1';
const TRAINED = `from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
X, y = load_iris(return_X_y=True)
model = LogisticRegression(max_iter=500).fit(X, y)
`;
const ROW = [5.1, 3.5, 1.4, 0.2];

/** What is installed beside scikit-learn, written, typed, and asked. Lines are those that a person writes for it. */
function ways(wheel) {
  return {
    ingot: {
      name: 'Ingot, from its wheel',
      packages: [wheel],
      lines: 'import ingot\ningot.push(model, "iris", X=X)\n',
      commands: (port) => [['ingot', 'serve', 'iris', '--port', `${port}`]],
      ask: { path: '/predict/iris', body: [Object.fromEntries(ROW.map((value, n) => [`x${n}`, value]))] },
    },
    fastapi: {
      name: 'joblib and a FastAPI app by hand',
      packages: ['fastapi', 'uvicorn'],
      lines: 'import joblib\njoblib.dump(model, "model.joblib")\n',
      files: { 'app.py': FASTAPI },
      commands: (port) => [['uvicorn', 'app:app', '--port', `${port}`]],
      ask: { path: '/predict', body: [ROW] },
    },
    mlflow: {
      name: 'MLflow',
      packages: ['mlflow'],
      lines: 'import mlflow\nmlflow.set_tracking_uri("sqlite:///mlflow.db")\nmlflow.sklearn.log_model(model, name="iris", registered_model_name="iris")\n',
      commands: (port) => [['mlflow', 'models', 'serve', '-m', 'models:/iris/1', '--env-manager', 'local', '-p', `${port}`]],
      env: { MLFLOW_TRACKING_URI: 'sqlite:///mlflow.db' },
      needsShell: true,
      ask: { path: '/invocations', body: { inputs: [ROW] } },
    },
    bentoml: {
      name: 'BentoML',
      packages: ['bentoml'],
      lines: 'import bentoml\nbentoml.sklearn.save_model("iris", model)\n',
      files: { 'service.py': BENTO },
      commands: (port) => [['bentoml', 'serve', 'service:Iris', '--port', `${port}`]],
      env: { BENTOML_DO_NOT_TRACK: 'true' },
      needsShell: true,
      ask: { path: '/predict', body: { rows: [ROW] } },
    },
  };
}

const FASTAPI = `import joblib
from fastapi import FastAPI
app = FastAPI()
model = joblib.load("model.joblib")
@app.post("/predict")
def predict(rows: list[list[float]]):
    return model.predict(rows).tolist()
`;
const BENTO = `import bentoml
@bentoml.service
class Iris:
    def __init__(self):
        self.model = bentoml.sklearn.load_model("iris:latest")
    @bentoml.api
    def predict(self, rows: list[list[float]]) -> list[int]:
        return self.model.predict(rows).tolist()
`;

/** `times` rounds, all in turn; the first of each fills the installer's cache and is not counted. */
export async function measure({ times = 3, only }) {
  const root = mkdtempSync(join(tmpdir(), 'ingot-first-'));
  try {
    const wheel = await buildWheel({ out: join(root, 'dist') });
    const all = Object.entries(ways(wheel.path)).filter(([key]) => only === undefined || only.includes(key));
    const bare = [];
    const taken = Object.fromEntries(all.map(([key]) => [key, []]));
    const failed = {};
    for (let round = 0; round <= times; round++) {
      bare.push(await inFresh(root, async (place) => (await timed(() => install(place, [SKLEARN]))).seconds));
      for (const [key, way] of all) {
        if (failed[key] !== undefined) continue;
        try {
          taken[key].push(await inFresh(root, (place) => walk(way, place)));
        } catch (error) {
          failed[key] = error.message.split('\n').at(-1);
        }
      }
    }
    return report({ all, taken, failed, sklearn: median(bare.slice(1)), wheel, times });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function inFresh(root, work) {
  const place = mkdtempSync(join(root, 'walk-'));
  mkdirSync(join(place, 'home'));
  try {
    return await work(place);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

async function timed(work) {
  const started = performance.now();
  const result = await work();
  return { seconds: (performance.now() - started) / 1000, result };
}

/** Makes the environment and installs; the installer's cache is the user's own. */
async function install(place, packages) {
  const env = { ...process.env, UV_SYSTEM_CERTS: 'true', UV_NATIVE_TLS: 'true' };
  const venv = join(place, 'venv');
  // With pip, as `python -m venv` makes it.
  await run(UV, ['venv', '--quiet', '--seed', '--python', pythonOf(VENV), venv], { env });
  await run(UV, ['pip', 'install', '--quiet', '--python', pythonOf(venv), ...packages], { env });
}

/** Installs, trains and stores, serves, asks until it answers. Gives the seconds of each part. */
async function walk(way, place) {
  const installed = await timed(() => install(place, [SKLEARN, ...way.packages]));
  for (const [name, text] of Object.entries({ 'train.py': TRAINED + way.lines, ...way.files })) writeFileSync(join(place, name), text);
  const bin = dirname(pythonOf(join(place, 'venv')));
  const port = await freePort();
  const env = environmentOf(place, bin, way);
  const trained = await timed(() => run(join(bin, 'python'), ['train.py'], { env, cwd: place }));
  const served = await timed(() => untilAnswered(way, { bin, env, place, port }));
  return { install: installed.seconds, train: trained.seconds, serve: served.seconds, total: installed.seconds + trained.seconds + served.seconds };
}

function environmentOf(place, bin, { env = {}, needsShell = false }) {
  const passed = Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(?:PIP|UV|SSL|REQUESTS)_/.test(name)));
  const cache = join(homedir(), '.cache');
  const caches = { UV_CACHE_DIR: process.env.UV_CACHE_DIR ?? join(cache, 'uv'), PIP_CACHE_DIR: process.env.PIP_CACHE_DIR ?? join(cache, 'pip') };
  return { ...passed, ...caches, PATH: [bin, ...(needsShell ? ['/usr/bin', '/bin'] : [])].join(':'), HOME: join(place, 'home'), ...env };
}

async function untilAnswered(way, { bin, env, place, port }) {
  for (const [command, ...args] of way.commands(port)) {
    const server = spawn(join(bin, command), args, { env, cwd: place, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let printed = '';
    for (const stream of [server.stdout, server.stderr]) stream.on('data', (data) => { printed = (printed + data).slice(-4000); });
    const ended = new Promise((resolve) => server.once('close', resolve));
    try {
      return await answered(way.ask, port, server, () => printed);
    } finally {
      signalGroup(server.pid, 'SIGTERM');
      const timer = setTimeout(() => signalGroup(server.pid, 'SIGKILL'), 5000);
      await ended;
      clearTimeout(timer);
    }
  }
}

function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended already.
  }
}

async function answered({ path, body }, port, server, printed) {
  const deadline = performance.now() + 180_000;
  while (performance.now() < deadline) {
    if (server.exitCode !== null) throw new Error(`the server ended with ${server.exitCode}: ${printed()}`);
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }).catch(() => undefined); // nobody listens yet
    if (answer?.ok === true) return await answer.text();
    await sleep(50);
  }
  throw new Error(`no answer within 180 s: ${printed()}`);
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function report({ all, taken, failed, sklearn, wheel, times }) {
  const middle = (key, part) => median(taken[key].slice(1).map((walked) => walked[part]));
  const beyond = (key) => middle(key, 'total') - sklearn;
  const has = (key) => taken[key] !== undefined && taken[key].length > 1;
  const lines = (way) => [way.lines, ...Object.values(way.files ?? {})].join('').trim().split('\n').length;
  const ratio = (key) => (has('ingot') ? (beyond(key) / beyond('ingot')).toFixed(2) : '');
  return {
    title: 'From an empty virtual environment to an answering curl',
    columns: [`median of ${times} walks, packages cached`, 'install s', 'train and store s', 'serve s', 'beyond scikit-learn s', 'times Ingot', 'lines', 'commands'],
    rows: [
      ['scikit-learn alone', sklearn.toFixed(1), '', '', '', '', '', ''],
      ...all.map(([key, way]) =>
        has(key)
          ? [way.name, ...['install', 'train', 'serve'].map((part) => middle(key, part).toFixed(1)), beyond(key).toFixed(1), ratio(key), `${lines(way)}`, `${way.commands(0).length}`]
          : [way.name, `failed: ${failed[key]}`, '', '', '', '', `${lines(way)}`, ''],
      ),
      ['the wheel, MB', (wheel.sizeBytes / 1e6).toFixed(2), '', '', '', '', '', ''],
    ],
    goals: has('ingot')
      ? [
          { goal: 'at most 20 s beyond installing scikit-learn', value: `${beyond('ingot').toFixed(1)} s`, met: beyond('ingot') <= 20 },
          { goal: '2 lines of Python and 1 command', value: `${lines(ways('').ingot)} and 1`, met: lines(ways('').ingot) <= 2 },
        ]
      : [],
  };
}
