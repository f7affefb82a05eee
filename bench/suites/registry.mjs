/** The registry server: what a request costs it with few and with many versions, beside `mlflow server` (`--peers`). */
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildLibraries } from '../../scripts/build.mjs';
import { freePort } from '../../scripts/demo/engine.mjs';
import { CLI_ENTRY, inRoot } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { MLFLOW, untilItAnswers } from '../lib/registry-servers.mjs';
import { startService } from '../lib/service.mjs';
import { usageOf } from '../lib/processes.mjs';
import { send, weigh } from '../lib/requests.mjs';
import { benchEnvironment } from '../lib/subjects.mjs';

const HOME = inRoot('.cache/bench/registry');
const JSON_TYPE = { accept: 'application/json' };

export async function measure({ python, peers, large, versions: most = 10_000 }) {
  const sizes = [10, 1000, 10_000].filter((size) => size <= most);
  const peerSizes = peers && MLFLOW ? (large ? sizes : sizes.slice(0, 2)) : [];
  const ours = [];
  for (const versions of sizes) ours.push(await ingotAt(versions, python));
  const theirs = [];
  for (const versions of peerSizes) theirs.push(await mlflowAt(versions));
  const names = Object.keys(ours[0].costs);
  const rows = names.flatMap((name) => [
    ['ingot', name, ...sizes.map((_, index) => cost(ours[index]?.costs[name]))],
    ...(theirs.length === 0 || theirs[0].costs[name] === undefined
      ? []
      : [['mlflow', name, ...sizes.map((_, index) => cost(theirs[index]?.costs[name]))]]),
  ]);
  const alias = ours.at(-1).eight;
  const create = ours.at(-1).costs['create version'];
  return {
    title: 'The registry server: processor milliseconds for a request (p50 of the time to answer, ms)',
    columns: ['', 'request', ...sizes.map((size) => `${size.toLocaleString('en-US')} versions`)],
    rows,
    goals: [
      {
        goal: 'get by alias over 8 connections: at least 5,000 a second',
        value: `${alias.perSecond.toFixed(0)} a second, ${alias.cpuMs.toFixed(3)} ms of the server each`,
        met: alias.perSecond >= 5000,
      },
      { goal: 'create version: p50 at most 3 ms', value: `${create.p50.toFixed(2)} ms`, met: create.p50 <= 3 },
      ...ratios(ours, theirs),
    ],
    notes: [
      `start to first answer: ${ours[0].seconds.toFixed(2)} s, ${ours[0].startCpu.toFixed(2)} s of processor time`,
    ],
    skipped:
      theirs.length === sizes.length
        ? []
        : [
            `mlflow server with ${peerSizes.length === 0 ? 'any versions: --peers, with its environment' : '10,000 versions: --large'}`,
          ],
  };
}

const WANTED = { 'get by alias': 50, 'get version': 50, 'create version': 8, 'get model': 1 };

function ratios(ours, theirs) {
  return theirs.flatMap(({ costs }, index) =>
    Object.entries(WANTED).map(([name, wanted]) => {
      const ratio = costs[name].cpuMs / ours[index].costs[name].cpuMs;
      return {
        goal: `${name} with ${theirs[index].versions} versions: ${wanted} times less than mlflow`,
        value: `${ratio.toFixed(0)} times`,
        met: ratio >= wanted,
      };
    }),
  );
}

const cost = (weighed) => (weighed === undefined ? '' : `${weighed.cpuMs.toFixed(3)} (${weighed.p50.toFixed(2)})`);

async function ingotAt(versions, python) {
  const store = await filled(versions);
  const home = join(HOME, `run-${versions}`);
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  const port = await freePort();
  const env = {
    ...benchEnvironment(python),
    HOME: home,
    INGOT_REGISTRY: store,
    INGOT_CACHE: join(home, 'cache'),
    INGOT_STATE: join(home, 'state'),
  };
  const url = `http://127.0.0.1:${port}`;
  const started = performance.now();
  const server = await startService({
    command: process.execPath,
    args: [CLI_ENTRY, 'up', '--port', String(port)],
    env,
    port,
  });
  await send(url, undefined, { path: '/api/v1' });
  const seconds = (performance.now() - started) / 1000;
  const startCpu = usageOf(server.pid).cpu;
  try {
    const model = '/api/v1/models/grown';
    const token = await tokenOf(url, env);
    const headers = { ...JSON_TYPE, authorization: `Bearer ${token}` };
    await send(url, undefined, { method: 'PUT', path: `${model}/aliases/production`, headers, body: { number: 1 } });
    const draft = await draftOfFirst(url, model, headers);
    const at = { url, pid: server.pid };
    const get = (path, count) => weigh(at, { count, make: () => ({ path, headers }) });
    const costs = {
      'get by alias': await get(`${model}/aliases/production`, 2000),
      'get version': await get(`${model}/versions/1`, 2000),
      'get model': await get(model, 500),
      'list 100 versions': await get(`${model}/versions?limit=100`, 200),
      'list 1,000 versions': await get(`${model}/versions?limit=1000`, 50),
    };
    const eight = await weigh(at, {
      count: 20_000,
      connections: 8,
      make: () => ({ path: `${model}/aliases/production`, headers }),
    });
    const body = { draft, always: true };
    costs['create version'] = await weigh(at, {
      count: 200,
      make: () => ({ method: 'POST', path: `${model}/versions`, headers, body }),
    });
    return { versions, costs, eight, seconds, startCpu };
  } finally {
    await server.stop();
  }
}

/** A publication of contents that are there already. */
async function draftOfFirst(url, model, headers) {
  const { manifest, recipe, sizeBytes, fileCount, flavor, scan } = await send(url, undefined, {
    path: `${model}/versions/1`,
    headers,
  });
  return { manifest, recipe, sizeBytes, fileCount, flavor, scan };
}

/** A token of a server that is open until it has one. */
async function tokenOf(url, env) {
  const args = [CLI_ENTRY, 'token', 'create', 'bench', '--service', '--role', 'admin', '--quiet'];
  const { stdout } = await run(process.execPath, args, {
    env: { ...env, INGOT_REGISTRY: url },
    label: 'making a token',
  });
  return stdout.trim();
}

async function filled(versions) {
  const store = join(HOME, `store-${versions}`);
  const mark = `${store}.filled`;
  const copy = join(HOME, `copy-${versions}`);
  if (!existsSync(mark)) {
    rmSync(store, { recursive: true, force: true });
    mkdirSync(HOME, { recursive: true });
    await buildLibraries();
    console.error(`- publishing ${versions} versions …`);
    await run(process.execPath, [inRoot('bench/lib/fill-versions.mjs'), store, String(versions)], {
      label: 'filling the store',
    });
    writeFileSync(mark, '');
  }
  // What is measured adds versions: the next run begins with as many.
  rmSync(copy, { recursive: true, force: true });
  cpSync(store, copy, { recursive: true });
  return copy;
}

async function mlflowAt(versions) {
  const home = join(HOME, `mlflow-${versions}`);
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const env = { ...process.env, MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false' };
  const args = [
    'server',
    '--host',
    '127.0.0.1',
    '--port',
    String(port),
    '--workers',
    '1',
    '--backend-store-uri',
    `sqlite:///${join(home, 'db.sqlite')}`,
    '--artifacts-destination',
    join(home, 'artifacts'),
  ];
  const server = await startService({ command: MLFLOW, args, env, port, cwd: home });
  const api = '/api/2.0/mlflow';
  const post = (path, body) => send(url, undefined, { method: 'POST', path: `${api}/${path}`, body });
  try {
    await untilItAnswers(() => post('registered-models/create', { name: 'grown' }));
    const { run: started } = await post('runs/create', { experiment_id: '0' });
    const version = {
      method: 'POST',
      path: `${api}/model-versions/create`,
      body: { name: 'grown', run_id: started.info.run_id, source: `${started.info.artifact_uri}/model` },
    };
    for (let count = 0; count < versions; count++) await send(url, undefined, version);
    await post('registered-models/alias', { name: 'grown', alias: 'production', version: '1' });
    const at = { url, pid: server.pid };
    const get = (path, count) => weigh(at, { count, make: () => ({ path: `${api}/${path}` }) });
    const costs = {
      'get by alias': await get('registered-models/alias?name=grown&alias=production', 300),
      'get version': await get('model-versions/get?name=grown&version=1', 300),
      'get model': await get('registered-models/get?name=grown', 100),
      'create version': await weigh(at, { count: 200, make: () => version }),
    };
    return { versions, costs };
  } finally {
    await server.stop();
  }
}
