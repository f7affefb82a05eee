/**
 * Many model servers that follow one alias: what registry and store have to do while nothing changes, and from the move of
 * the alias until every server answers with the new version, which each has fetched for itself.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildLibraries } from '../../scripts/build.mjs';
import { CLI_ENTRY, inRoot } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { startBucket } from '../lib/bucket.mjs';
import { usageOf } from '../lib/processes.mjs';
import { emptied, startIngot } from '../lib/registry-servers.mjs';

const PROGRAM = inRoot('bench/lib/followers-program.mjs');
const REFERENCE = 'churn@production';
const MODEL_BYTES = 256 * 1024;

export async function measure({ python, seconds = 10, only }) {
  await buildLibraries();
  const rows = [];
  for (const trial of [
    { name: 'through a registry server, files already there', count: 1000, through: 'server', fetches: false },
    { name: 'through a registry server', count: 1000, through: 'server' },
    { name: 'directly on the bucket', count: 100, through: 'bucket' },
    { name: 'directly on the bucket, INGOT_FOLLOW=20', count: 1000, through: 'bucket', followMs: 20_000 },
  ].filter(({ name, through }) => only === undefined || only.includes(through) || only.includes(name))) {
    rows.push({ ...trial, ...(await measured(trial, { python, seconds })) });
    console.error(JSON.stringify(rows.at(-1)));
  }
  const server = rows.find(({ through }) => through === 'server');
  return {
    title: 'Model servers that follow one alias',
    columns: ['', 'servers', 'idle: looks/s', 'idle: registry requests/s', 'idle: registry processor', 'idle: bucket requests/s', 'all have heard (s)', 'half, all have swapped (s)', 'swap: registry processor (s)', 'swap: bucket requests'],
    rows: rows.map(({ name, count, idle, swap }) => [
      name,
      count,
      idle.looks.toFixed(1),
      told(idle.registryRequests),
      idle.registryCpu === undefined ? '–' : `${(idle.registryCpu * 100).toFixed(1)} %`,
      told(idle.bucketRequests),
      swap.told.toFixed(2),
      [swap.half, swap.all].map((time) => time.toFixed(2)).join(', '),
      told(swap.registryCpu),
      swap.bucketRequests,
    ]),
    goals: server === undefined ? [] : [
      { goal: '1,000 servers have heard of the move within 2 s, through one registry server', value: `${server.swap.told.toFixed(2)} s`, met: server.swap.told <= 2 },
      { goal: 'servers that nothing concerns cost the registry less than 5 % of a core', value: `${((server.idle.registryCpu ?? 0) * 100).toFixed(1)} %`, met: (server.idle.registryCpu ?? 1) < 0.05 },
      { goal: 'and the bucket no more than the registry server itself does: 5 requests a second', value: `${server.idle.bucketRequests.toFixed(2)}`, met: server.idle.bucketRequests < 5 },
    ],
    notes: [
      `all followers run in one process beside the registry server and the bucket (versitygw), on the same cores; each has a client of its own and fetches the version (${MODEL_BYTES / 1024} KiB) when the alias has moved, so that the time until all have swapped is that of one process which fetches it a thousand times`,
    ],
  };
}

const told = (value) => (value === undefined ? '–' : value.toFixed(1));

async function measured({ count, through, followMs, fetches }, { python, seconds }) {
  const home = emptied(`followers-${through}`);
  const bucket = await startBucket(`followers-${through}`);
  const env = { ...process.env, ...bucket.env, HOME: home, INGOT_CACHE: join(home, 'cache'), INGOT_REGISTRY: bucket.address };
  let server;
  let followers;
  try {
    await push(1, home, { ...env });
    if (through === 'server') {
      for (const [name, value] of Object.entries(bucket.env)) process.env[name] = value;
      server = await startIngot({ home, python, store: bucket.address });
    }
    const writes = server === undefined ? env : { ...env, INGOT_REGISTRY: server.url, INGOT_TOKEN: server.token };
    await push(2, home, writes);
    await ingot(['alias', 'set', 'churn', 'production', 'churn:1'], writes);
    const plan = { registry: server?.url ?? bucket.address, token: server?.token, count, reference: REFERENCE, ...(followMs && { followMs }), ...(fetches === false && { fetches }) };
    followers = await startFollowers(plan, { ...env, INGOT_RETRIES: '10' });
    await sleep(3000);
    const idle = await idleFor(seconds, { followers, server, bucket });
    const swap = await swapOf({ followers, server, bucket, env: writes });
    return { idle, swap };
  } finally {
    for (const name of Object.keys(bucket.env)) delete process.env[name];
    await followers?.stop();
    await server?.stop();
    await bucket.stop();
  }
}

async function push(version, home, env) {
  const directory = join(home, 'churn');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'weights.bin'), randomBytes(MODEL_BYTES));
  writeFileSync(join(directory, 'metadata.yaml'), `name: churn\nversion: "${version}.0"\n`);
  await ingot(['push', directory, '--name', 'churn'], env);
}

const ingot = (words, env) => run(process.execPath, [CLI_ENTRY, ...words, '--quiet'], { env, label: `ingot ${words[0]}` });

async function startFollowers(plan, env) {
  const child = spawn(process.execPath, ['--max-old-space-size=8192', PROGRAM, JSON.stringify(plan)], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const heard = { looks: [], swapped: undefined, ready: undefined };
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const said = JSON.parse(line);
    if (said.looks !== undefined) heard.looks.push(said.looks);
    if (said.ready !== undefined) heard.ready = said;
    if (said.swapped !== undefined) Object.assign(heard, { swapped: said.swapped, told: said.heard });
  });
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  while (heard.ready === undefined) {
    if (child.exitCode !== null) throw new Error('the followers ended');
    await sleep(100);
  }
  console.error(`${plan.count} followers were ready after ${heard.ready.seconds.toFixed(1)} s`);
  return { heard, stop };
}

async function requestsOf(server) {
  if (server === undefined) return undefined;
  const reply = await fetch(`${server.url}/metrics`, { headers: { authorization: server.headers.authorization } });
  return [...(await reply.text()).matchAll(/^ingot_http_requests_total\{.*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
}

async function idleFor(seconds, { followers: { heard }, server, bucket }) {
  heard.looks.length = 0;
  const before = { cpu: server && usageOf(server.pid).cpu, requests: await requestsOf(server), bucket: bucket.requests() };
  await sleep(seconds * 1000);
  const requests = await requestsOf(server);
  return {
    looks: heard.looks.reduce((sum, count) => sum + count, 0) / heard.looks.length,
    registryCpu: server && (usageOf(server.pid).cpu - before.cpu) / seconds,
    registryRequests: requests === undefined ? undefined : (requests - before.requests - 1) / seconds,
    bucketRequests: (bucket.requests() - before.bucket) / seconds,
  };
}

async function swapOf({ followers: { heard }, server, bucket, env }) {
  const before = { cpu: server && usageOf(server.pid).cpu, bucket: bucket.requests() };
  await ingot(['alias', 'set', 'churn', 'production', 'churn:2'], env);
  const movedAt = Date.now();
  while (heard.swapped === undefined) {
    if (Date.now() - movedAt > 300_000) throw new Error('not all followers have swapped within five minutes');
    await sleep(50);
  }
  const after = (moments) => moments.map((at) => Math.max(0, at - movedAt) / 1000).sort((one, other) => one - other);
  const [told, swapped] = [after(heard.told), after(heard.swapped)];
  return {
    told: told.at(-1),
    half: swapped[Math.floor(swapped.length / 2)],
    all: swapped.at(-1),
    registryCpu: server && usageOf(server.pid).cpu - before.cpu,
    bucketRequests: bucket.requests() - before.bucket,
  };
}
