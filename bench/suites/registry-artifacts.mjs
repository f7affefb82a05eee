/** A large artifact through the registry server, beside what the store takes by itself, and `mlflow server`. */
import { createReadStream, existsSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { CLI_ENTRY } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { measure as timed } from '../lib/measure.mjs';
import { treeOf, usageOf } from '../lib/processes.mjs';
import { emptied, HOME, MLFLOW_PYTHON, startIngot, startMlflow } from '../lib/registry-servers.mjs';
import { send } from '../lib/requests.mjs';

const PATH = '/api/2.0/mlflow-artifacts/artifacts';

export async function measure({ python, peers, size = 1024 }) {
  const file = join(emptied('artifact'), 'weights.bin');
  await run('sh', ['-c', `head -c ${size}M /dev/urandom > ${file}`]);
  const digest = await digestOf(createReadStream(file));
  const mebibytes = (seconds) => size / seconds;
  const rows = [];
  const home = emptied('artifact-ingot');
  const server = await startIngot({ home, python });
  let pushed;
  let ours;
  try {
    // The limit: the same file pushed by the command line into a store of its own on the same disk.
    const env = { ...server.env, INGOT_REGISTRY: join(home, 'limit') };
    pushed = await timed(process.execPath, [CLI_ENTRY, 'push', file, '--name', 'limit'], { env });
    rows.push([
      'ingot push into the store',
      mebibytes(pushed.wall).toFixed(0),
      pushed.cpu.toFixed(2),
      (pushed.peakBytes / 2 ** 20).toFixed(0),
    ]);
    ours = await through(server, file, digest);
  } finally {
    await server.stop();
  }
  rows.push(...shown('ingot', ours, mebibytes));
  if (peers && MLFLOW_PYTHON) {
    const peer = await startMlflow({ home: emptied('artifact-mlflow') });
    try {
      rows.push(...shown('mlflow', await through(peer, file, digest), mebibytes));
    } finally {
      await peer.stop();
    }
  }
  for (const name of ['artifact', 'artifact-ingot', 'artifact-mlflow'])
    if (existsSync(join(HOME, name))) rmSync(join(HOME, name), { recursive: true, force: true });
  const share = pushed.wall / ours.put.seconds;
  return {
    title: `An artifact of ${size} MiB through the registry server, over raw HTTP`,
    columns: ['', 'MiB a second', 'processor s', 'peak of the server, MiB'],
    rows,
    goals: [
      { goal: 'upload: at least 0.7 of the store’s own push', value: share.toFixed(2), met: share >= 0.7 },
      {
        goal: 'the server’s memory stays flat: at most 200 MiB more at its peak',
        value: `${((ours.put.peak - ours.idle) / 2 ** 20).toFixed(0)} MiB`,
        met: ours.put.peak - ours.idle <= 200 * 2 ** 20,
      },
    ],
    notes: [
      `idle before it: ${(ours.idle / 2 ** 20).toFixed(0)} MiB; what comes back was compared by its SHA-256; the sender shares the cores with the server`,
    ],
    skipped: peers ? [] : ['mlflow server: --peers'],
  };
}

const shown = (who, { put, get }, mebibytes) => [
  [`${who}, PUT`, mebibytes(put.seconds).toFixed(0), put.cpu.toFixed(2), (put.peak / 2 ** 20).toFixed(0)],
  [`${who}, GET`, mebibytes(get.seconds).toFixed(0), get.cpu.toFixed(2), (get.peak / 2 ** 20).toFixed(0)],
];

async function through(server, file, digest) {
  const { url, headers, pid } = server;
  const {
    run: { info },
  } = await send(url, undefined, {
    method: 'POST',
    path: '/api/2.0/mlflow/runs/create',
    headers,
    body: { experiment_id: '0', start_time: Date.now() },
  });
  const path = `${PATH}/${new URL(info.artifact_uri).pathname.replace(/^\/+/, '')}/weights.bin`;
  const { authorization } = headers;
  const auth = authorization ? { authorization } : {};
  const idle = peakOf(pid);
  const put = await weighed(pid, () =>
    sent(
      url,
      // As clients send a file: its length is known.
      { method: 'PUT', path, headers: { ...auth, 'content-type': 'application/octet-stream', 'content-length': statSync(file).size } },
      createReadStream(file, { highWaterMark: 1 << 20 }),
    ),
  );
  const get = await weighed(pid, async () => {
    const reply = await sent(url, { path, headers: auth });
    if ((await digestOf(reply)) !== digest) throw new Error('what came back is something else');
  });
  return { idle, put, get };
}

const peakOf = (pid) => treeOf(pid).reduce((sum, { peakBytes }) => sum + peakBytes, 0);

async function weighed(pid, act) {
  const before = usageOf(pid).cpu;
  const began = performance.now();
  await act();
  const seconds = (performance.now() - began) / 1000;
  return { seconds, cpu: usageOf(pid).cpu - before, peak: peakOf(pid) };
}

function sent(url, options, body) {
  return new Promise((resolve, reject) => {
    const asked = request(url + options.path, options, (reply) => {
      if (reply.statusCode >= 300) return reject(new Error(`${options.path} answers ${reply.statusCode}`));
      if (options.method === 'PUT') reply.resume().on('end', resolve);
      else resolve(reply);
    });
    asked.on('error', reject);
    if (body === undefined) asked.end();
    else body.pipe(asked);
  });
}

async function digestOf(stream) {
  const hash = createHash('sha256');
  for await (const piece of stream) hash.update(piece);
  return hash.digest('hex');
}
