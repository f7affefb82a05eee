/** The registry server and `mlflow server` asked the same over MLflow's own API, with few and with many versions. */
import { API, draftOf, placesFor, serversFor, withFilled } from '../lib/filled-registries.mjs';
import { lessThanMlflow } from '../lib/mlflow-goals.mjs';
import { usageOf } from '../lib/processes.mjs';
import { weigh } from '../lib/requests.mjs';

export async function measure(options) {
  const places = placesFor(options);
  const servers = serversFor(options);
  const costs = {};
  const starts = {};
  for (const place of places)
    for (const [who, open] of Object.entries(servers))
      await withFilled({ who, place, open }, async (server) => {
        starts[who] ??= { seconds: server.seconds, cpu: server.startCpu, ...(await idle(server)) };
        costs[who] ??= {};
        costs[who][place.name] = await costsOf(server, place);
        console.error(
          `- ${who}, ${place.name}: ${Object.entries(costs[who][place.name])
            .map(([name, { cpuMs, p50 }]) => `${name} ${cpuMs.toFixed(3)} (${p50.toFixed(2)})`)
            .join(', ')}`,
        );
      });
  const kinds = [...new Set(places.flatMap(({ name }) => Object.keys(costs.ingot[name])))];
  return {
    title:
      'The registry server over the API of MLflow: processor milliseconds of the server for a request (p50 of the time to answer, ms)',
    columns: ['', 'request', ...places.map(({ name }) => name)],
    rows: kinds.flatMap((kind) =>
      Object.keys(servers).map((who) => [who, kind, ...places.map(({ name }) => shown(costs[who][name][kind]))]),
    ),
    goals: [...lessThanMlflow(costs, places), ...growth(costs.ingot, kinds), ...startGoals(starts.ingot)],
    notes: Object.entries(starts).map(
      ([who, { seconds, cpu, memoryBytes, processes }]) =>
        `${who}: first answer after ${seconds.toFixed(2)} s and ${cpu.toFixed(2)} s of processor time; then idle with ${(memoryBytes / 2 ** 20).toFixed(0)} MiB in ${processes} processes`,
    ),
    skipped: servers.mlflow ? [] : ['mlflow server: --peers, with its environment'],
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

const shown = (cost) =>
  cost === undefined ? '' : `${cost.cpuMs.toFixed(cost.cpuMs < 1 ? 3 : 1)} (${cost.p50.toFixed(2)})`;

/** What each kind of request costs. Ours are so small that many are needed to see one; theirs take a minute a hundred. */
async function costsOf(server, { versions, models }) {
  const { url, pid, headers } = server;
  const isOurs = server.token !== undefined;
  const name = 'model-0';
  const get = (path, ours, theirs) => {
    const count = isOurs ? ours : theirs;
    const warm = Math.min(count, isOurs ? 3000 : 20);
    return weigh({ url, pid }, { count, warm, make: () => ({ path: `${API}/${path}`, headers }) });
  };
  const ofModel = models > 1 ? '' : `filter=${encodeURIComponent(`name='${name}'`)}&`;
  const tag = encodeURIComponent(models > 1 ? "tags.team = 'red'" : `name='${name}' and tags.team = 'red'`);
  const body = { ...(await draftOf(server, name)), name };
  const isLarge = versions >= 10_000;
  return {
    'get by alias': await get(`registered-models/alias?name=${name}&alias=production`, 8000, 200),
    'get version': await get(`model-versions/get?name=${name}&version=1`, 8000, 200),
    'get model': await get(`registered-models/get?name=${name}`, 8000, isLarge ? 8 : 100),
    'search by tag': await get(`model-versions/search?filter=${tag}&max_results=100`, 3000, isLarge ? 30 : 50),
    'all versions': await get(
      `model-versions/search?${ofModel}max_results=10000`,
      versions * models >= 1000 ? 40 : 500,
      isLarge ? 3 : 20,
    ),
    ...(models > 1 && { 'search models': await get('registered-models/search?max_results=100', 200, 20) }),
    // A server that writes goes on writing: what compiling its code takes is over soon.
    'create version': await weigh(
      { url, pid },
      {
        count: isOurs ? 400 : isLarge ? 50 : 200,
        warm: isOurs ? 300 : 20,
        make: () => ({ method: 'POST', path: `${API}/model-versions/create`, headers, body }),
      },
    ),
  };
}
