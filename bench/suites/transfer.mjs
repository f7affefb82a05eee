/** Pushing and pulling one large file, beside `cp` and `rclone copy`; at two sizes, to see whether memory grows. */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { measure as measureOnce, median } from '../lib/measure.mjs';
import { benchEnvironment } from '../lib/subjects.mjs';
import { CLI_ENTRY, inRoot } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';

const HOME = inRoot('.cache/bench/transfer');
const SIZES = [256, 1024];
const MEBIBYTE = 2 ** 20;
const TIMES = 3;

export async function measure({ python }) {
  const rclone = await run('rclone', ['version'], { check: false }).then(({ code }) => code === 0, () => false); // Not installed.
  const measured = {};
  for (const mebibytes of SIZES) {
    const source = modelOf(mebibytes);
    console.error(`- ${mebibytes} MiB`);
    measured[mebibytes] = {
      cp: await repeated(() => fresh('cp'), (target) => ['cp', ['-r', source, target]]),
      ...(rclone ? { rclone: await repeated(() => fresh('rclone'), (target) => ['rclone', ['copy', source, target]]) } : {}),
      ...(await ingotBothWays(python, source)),
    };
  }
  rmSync(HOME, { recursive: true, force: true });
  return report(measured, rclone);
}

async function ingotBothWays(python, source) {
  const env = { ...benchEnvironment(python), INGOT_REGISTRY: join(HOME, 'store'), INGOT_CACHE: join(HOME, 'cache') };
  const cli = (...args) => [process.execPath, [CLI_ENTRY, ...args, '--quiet']];
  const clearStore = () => {
    fresh('store');
    fresh('cache');
  };
  const push = await repeated(clearStore, () => cli('push', source, '--name', 'large'), env);
  const again = await repeated(() => {}, () => cli('push', source, '--name', 'large'), env);
  const pull = await repeated(() => fresh('pulled'), (target) => cli('pull', 'large', '-o', target), env);
  return { push, again, pull };
}

async function repeated(prepare, command, env = process.env) {
  const runs = [];
  for (let index = 0; index < TIMES; index++) {
    const target = prepare();
    runs.push(await measureOnce(...command(target), { env }));
  }
  return Object.fromEntries(['wall', 'cpu', 'peakBytes'].map((field) => [field, median(runs.map((usage) => usage[field]))]));
}

function fresh(name) {
  const path = join(HOME, name);
  rmSync(path, { recursive: true, force: true });
  return path;
}

function modelOf(mebibytes) {
  const directory = join(HOME, `model-${mebibytes}`);
  const path = join(directory, 'weights.bin');
  if (existsSync(path) && statSync(path).size === mebibytes * MEBIBYTE) return directory;
  mkdirSync(directory, { recursive: true });
  const file = openSync(path, 'w');
  for (let index = 0; index < mebibytes; index++) writeSync(file, randomBytes(MEBIBYTE));
  closeSync(file);
  return directory;
}

function report(measured, rclone) {
  const names = { cp: 'cp -r (no hash, no fsync)', rclone: 'rclone copy', push: 'ingot push', again: 'ingot push, again', pull: 'ingot pull' };
  const rows = SIZES.flatMap((size) =>
    Object.entries(measured[size]).map(([key, { wall, cpu, peakBytes }]) => [`${size} MiB`, names[key], wall.toFixed(2), cpu.toFixed(2), (peakBytes / MEBIBYTE).toFixed(0)]),
  );
  const large = measured[1024];
  const small = measured[256];
  const memory = Math.max(large.push.peakBytes, large.pull.peakBytes) / MEBIBYTE;
  const growth = Math.max(large.push.peakBytes / small.push.peakBytes, large.pull.peakBytes / small.pull.peakBytes);
  const against = (key) => ({ goal: `${key} of 1 GiB: at most 2 times the processor time of rclone copy`, value: `${(large[key].cpu / large.rclone.cpu).toFixed(2)} times`, met: large[key].cpu <= 2 * large.rclone.cpu });
  return {
    title: 'Push and pull of one large file',
    columns: ['size', `median of ${TIMES}`, 'wall s', 'processor s', 'peak MiB'],
    rows,
    goals: [
      ...(rclone ? [against('push'), against('pull')] : []),
      { goal: 'peak memory under 200 MiB', value: `${memory.toFixed(0)} MiB`, met: memory < 200 },
      { goal: 'peak memory at 1 GiB at most 1.1 times that at 256 MiB', value: `${growth.toFixed(2)} times`, met: growth <= 1.1 },
    ],
    skipped: rclone ? [] : ['rclone copy: rclone is not installed (Debian, Ubuntu: apt install rclone)'],
    raw: measured,
  };
}
