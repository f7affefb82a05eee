/** Care of a store: how fast `ingot check --read-data` hashes, and what `ingot gc` takes over a million chunks. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { buildLibraries } from '../../scripts/build.mjs';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { fresh, MEBIBYTE, modelFolders } from '../lib/folders.mjs';
import { atLeast, atMost, cost } from '../lib/goals.mjs';
import { measureLimits } from '../lib/limits.mjs';
import { measure as measureOnce, median } from '../lib/measure.mjs';
import { measuredProgram } from '../lib/program.mjs';

const CHUNKS_A_VERSION = 20_000;
const LIVE_CHUNKS = 1_000_000;
const DELETED_SHARE = 0.2;

/** @param options `size` of the checked model in MiB; `times` rounds; `only` of `check` and `gc` */
export async function measure({ size = 1024, times = 3, only = ['check', 'gc'] }) {
  const entry = await measuredProgram();
  const parts = [];
  if (only.includes('check')) parts.push(await measureCheck(entry, size, times));
  if (only.includes('gc')) parts.push(await measureCollection(entry, times));
  return {
    title: `Care of a store: a check of ${size} MiB, and collections over ${LIVE_CHUNKS.toLocaleString('en')} chunks`,
    columns: ['', `median of ${times}: wall s (processor s) peak MiB`],
    rows: parts.flatMap(({ rows }) => rows),
    goals: parts.flatMap(({ goals }) => goals),
    notes: parts.flatMap(({ notes }) => notes),
    raw: Object.assign({}, ...parts.map(({ raw }) => raw)),
  };
}

/** What a command costs with a store, `before` each run. */
async function costOf(entry, store, args, times, before = async () => {}) {
  const runs = [];
  const env = { ...process.env, INGOT_REGISTRY: store, INGOT_CACHE: fresh('caches', 'care') };
  for (let round = 0; round < times; round++) {
    await before();
    runs.push(await measureOnce(process.execPath, [entry, ...args, '--json'], { env }));
  }
  const costs = Object.fromEntries(['wall', 'cpu', 'peakBytes'].map((field) => [field, median(runs.map((one) => one[field]))]));
  return { ...costs, answer: JSON.parse(runs.at(-1).stdout) };
}

async function measureCheck(entry, size, times) {
  const folders = await modelFolders(size);
  const store = join(fresh('stores', 'care-check'), 'store');
  await costOf(entry, store, ['push', folders.v1, '--name', 'checked'], 1);
  const structure = await costOf(entry, store, ['check'], times);
  const whole = await costOf(entry, store, ['check', '--read-data'], times);
  const { rates } = await measureLimits(folders.bytes);
  const bytes = whole.answer.checked.bytes;
  const rate = (seconds) => bytes / MEBIBYTE / seconds;
  // What the program costs before it reads any data is measured by a check of the structure.
  const reading = rate(whole.cpu - structure.cpu);
  fresh('stores', 'care-check');
  return {
    rows: [['ingot check', cost(structure)], ['ingot check --read-data', cost(whole)]],
    goals: [atLeast("check --read-data, bytes a processor second, share of SHA-256's speed on one core", reading / rates.sha256, 0.8, '')],
    notes: [
      `SHA-256 on one core: ${rates.sha256.toFixed(0)} MiB/s; check --read-data read ${(bytes / MEBIBYTE).toFixed(0)} MiB at ${reading.toFixed(0)} MiB a processor second (${rate(whole.cpu).toFixed(0)} with starting the program), ${rate(whole.wall).toFixed(0)} MiB/s of wall time`,
    ],
    raw: { check: { structure, whole, sha256: rates.sha256 } },
  };
}

async function measureCollection(entry, times) {
  await buildLibraries();
  const live = LIVE_CHUNKS / CHUNKS_A_VERSION;
  const deleted = Math.round(live * DELETED_SHARE);
  const home = fresh('stores', 'care-gc');
  const [filled, store] = [join(home, 'filled'), join(home, 'store')];
  await run(process.execPath, [inRoot('bench/lib/fill-chunks.mjs'), filled, String(live + deleted), String(deleted)], { label: 'filling a store with a million chunks' });
  mkdirSync(store, { recursive: true });
  // Hard links: a collection deletes files, it never changes one.
  const again = () => run('sh', ['-c', 'rm -rf "$1" && cp -al "$0" "$1"', filled, store]);
  const dry = await costOf(entry, filled, ['gc', '--dry-run', '--grace', '0s'], times);
  const real = await costOf(entry, store, ['gc', '--grace', '0s', '--repack-below', '0'], times, again);
  const { packs } = real.answer;
  const gone = packs.filter(({ fate }) => fate === 'deleted').length;
  if (gone < deleted) throw new Error(`the collection deleted ${gone} packs`);
  const stats = await costOf(entry, store, ['stats'], 1);
  fresh('stores', 'care-gc');
  return {
    rows: [['ingot gc --dry-run', cost(dry)], [`ingot gc, ${gone.toLocaleString('en')} of ${packs.length.toLocaleString('en')} packs deleted`, cost(real)], ['ingot stats', cost(stats)]],
    goals: [atMost('gc over 1,000,000 chunks, wall time', real.wall, 60, ' s'), atMost('gc over 1,000,000 chunks, peak memory', real.peakBytes / MEBIBYTE, 400, ' MiB')],
    notes: [`${stats.answer.all.chunks.toLocaleString('en')} chunks, pages and recipes stay needed, in ${live} versions; ${deleted} versions were deleted before`],
    raw: { gc: { dry: { ...dry, answer: undefined }, real: { ...real, answer: undefined }, stats: { ...stats, answer: undefined } } },
  };
}
