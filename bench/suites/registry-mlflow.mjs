/** The registry server and `mlflow server` asked the same over MLflow's own API, with few and with many versions. */
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { usageOf } from '../lib/processes.mjs';
import { emptied, HOME, MLFLOW_PYTHON, startIngot, startMlflow } from '../lib/registry-servers.mjs';
import { send, weigh } from '../lib/requests.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { inRoot } from '../../scripts/lib/paths.mjs';

const API = '/api/2.0/mlflow';
const PLACES = [
  { id: '10', name: '10 versions', versions: 10, models: 1 },
  { id: '1000', name: '1,000 versions', versions: 1000, models: 1 },
  { id: '10000', name: '10,000 versions', versions: 10_000, models: 1 },
  { id: 'models', name: '1,000 models', versions: 1, models: 1000 },
];
const WANTED = {
  'get by alias': 50,
  'get version': 50,
  'create version': 8,
  'search by tag': 20,
  'all versions': 20,
};

export async function measure({ python, peers, versions: most = 10_000, only }) {
  const places = PLACES.filter(({ versions, id }) => versions <= most && (only === undefined || only.includes(id)));
  const start = {
    ingot: (home) => startIngot({ home, python }),
    ...(peers && MLFLOW_PYTHON && { mlflow: (home) => startMlflow({ home }) }),
  };
  const costs = {};
  const starts = {};
  for (const place of places)
    for (const [who, open] of Object.entries(start)) {
      await filled(who, place, open);
      const home = copyOf(who, place);
      const server = await open(home);
      try {
        starts[who] ??= { seconds: server.seconds, cpu: server.startCpu, ...(await idle(server)) };
        costs[who] ??= {};
        costs[who][place.name] = await costsOf(server, place);
        console.error(
          `- ${who}, ${place.name}: ${Object.entries(costs[who][place.name])
            .map(([name, { cpuMs, p50 }]) => `${name} ${cpuMs.toFixed(2)} (${p50.toFixed(1)})`)
            .join(', ')}`,
        );
      } finally {
        await server.stop();
      }
      rmSync(home, { recursive: true, force: true });
    }
  const kinds = Object.keys(costs.ingot[places[0].name]);
  return {
    title:
      'The registry server over the API of MLflow: processor milliseconds of the server for a request (p50 of the time to answer, ms)',
    columns: ['', 'request', ...places.map(({ name }) => name)],
    rows: kinds.flatMap((kind) =>
      Object.keys(start).map((who) => [who, kind, ...places.map(({ name }) => shown(costs[who][name][kind]))]),
    ),
    goals: [...(costs.mlflow ? ratios(costs, places) : []), ...growth(costs.ingot, kinds), ...startGoals(starts.ingot)],
    notes: Object.entries(starts).map(
      ([who, { seconds, cpu, memoryBytes, processes }]) =>
        `${who}: first answer after ${seconds.toFixed(2)} s and ${cpu.toFixed(2)} s of processor time; then idle with ${(memoryBytes / 2 ** 20).toFixed(0)} MiB in ${processes} processes`,
    ),
    skipped: start.mlflow ? [] : ['mlflow server: --peers, with its environment'],
  };
}

async function idle({ pid }) {
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const { memoryBytes, processes } = usageOf(pid);
  return { memoryBytes, processes };
}

function startGoals({ seconds, cpu, memoryBytes, processes }) {
  const mebibytes = memoryBytes / 2 ** 20;
  return [
    {
      goal: 'start to first answer: at most 1 s and 0.8 s of processor time',
      value: `${seconds.toFixed(2)} s and ${cpu.toFixed(2)} s`,
      met: seconds <= 1 && cpu <= 0.8,
    },
    {
      goal: 'idle: at most 120 MiB in one process',
      value: `${mebibytes.toFixed(0)} MiB in ${processes}`,
      met: mebibytes <= 120 && processes === 1,
    },
  ];
}

function ratios({ ingot, mlflow }, places) {
  return places.flatMap(({ name }) =>
    Object.keys(ingot[name]).flatMap((kind) => {
      const wanted = kind === 'get model' ? (name === '10,000 versions' ? 500 : undefined) : WANTED[kind];
      if (wanted === undefined) return [];
      const ratio = mlflow[name][kind].cpuMs / ingot[name][kind].cpuMs;
      return [
        {
          goal: `${kind}, ${name}: ${wanted} times less than mlflow`,
          value: `${ratio.toFixed(1)} times`,
          met: ratio >= wanted,
        },
      ];
    }),
  );
}

/** A read of one thing costs as much among many. */
function growth(costs, kinds) {
  const [few, many] = [costs['10 versions'], costs['10,000 versions']];
  if (few === undefined || many === undefined) return [];
  return kinds
    .filter((kind) => kind.startsWith('get '))
    .map((kind) => {
      const ratio = many[kind].cpuMs / few[kind].cpuMs;
      return {
        goal: `${kind}: with 10,000 versions at most 1.2 times of its cost with 10`,
        value: `${ratio.toFixed(2)} times`,
        met: ratio <= 1.2,
      };
    });
}

const shown = ({ cpuMs, p50 }) => `${cpuMs < 1 ? cpuMs.toFixed(3) : cpuMs.toFixed(1)} (${p50.toFixed(2)})`;

async function costsOf(server, { versions, models }) {
  const { url, pid, headers } = server;
  const isOurs = server.token !== undefined;
  const few = isOurs ? 10 : 1;
  const name = 'model-0';
  const get = (path, count) =>
    weigh(
      { url, pid },
      {
        count: count * few,
        warm: Math.min(count * few, isOurs ? 1500 : 50),
        make: () => ({ path: `${API}/${path}`, headers }),
      },
    );
  const all = models > 1 ? '' : `filter=${encodeURIComponent(`name='${name}'`)}&`;
  const version = await draftOf(server, name);
  const heavy = versions >= 10_000 ? 5 : versions >= 1000 || models >= 1000 ? 10 : 50;
  const tag = encodeURIComponent(models > 1 ? "tags.team = 'red'" : `name='${name}' and tags.team = 'red'`);
  return {
    'get by alias': await get(`registered-models/alias?name=${name}&alias=production`, 200),
    'get version': await get(`model-versions/get?name=${name}&version=1`, 200),
    'get model': await get(`registered-models/get?name=${name}`, versions >= 10_000 ? 10 : 100),
    'search by tag': await get(`model-versions/search?filter=${tag}&max_results=100`, 50),
    'all versions': await weigh(
      { url, pid },
      {
        count: heavy,
        warm: 1,
        make: () => ({ path: `${API}/model-versions/search?${all}max_results=10000`, headers }),
      },
    ),
    ...(models > 1 && { 'search models': await get('registered-models/search?max_results=100', 20) }),
    // A server that writes goes on writing: what compiling its code takes is over soon.
    'create version': await weigh(
      { url, pid },
      {
        count: isOurs ? 400 : 200,
        warm: isOurs ? 300 : 20,
        make: () => ({ method: 'POST', path: `${API}/model-versions/create`, headers, body: { ...version, name } }),
      },
    ),
  };
}

async function draftOf({ url, headers }, name) {
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
