/** What calls of MLflow's own client take against the registry server and `mlflow server`: the client's part apart from the server's. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { API, placesFor, serversFor, withFilled } from '../lib/filled-registries.mjs';
import { lessThanMlflow } from '../lib/mlflow-goals.mjs';
import { usageOf } from '../lib/processes.mjs';
import { MLFLOW_PYTHON } from '../lib/registry-servers.mjs';
import { weigh } from '../lib/requests.mjs';
import { inRoot } from '../../scripts/lib/paths.mjs';

const KINDS = ['get by alias', 'get version', 'get model', 'search by tag', 'all versions', 'create version'];

export async function measure(options) {
  if (MLFLOW_PYTHON === undefined) throw new Error('the client of MLflow is not installed: npm run setup');
  const places = placesFor(options);
  const servers = serversFor(options);
  const costs = {};
  for (const place of places)
    for (const [who, open] of Object.entries(servers))
      await withFilled({ who, place, open }, async (server) => {
        costs[who] ??= {};
        costs[who][place.name] = await costsOf(server, place);
        console.error(
          `- ${who}, ${place.name}: ${Object.entries(costs[who][place.name])
            .map(([kind, cost]) => `${kind} ${shown(cost)}`)
            .join(', ')}`,
        );
      });
  return {
    title:
      "The registry server through MLflow's own client: milliseconds of a call, in all · processor of the client · processor of the server",
    columns: ['', 'call', ...places.map(({ name }) => name)],
    rows: KINDS.flatMap((kind) =>
      Object.keys(servers).map((who) => [who, kind, ...places.map(({ name }) => shown(costs[who][name][kind]))]),
    ),
    goals: lessThanMlflow(costs, places),
    notes: [
      "the goals are of the server's processor time; the client's own is the same for both servers but for what it waits",
    ],
    skipped: servers.mlflow ? [] : ['mlflow server: --peers, with its environment'],
  };
}

const shown = ({ wall, cpu, cpuMs }) => [wall, cpu, cpuMs].map((ms) => ms.toFixed(ms < 1 ? 3 : 1)).join(' · ');

async function costsOf(server, { versions, models }) {
  const client = startClient(server);
  const filter = models > 1 ? '' : "name='model-0'";
  const tag = models > 1 ? "tags.team = 'red'" : `${filter} and tags.team = 'red'`;
  const costs = {};
  const isOurs = server.token !== undefined;
  // A server has answered before: what its code takes to be compiled is over by then.
  if (isOurs) await warm(server, { filter, tag });
  try {
    for (const kind of KINDS) {
      const times = timesOf(kind, {
        isLarge: versions >= 10_000,
        isMany: versions * models >= 1000,
        isOurs,
      });
      await client.ask({ kind, times, tag, filter });
      const before = usageOf(server.pid).cpu;
      const { wall, cpu } = await client.ask({});
      // The call before the ones that count is the client's own look at whether all is well.
      costs[kind] = { wall, cpu, cpuMs: ((usageOf(server.pid).cpu - before) * 1000) / (times + 1) };
    }
    return costs;
  } finally {
    client.stop();
  }
}

function timesOf(kind, { isLarge, isMany, isOurs }) {
  if (kind === 'all versions') return isLarge && !isOurs ? 3 : isMany ? 20 : 100;
  if (kind === 'get model' && isLarge) return isOurs ? 300 : 5;
  if (kind === 'search by tag') return isLarge && !isOurs ? 20 : 100;
  return isOurs ? 500 : 100;
}

async function warm({ url, pid, headers }, { filter, tag }) {
  const search = (text, most) => `model-versions/search?filter=${encodeURIComponent(text)}&max_results=${most}`;
  const paths = [
    'registered-models/alias?name=model-0&alias=production',
    'model-versions/get?name=model-0&version=1',
    search(tag, 100),
    search(filter, 10),
  ];
  for (const path of paths) {
    const make = () => ({ path: `${API}/${path}`, headers });
    await weigh({ url, pid }, { make, count: 1500, warm: 0 });
  }
}

/** The client in a process of its own, which is asked by lines. */
function startClient({ url, token }) {
  const env = { ...process.env, MLFLOW_DISABLE_TELEMETRY: 'true', ...(token && { MLFLOW_TRACKING_TOKEN: token }) };
  const child = spawn(MLFLOW_PYTHON, [inRoot('bench/lib/mlflow_calls.py'), url], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(line) {
      child.stdin.write(`${JSON.stringify(line)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error('the client of MLflow ended');
      return JSON.parse(value);
    },
    stop: () => child.kill(),
  };
}
