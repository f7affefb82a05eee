/** Peak memory of a push, a pull and the start of a model server, by the size of the model; and both under a bound that the kernel keeps. */
import { existsSync, linkSync, mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ingotContender } from '../peers/storage/ingot.mjs';
import { boundedGroup } from '../lib/bounded.mjs';
import { startBucket } from '../lib/bucket.mjs';
import { measureStep } from '../lib/contest.mjs';
import { assertSame, filesOf, fresh, MEBIBYTE, modelFolders, STORAGE_HOME } from '../lib/folders.mjs';
import { sizeName } from '../lib/formats.mjs';
import { atMost, cost } from '../lib/goals.mjs';
import { treeOf } from '../lib/processes.mjs';
import { measuredProgram } from '../lib/program.mjs';
import { startServer } from '../lib/server.mjs';

const SIZES = [256, 1024, 4096];
const LARGE = 16 * 1024;
const BOUNDED = 5 * 1024;
const BOUND_BYTES = 300 * MEBIBYTE;
const GOAL = 128;
/** Made again when asked for: they take much room. */
const KEPT_UP_TO = 1024;

const INTERFACE = `from pathlib import Path


class Model:
    def __init__(self, folder):
        self.bytes = sum(path.stat().st_size for path in folder.glob("weights-*.bin"))

    def predict(self, rows):
        return [self.bytes for _ in rows]


def load_model():
    return Model(Path(__file__).parent)
`;

/** @param options `size` of the largest model in MiB, default 4 GiB; `large` adds 16 GiB; `only` of `local`, `s3` and `bounded` */
export async function measure({ size, large = false, only = ['local', 's3', 'bounded'] }) {
  const entry = await measuredProgram();
  const skipped = [];
  const asked = [...SIZES, ...(large ? [LARGE] : [])].filter((each) => each <= (size ?? LARGE));
  if (!large && size === undefined) skipped.push('16 GiB: add --large');
  const places = await openPlaces(entry, only);
  const rows = [];
  const bounded = [];
  try {
    for (const mebibytes of asked.filter((each) => hasRoom(each, skipped))) rows.push(...(await measureSize(places, mebibytes)));
    const most = Math.min(BOUNDED, size ?? BOUNDED);
    if (only.includes('bounded') && hasRoom(most, skipped)) bounded.push(...(await measureBounded(places, most, skipped)));
  } finally {
    for (const place of places) await place.stop?.();
    for (const name of ['stores', 'pulled', 'caches']) fresh(name);
  }
  return report(rows, bounded, skipped);
}

async function openPlaces(entry, only) {
  const places = [];
  if (only.includes('local') || !only.includes('s3')) places.push({ where: 'local', contender: ingotContender({ entry, key: 'memory' }) });
  if (!only.includes('s3') && only.includes('local')) return places;
  if (only.includes('s3')) {
    const bucket = await startBucket('memory');
    places.push({ where: 'S3', contender: ingotContender({ entry, storage: bucket, key: 'memory-s3' }), stop: bucket.stop });
  }
  return places;
}

/** A model, what is stored of it, and a server's copy of it lie side by side. */
function hasRoom(mebibytes, skipped) {
  const { bavail, bsize } = statfsSync(STORAGE_HOME);
  const needed = mebibytes * 3.2;
  const free = Math.floor((bavail * bsize) / MEBIBYTE);
  if (free > needed) return true;
  skipped.push(`${sizeName(mebibytes)}: needs ${sizeName(Math.ceil(needed / 1024) * 1024)} of disk, ${Math.floor(free / 1024)} GiB are free`);
  return false;
}

async function measureSize(places, mebibytes) {
  const folder = await servedFolder(mebibytes);
  const rows = [];
  for (const { where, contender } of places) {
    console.error(`- ${sizeName(mebibytes)}, ${where}`);
    await contender.prepare();
    const push = await measureStep(contender.push('v1', folder));
    const pull = await pullOnce(contender, folder);
    fresh('caches', `${contender.key}-pull`);
    rows.push({ where, mebibytes, push, pull, cold: await startOnce(contender), warm: await startOnce(contender) });
    await contender.prepare();
  }
  forget(mebibytes, folder);
  return rows;
}

async function pullOnce(contender, folder, wrap = (commands) => commands) {
  const target = join(fresh('pulled', contender.key), 'first');
  const pull = await measureStep(wrap(contender.pull('v1', target)));
  assertSame(folder, target);
  rmSync(target, { recursive: true, force: true });
  return pull;
}

/** Starts the model server and gives the peak of the server's own process, and of the Python worker apart. */
async function startOnce({ env, entry }) {
  const command = (port) => ({ program: process.execPath, args: [entry, 'serve', 'model', '--port', String(port), '--env', 'current', '--spare', '0'], env: env('pull'), path: '/v2/models/model/infer' });
  const body = JSON.stringify({ inputs: [{ name: 'rows', datatype: 'FP64', shape: [1, 1], data: [1] }] });
  const server = await startServer(command, body, { withinMs: 900_000 });
  try {
    const [own, ...below] = treeOf(server.pid);
    return { wall: server.secondsToFirst, cpu: server.usage().cpu, peakBytes: own.peakBytes, workerBytes: Math.max(0, ...below.map(({ peakBytes }) => peakBytes)) };
  } finally {
    await server.stop();
  }
}

async function measureBounded(places, mebibytes, skipped) {
  const folder = await servedFolder(mebibytes);
  const rows = [];
  for (const { where, contender } of places) {
    console.error(`- ${sizeName(mebibytes)} within ${sizeName(BOUND_BYTES / MEBIBYTE)}, ${where}`);
    try {
      await contender.prepare();
      const push = await bounded((wrap) => measureStep(wrap(contender.push('v1', folder))));
      const pull = await bounded((wrap) => pullOnce(contender, folder, wrap));
      rows.push({ where, mebibytes, push, pull });
    } catch (error) {
      skipped.push(`${sizeName(mebibytes)} within ${sizeName(BOUND_BYTES / MEBIBYTE)}, ${where}: ${error.message.split('\n')[0]}`);
    }
    await contender.prepare();
  }
  forget(mebibytes, folder);
  return rows;
}

async function bounded(action) {
  const group = boundedGroup(BOUND_BYTES);
  try {
    const usage = await action((commands) => commands.map(group.within)).catch((error) => ({ failed: error.message }));
    return { ...usage, group: group.usage() };
  } finally {
    group.remove();
  }
}

/** The weights as a package that a server can start, which reads none of them. */
async function servedFolder(mebibytes) {
  const { v1 } = await modelFolders(mebibytes, []);
  const folder = fresh('models', `served-${mebibytes}`);
  for (const path of filesOf(v1)) {
    const target = join(folder, path.slice(v1.length + 1));
    mkdirSync(join(target, '..'), { recursive: true });
    linkSync(path, target);
  }
  writeFileSync(join(folder, 'interface.py'), INTERFACE);
  writeFileSync(join(folder, 'requirements.txt'), '');
  return folder;
}

function forget(mebibytes, folder) {
  rmSync(folder, { recursive: true, force: true });
  const home = join(STORAGE_HOME, 'models', `${mebibytes}-v1`);
  if (mebibytes > KEPT_UP_TO && existsSync(home)) rmSync(home, { recursive: true });
}

function report(rows, bounded, skipped) {
  const ends = ({ killed }) => (killed > 0 ? `${killed} ended by the kernel` : 'none ended by the kernel');
  const cells = (usage) => (usage.failed ? 'failed' : `${cost(usage)}, ${ends(usage.group)}`);
  return {
    title: 'Peak memory, by the size of a model',
    columns: ['wall s (processor s) peak MiB', 'size', 'push', 'pull', 'serve: first start', 'serve: later start'],
    rows: [
      ...rows.map(({ where, mebibytes, push, pull, cold, warm }) => [`ingot, ${where}`, sizeName(mebibytes), cost(push), cost(pull), cost(cold), cost(warm)]),
      ...bounded.map(({ where, mebibytes, push, pull }) => [`ingot, ${where}, within ${BOUND_BYTES / MEBIBYTE} MiB`, sizeName(mebibytes), cells(push), cells(pull), '–', '–']),
    ],
    goals: [...goalsOf(rows), ...boundedGoals(bounded)],
    notes: [
      'peak of the process itself; a server\'s Python worker is not in it, and reads no weights here',
      'a first start fetches the model; what was pulled is the same byte for byte',
      'within a bound: a control group in which pages of files count too',
    ],
    skipped,
    raw: { rows, bounded },
  };
}

function goalsOf(rows) {
  return [...new Set(rows.map(({ where }) => where))].flatMap((where) => {
    const own = rows.filter((row) => row.where === where);
    const [small, largest] = [own[0], own.at(-1)];
    return ['push', 'pull', 'cold'].flatMap((step) => {
      const name = step === 'cold' ? 'first start of a server' : step;
      const peak = (row) => row[step].peakBytes / MEBIBYTE;
      const goals = [atMost(`${name}, ${where}, ${sizeName(small.mebibytes)}`, peak(small), GOAL, ' MiB')];
      if (small === largest) return goals;
      return [...goals, atMost(`${name}, ${where}, ${sizeName(largest.mebibytes)}, 10 % more than that`, peak(largest), 140.8, ' MiB'), atMost(`${name}, ${where}, ${sizeName(largest.mebibytes)} against ${sizeName(small.mebibytes)}`, peak(largest) / peak(small), 1.1)];
    });
  });
}

const boundedGoals = (rows) =>
  rows.flatMap(({ where, mebibytes, push, pull }) =>
    Object.entries({ pushed: push, pulled: pull }).map(([done, { failed, group }]) => ({
      goal: `${sizeName(mebibytes)} ${done} within ${BOUND_BYTES / MEBIBYTE} MiB, ${where}`,
      value: failed === undefined ? `done, ${group.killed} ended` : failed.split('\n')[0],
      met: failed === undefined && group.killed === 0,
    })),
  );
