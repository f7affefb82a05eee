/** Baking a model of 1 GiB into a layout, beside copying and hashing its file once; and baking again. */
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { measure as measureOnce, median } from '../lib/measure.mjs';
import { benchEnvironment } from '../lib/subjects.mjs';
import { CLI_ENTRY, inRoot } from '../../scripts/lib/paths.mjs';

const HOME = inRoot('.cache/bench/bake');
const MEBIBYTE = 2 ** 20;
const ROUNDS = 5;

export async function measure({ python, size = 1024, times = ROUNDS }) {
  rmSync(HOME, { recursive: true, force: true });
  const source = weightsOf(size);
  const env = { ...benchEnvironment(python), INGOT_REGISTRY: join(HOME, 'store'), INGOT_CACHE: join(HOME, 'cache') };
  const ingot = (...args) => measureOnce(process.execPath, [CLI_ENTRY, ...args], { env });
  await ingot('push', source, '--name', 'large', '--quiet');
  const bake = () => ingot('bake', 'large', '--model-only', '-o', `oci:${join(HOME, 'image')}`, '--json');
  const forget = (...names) => {
    for (const name of names) rmSync(join(HOME, name), { recursive: true, force: true });
  };
  const runs = { copy: [], store: [], cache: [], again: [] };
  const digests = new Set();
  // All are measured in turn, so that a busy moment of the machine meets all of them.
  for (let round = 0; round < times; round += 1) {
    forget('copy');
    runs.copy.push(await measureOnce(process.execPath, [inRoot('bench/lib/copy-and-hash.mjs'), source, join(HOME, 'copy')]));
    forget('copy', 'image', 'cache');
    runs.store.push(await bake());
    runs.again.push(await bake());
    await ingot('pull', 'large', '--cached', '--quiet');
    forget('image', 'cache/images');
    runs.cache.push(await bake());
    for (const { stdout } of [...runs.store, ...runs.cache]) digests.add(JSON.parse(stdout).digest);
  }
  const sent = JSON.parse(runs.again.at(-1).stdout).bytes.new;
  rmSync(HOME, { recursive: true, force: true });
  return report(runs, { times, size, digests: digests.size, sent });
}

function weightsOf(mebibytes) {
  mkdirSync(HOME, { recursive: true });
  const path = join(HOME, 'weights.bin');
  const file = openSync(path, 'w');
  for (let index = 0; index < mebibytes; index += 1) writeSync(file, randomBytes(MEBIBYTE));
  closeSync(file);
  return path;
}

function report(runs, { times, size, digests, sent }) {
  const names = { copy: 'copying and hashing the file once', store: 'ingot bake, from the store', cache: 'ingot bake, of a cached model', again: 'ingot bake, again' };
  const middle = (key, field) => median(runs[key].map((run) => run[field]));
  const rows = Object.entries(names).map(([key, name]) => [name, middle(key, 'wall').toFixed(2), middle(key, 'cpu').toFixed(2), (middle(key, 'peakBytes') / MEBIBYTE).toFixed(0)]);
  const ratios = (key, field) => median(runs[key].map((run, round) => run[field] / runs.copy[round][field]));
  const against = (key, what) => ({
    goal: `${what}: at most 1.3 times the time to copy and hash those bytes once`,
    value: `${ratios(key, 'wall').toFixed(2)} times (processor: ${ratios(key, 'cpu').toFixed(2)})`,
    met: ratios(key, 'wall') <= 1.3,
  });
  return {
    title: `Baking a model of ${size} MiB`,
    columns: [`median of ${times} rounds`, 'wall s', 'processor s', 'peak MiB'],
    rows,
    goals: [
      against('store', 'from the store'),
      against('cache', 'of a cached model'),
      { goal: 'baking again moves nothing', value: `${sent} bytes`, met: sent === 0 },
      { goal: 'one digest each time', value: `${digests}`, met: digests === 1 },
    ],
    raw: Object.fromEntries(Object.entries(runs).map(([key, each]) => [key, each.map(({ stdout: _, ...numbers }) => numbers)])),
  };
}
