/** `ingot ls` over many models. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildLibraries } from '../../scripts/build.mjs';
import { CLI_ENTRY, inRoot } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { measure as measureOnce, measureMedian } from '../lib/measure.mjs';
import { benchEnvironment } from '../lib/subjects.mjs';

const HOME = inRoot('.cache/bench/listing');
const MODELS = 1000;
const VERSIONS = 10;

export async function measure({ python }) {
  await filledStore();
  const env = { ...benchEnvironment(python), INGOT_REGISTRY: join(HOME, 'store'), INGOT_CACHE: join(HOME, 'cache') };
  const ls = [CLI_ENTRY, 'ls', '--json'];
  rmSync(join(HOME, 'cache'), { recursive: true, force: true });
  const first = await measureOnce(process.execPath, ls, { env });
  const later = await measureMedian(process.execPath, ls, { env, times: 5 });
  const one = await measureMedian(process.execPath, [CLI_ENTRY, 'ls', 'model-0500', '--json'], { env, times: 5 });
  const row = (name, { wall, cpu, peakBytes }) => [name, wall.toFixed(2), cpu.toFixed(2), (peakBytes / 2 ** 20).toFixed(0)];
  return {
    title: `Listing ${MODELS.toLocaleString('en-US')} models with ${VERSIONS} versions each`,
    columns: ['', 'wall s', 'processor s', 'peak MiB'],
    rows: [row('ingot ls, nothing remembered', first), row('ingot ls, later', later), row('ingot ls model-0500', one)],
    goals: [
      { goal: 'ingot ls, later: at most 0.3 s of processor time', value: `${later.cpu.toFixed(2)} s`, met: later.cpu <= 0.3 },
      { goal: 'ingot ls, nothing remembered: at most 0.3 s of processor time', value: `${first.cpu.toFixed(2)} s`, met: first.cpu <= 0.3 },
    ],
  };
}

async function filledStore() {
  const done = join(HOME, 'filled');
  if (existsSync(done)) return;
  rmSync(HOME, { recursive: true, force: true });
  mkdirSync(HOME, { recursive: true });
  await buildLibraries();
  console.error(`- publishing ${MODELS * VERSIONS} versions …`);
  await run(process.execPath, [inRoot('bench/lib/fill-store.mjs'), join(HOME, 'store'), String(MODELS), String(VERSIONS)], { label: 'filling the store' });
  writeFileSync(done, '');
}
