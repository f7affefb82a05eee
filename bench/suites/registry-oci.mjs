/** A large blob pushed to the registry server and pulled from it as OCI clients do, beside the reference registry. */
import { createHash, randomBytes } from 'node:crypto';
import { copyFileSync, createReadStream, openSync, closeSync, mkdirSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { freePort } from '../../scripts/demo/engine.mjs';
import { ociRegistry } from '../../scripts/lib/bench-peers.mjs';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { bytesUnder } from '../lib/folders.mjs';
import { treeOf, usageOf } from '../lib/processes.mjs';
import { emptied, HOME, startIngot, untilItAnswers } from '../lib/registry-servers.mjs';
import { send } from '../lib/requests.mjs';
import { startService } from '../lib/service.mjs';

const MIB = 2 ** 20;
/** How many places of the second version are others, of which size. */
const CHANGES = 20;
const STEPS = ['push', 'pull', 'pull again', 'push of the next version', 'push in parts'];
const GOAL = 1.2;

export async function measure({ python, size = 1024, times = 3 }) {
  const files = await versions(emptied('oci'), size);
  const contenders = [
    { name: 'ingot', start: () => startOurs(python) },
    { name: 'distribution 3.1.2', start: startReference },
    { name: 'plain Node.js', start: startPlain },
  ];
  const rounds = [];
  for (let round = 0; round < times; round += 1)
    for (const { name, start } of contenders) rounds.push({ name, ...(await played(await start(), files)) });
  rmSync(join(HOME, 'oci'), { recursive: true, force: true });
  const of = (name, step, what) => median(rounds.filter((each) => each.name === name).map((each) => each[step][what]));
  const ratio = (step, what) => of('ingot', step, what) / of('distribution 3.1.2', step, what);
  const rows = contenders.flatMap(({ name }) =>
    STEPS.map((step) => [
      `${name}, ${step}`,
      of(name, step, 'seconds').toFixed(2),
      of(name, step, 'cpu').toFixed(2),
      (of(name, step, 'stored') / MIB).toFixed(0),
      (of(name, step, 'peak') / MIB).toFixed(0),
    ]),
  );
  const goalOf = (step, what, unit) => {
    const value = ratio(step, what);
    return { goal: `${step}: at most ${GOAL} times the ${unit} of the reference registry`, value: value.toFixed(2), met: value <= GOAL };
  };
  const share = of('ingot', STEPS[3], 'stored') / (size * MIB);
  return {
    title: `A blob of ${size} MiB through the distribution API, over raw HTTP`,
    columns: ['', 'seconds', 'processor s of the server', 'MiB stored', 'peak of the server, MiB'],
    rows,
    goals: [
      ...['push', 'pull', 'pull again'].flatMap((step) => [goalOf(step, 'cpu', 'processor time'), goalOf(step, 'seconds', 'time')]),
      {
        goal: `a version with 2 % changed in ${CHANGES} places stores at most 3 %`,
        value: `${(share * 100).toFixed(1)} %`,
        met: share <= 0.03,
      },
    ],
    notes: [
      'a push is POST, one PATCH, PUT; in parts: PATCH requests of 64 MiB; medians of the rounds; the client shares the cores with the server and compares what it pulls by its SHA-256',
      `hashing ${size} MiB once takes ${hashingSeconds(size).toFixed(2)} s of a core in this run. ingot hashes twice what comes, as a blob and in pieces, and looks for the cuts between them; it hashes once an hour what it sends. The reference registry hashes once what comes, and sends without looking`,
      'plain Node.js: bench/lib/plain-blob-server.mjs, which hashes once what comes, writes one file, and sends without looking; what ingot takes beyond it is checks, cuts and their index',
    ],
  };
}

/** Two versions of a file: of the second, 2 % are other bytes. */
async function versions(home, size) {
  const [first, second] = ['first', 'second'].map((name) => join(home, name));
  await run('sh', ['-c', `head -c ${size}M /dev/urandom > ${first}`]);
  copyFileSync(first, second);
  const file = openSync(second, 'r+');
  const changed = Math.floor((size * MIB * 0.02) / CHANGES);
  for (let n = 0; n < CHANGES; n += 1)
    writeSync(file, randomBytes(changed), 0, changed, Math.floor(((n + 0.37) * size * MIB) / CHANGES));
  closeSync(file);
  return { first: await digested(first), second: await digested(second) };
}

const digested = async (path) => ({ path, digest: `sha256:${await sha256(createReadStream(path))}` });

async function startOurs(python) {
  const home = emptied('oci-ingot');
  const server = await startIngot({ home, python });
  return { ...server, data: join(home, 'store'), headers: { authorization: server.headers.authorization }, home };
}

async function startReference() {
  const home = emptied('oci-reference');
  const port = await freePort();
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(home, 'data') }, cache: { blobdescriptor: 'inmemory' } },
    http: { addr: `127.0.0.1:${port}` },
  };
  writeFileSync(join(home, 'registry.json'), JSON.stringify(config));
  const env = { ...process.env, OTEL_TRACES_EXPORTER: 'none' };
  const args = ['serve', join(home, 'registry.json')];
  const server = await startService({ command: await ociRegistry(), args, env, port });
  const url = `http://127.0.0.1:${port}`;
  await untilItAnswers(() => send(url, undefined, { path: '/v2/' }));
  return { ...server, url, data: join(home, 'data'), headers: {}, home };
}

/** What hashing once, a file, and the HTTP server of Node.js take. */
async function startPlain() {
  const home = emptied('oci-plain');
  const [port, data] = [await freePort(), join(home, 'data')];
  mkdirSync(data);
  const args = [inRoot('bench/lib/plain-blob-server.mjs'), String(port), data];
  const server = await startService({ command: process.execPath, args, env: process.env, port });
  const url = `http://127.0.0.1:${port}`;
  await untilItAnswers(() => send(url, undefined, { path: '/v2/' }));
  return { ...server, url, data, headers: {}, home };
}

async function played(server, { first, second }) {
  const client = clientOf(server);
  const steps = [
    () => client.push('bench/model', first),
    () => client.pull('bench/model', first),
    () => client.pull('bench/model', first),
    () => client.push('bench/model', second),
    () => client.push('bench/parts', first, 64 * MIB),
  ];
  const results = {};
  try {
    for (const [n, step] of steps.entries()) results[STEPS[n]] = await weighed(server, step);
  } catch (error) {
    throw new Error(`${error.message}; the server printed${server.printed()}`, { cause: error });
  } finally {
    await server.stop();
    rmSync(server.home, { recursive: true, force: true });
  }
  return results;
}

async function weighed({ pid, data }, act) {
  const [cpu, stored] = [usageOf(pid).cpu, bytesUnder(data)];
  const began = performance.now();
  await act();
  const seconds = (performance.now() - began) / 1000;
  const peak = treeOf(pid).reduce((sum, { peakBytes }) => sum + peakBytes, 0);
  return { seconds, cpu: usageOf(pid).cpu - cpu, stored: bytesUnder(data) - stored, peak };
}

function clientOf({ url, headers }) {
  const ask = (method, path, more = {}, body) =>
    new Promise((resolve, reject) => {
      const sent = request(new URL(path, url), { method, headers: { ...headers, ...more } }, (reply) => {
        if (reply.statusCode >= 300) reject(new Error(`${method} ${path} answers ${reply.statusCode}`));
        else if (method === 'GET') resolve(reply);
        else reply.resume().on('end', () => resolve(reply));
      });
      sent.on('error', reject);
      if (body === undefined) sent.end();
      else body.pipe(sent);
    });
  const push = async (repository, { path, digest }, partBytes) => {
    const begun = await ask('POST', `/v2/${repository}/blobs/uploads/`, { 'content-length': 0 });
    let at = begun.headers.location;
    const size = statSync(path).size;
    for (let start = 0; start < size; start += partBytes ?? size) {
      const end = Math.min(size, start + (partBytes ?? size)) - 1;
      const range = partBytes === undefined ? {} : { 'content-range': `${start}-${end}` };
      const said = { 'content-type': 'application/octet-stream', 'content-length': end - start + 1, ...range };
      at = (await ask('PATCH', at, said, createReadStream(path, { start, end, highWaterMark: MIB }))).headers.location;
    }
    const named = new URL(at, url);
    named.searchParams.set('digest', digest);
    await ask('PUT', named.href, { 'content-length': 0 });
  };
  const pull = async (repository, { digest }) => {
    const reply = await ask('GET', `/v2/${repository}/blobs/${digest}`);
    if (`sha256:${await sha256(reply)}` !== digest) throw new Error('what came back is something else');
  };
  return { push, pull };
}

async function sha256(stream) {
  const hash = createHash('sha256');
  for await (const piece of stream) hash.update(piece);
  return hash.digest('hex');
}

function hashingSeconds(size) {
  const [hash, block, before] = [createHash('sha256'), randomBytes(MIB), process.cpuUsage()];
  for (let n = 0; n < size; n += 1) hash.update(block);
  hash.digest();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
