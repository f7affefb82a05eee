/** The registry server under load: 200 mixed clients that do not wait for it, and model servers that follow an alias. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from 'node:http';
import { openServerClient } from '@ingot/core/registry/http/server-client';
import { FollowingResolver } from '@ingot/core/registry/http/following';
import { createHttpRegistry } from '@ingot/core/registry/http/http-registry';
import { parseReference } from '@ingot/core/ref';
import { buildLibraries } from '../../scripts/build.mjs';
import { usageOf } from '../lib/processes.mjs';
import { emptied, startIngot } from '../lib/registry-servers.mjs';
import { send } from '../lib/requests.mjs';

const API = '/api/2.0/mlflow';
const CLIENTS = 200;
const FOLLOWERS = 50;
const MODELS = 20;

export async function measure({ python, seconds = 60, load = 0.5 }) {
  await buildLibraries();
  const server = await startIngot({ home: emptied('load'), python });
  try {
    await prepare(server);
    const most = await closedLoop(server, Math.min(15, seconds));
    const rate = most * load;
    const open = await openLoop(server, { rate, seconds });
    const follow = await followers(server);
    const errors = Object.values(open.kinds).reduce((sum, { errors: count }) => sum + count, 0);
    return {
      title: `The registry server under load: ${CLIENTS} mixed clients for ${seconds} s at half of what it can do`,
      columns: ['request', 'sent', 'errors', 'p50 ms', 'p99 ms', 'p99 / p50'],
      rows: Object.entries(open.kinds).map(([kind, { times, errors: count }]) => {
        const [p50, p99] = [at(times, 0.5), at(times, 0.99)];
        return [kind, times.length + count, count, p50.toFixed(2), p99.toFixed(2), (p99 / p50).toFixed(1)];
      }),
      goals: [
        { goal: 'no error', value: `${errors}`, met: errors === 0 },
        ...Object.entries(open.kinds).map(([kind, { times }]) => {
          const ratio = at(times, 0.99) / at(times, 0.5);
          return { goal: `${kind}: p99 at most 5 times p50`, value: `${ratio.toFixed(1)} times`, met: ratio <= 5 };
        }),
        {
          goal: `a moved alias is at every one of ${FOLLOWERS} followers within 1 s`,
          value: `${follow.slowestMs.toFixed(0)} ms at the last`,
          met: follow.slowestMs < 1000,
        },
        {
          goal: 'a connected follower that nothing concerns asks at most once a minute',
          value: `${follow.perMinute.toFixed(2)} requests a minute each`,
          met: follow.perMinute <= 1,
        },
      ],
      notes: [
        `most, with 32 connections that wait: ${most.toFixed(0)} requests a second; so ${rate.toFixed(0)} a second are sent, whether they are answered or not; ${open.cpuMs.toFixed(3)} ms of the server’s processor each`,
        `time counts from when a request was due, so waiting for a connection counts, too; the clients share the cores with the server`,
      ],
    };
  } finally {
    await server.stop();
  }
}

const at = (times, share) => [...times].sort((a, b) => a - b)[Math.floor(times.length * share)] ?? 0;

async function prepare({ url, headers }) {
  const post = (path, body) => send(url, undefined, { method: 'POST', path: `${API}/${path}`, headers, body });
  for (let model = 0; model < MODELS; model++) {
    await post('registered-models/create', { name: `model-${model}` });
    for (let version = 0; version < 3; version++) await post('model-versions/create', draftOf(model));
    await post('registered-models/alias', { name: `model-${model}`, alias: 'production', version: '1' });
  }
}

const draftOf = (model) => ({
  name: `model-${model}`,
  source: 's3://bucket/model',
  tags: [{ key: 'team', value: 'red' }],
});

// What a team asks: mostly what is in production, sometimes more, and few writes.
const MIX = [
  ['get by alias', 60, (n) => ({ path: `${API}/registered-models/alias?name=model-${n % MODELS}&alias=production` })],
  ['get version', 20, (n) => ({ path: `${API}/model-versions/get?name=model-${n % MODELS}&version=2` })],
  ['get model', 8, (n) => ({ path: `${API}/registered-models/get?name=model-${n % MODELS}` })],
  [
    'search by tag',
    6,
    () => ({ path: `${API}/model-versions/search?max_results=20&filter=${encodeURIComponent("tags.team = 'red'")}` }),
  ],
  [
    'set tag',
    3,
    (n) => ({
      method: 'POST',
      path: `${API}/model-versions/set-tag`,
      body: { name: `model-${n % MODELS}`, version: '2', key: 'seen', value: String(n) },
    }),
  ],
  ['create version', 3, (n) => ({ method: 'POST', path: `${API}/model-versions/create`, body: draftOf(n % MODELS) })],
];
const TOTAL = MIX.reduce((sum, [, weight]) => sum + weight, 0);

function chosen(n) {
  // Spread evenly, the same in every run.
  let place = (n * 37) % TOTAL;
  for (const [kind, weight, make] of MIX) {
    if (place < weight) return [kind, make(n)];
    place -= weight;
  }
  throw new Error('the mix has no such place');
}

async function closedLoop({ url, headers }, seconds) {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  let count = 0;
  const began = performance.now();
  const worker = async () => {
    while (performance.now() - began < seconds * 1000) {
      const [, question] = chosen(count++);
      await send(url, agent, { ...question, headers });
    }
  };
  await Promise.all(Array.from({ length: 32 }, worker));
  agent.destroy();
  return (count * 1000) / (performance.now() - began);
}

async function openLoop({ url, headers, pid }, { rate, seconds }) {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const kinds = Object.fromEntries(MIX.map(([kind]) => [kind, { times: [], errors: 0 }]));
  const running = new Set();
  const before = usageOf(pid).cpu;
  const began = performance.now();
  const total = Math.floor(rate * seconds);
  for (let n = 0; n < total; ) {
    const dueCount = Math.min(total, Math.floor(((performance.now() - began) * rate) / 1000));
    for (; n < dueCount; n++) {
      const dueAt = began + (n * 1000) / rate;
      const [kind, question] = chosen(n);
      const asked = send(url, agent, { ...question, headers })
        .then(() => kinds[kind].times.push(performance.now() - dueAt))
        .catch(() => kinds[kind].errors++)
        .finally(() => running.delete(asked));
      running.add(asked);
    }
    await sleep(1);
  }
  await Promise.all(running);
  const cpuMs = ((usageOf(pid).cpu - before) * 1000) / total;
  agent.destroy();
  return { kinds, cpuMs };
}

/** Followers as model servers have them: what each resolves is asked again every 20 ms, of the server only where it may have changed. */
async function followers({ url, token, headers }) {
  let requests = 0;
  const made = [];
  for (let count = 0; count < FOLLOWERS; count++) {
    const client = await openServerClient(url, { env: {}, authorization: `Bearer ${token}` });
    const registry = createHttpRegistry(client);
    const counted = {
      resolve: (...args) => {
        requests += 1;
        return registry.resolve(...args);
      },
    };
    made.push(new FollowingResolver(counted, client));
  }
  const reference = parseReference('model-0@production');
  const all = () => Promise.all(made.map((each) => each.resolve(reference)));
  try {
    for (let round = 0; round < 10; round++) {
      await all();
      await sleep(300);
    }
    requests = 0;
    const idleSeconds = 20;
    for (let round = 0; round < idleSeconds * 2; round++) {
      await all();
      await sleep(500);
    }
    const perMinute = (requests * 60) / idleSeconds / FOLLOWERS;
    const body = { name: 'model-0', alias: 'production', version: '3' };
    const movedAt = performance.now();
    await send(url, undefined, { method: 'POST', path: `${API}/registered-models/alias`, headers, body });
    const arrivals = made.map(async (each) => {
      while ((await each.resolve(reference)).number !== 3) {
        if (performance.now() - movedAt > 30_000) throw new Error('a follower was not told');
        await sleep(20);
      }
      return performance.now() - movedAt;
    });
    return { perMinute, slowestMs: Math.max(...(await Promise.all(arrivals))) };
  } finally {
    for (const each of made) each[Symbol.dispose]();
  }
}
