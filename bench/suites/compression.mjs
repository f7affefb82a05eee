/** Pushes with `--compress` beside pushes without, for weights of several kinds: what is stored, how fast, and how fast it comes back. */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { inRoot, pythonOf, VENV } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { ingotContender } from '../peers/storage/ingot.mjs';
import { measureStep } from '../lib/contest.mjs';
import { assertSame, bytesUnder, fresh, STORAGE_HOME } from '../lib/folders.mjs';
import { atLeast, atMost, cost } from '../lib/goals.mjs';
import { median } from '../lib/measure.mjs';
import { measuredProgram } from '../lib/program.mjs';

const KINDS = ['float32', 'float32-from-bfloat16', 'bfloat16', 'float16', 'int8', 'float64', 'random'];
const WAYS = ['plain', 'compressed'];

/** @param options `size` of each file in MiB, `times` rounds, `only` some kinds */
export async function measure({ size = 256, times = 3, only = KINDS }) {
  const entry = await measuredProgram();
  const home = await numberFolders(size);
  const contenders = { plain: ingotContender({ entry, key: 'plain' }), compressed: ingotContender({ entry, key: 'compressed', variables: { INGOT_COMPRESS: 'true' } }) };
  const results = [];
  for (const kind of KINDS.filter((name) => only.includes(name))) {
    console.error(`- ${kind}`);
    const runs = { plain: [], compressed: [] };
    for (let round = 0; round < times; round++) for (const way of WAYS) runs[way].push(await oneRun(contenders[way], join(home, kind)));
    results.push({ kind, bytes: bytesUnder(join(home, kind)), plain: medians(runs.plain), compressed: medians(runs.compressed) });
  }
  for (const name of ['stores', 'caches', 'pulled']) fresh(name);
  return report(results, { size, times });
}

async function numberFolders(size) {
  const home = join(STORAGE_HOME, 'models', `numbers-${size}`);
  if (existsSync(home)) return home;
  const making = `${home}.${process.pid}`;
  mkdirSync(making, { recursive: true });
  await run(pythonOf(VENV), [inRoot('bench/lib/number_files.py'), making, String(size)], { label: 'making weights' });
  renameSync(making, home);
  return home;
}

async function oneRun(contender, folder) {
  await contender.prepare();
  const push = await measureStep(contender.push('v1', folder));
  const storedBytes = await contender.storedBytes();
  const target = join(fresh('pulled', contender.key), 'first');
  const pull = await measureStep(contender.pull('v1', target));
  assertSame(folder, target);
  rmSync(target, { recursive: true });
  return { push, pull, storedBytes };
}

function medians(runs) {
  const of = (step) => Object.fromEntries(Object.keys(runs[0][step]).map((field) => [field, median(runs.map((each) => each[step][field]))]));
  return { push: of('push'), pull: of('pull'), storedBytes: median(runs.map(({ storedBytes }) => storedBytes)) };
}

function report(results, { size, times }) {
  const float32 = results.find(({ kind }) => kind === 'float32');
  const random = results.find(({ kind }) => kind === 'random');
  const speed = ({ plain, compressed }) => plain.push.wall / compressed.push.wall;
  return {
    title: `Weights stored smaller: ${size} MiB of each kind, local`,
    columns: [`median of ${times}: wall s (processor s) peak MiB`, 'stored ÷ size, plain', 'stored ÷ size, compressed', 'push, plain', 'push, compressed', 'push speed, compressed ÷ plain', 'pull, plain', 'pull, compressed'],
    rows: results.map((result) => [
      result.kind,
      ...WAYS.map((way) => (result[way].storedBytes / result.bytes).toFixed(3)),
      ...WAYS.map((way) => cost(result[way].push)),
      speed(result).toFixed(2),
      ...WAYS.map((way) => cost(result[way].pull)),
    ]),
    goals: [
      ...(float32 === undefined ? [] : [
        atMost('float32, stored against raw', float32.compressed.storedBytes / float32.bytes, 0.87),
        atLeast('float32, push speed against a push without', speed(float32), 0.5),
      ]),
      ...(random === undefined ? [] : [atMost('random bytes, stored against raw', random.compressed.storedBytes / random.bytes, 1.005)]),
    ],
    notes: ['what was pulled is the same byte for byte', 'stored: all that lies in the store, with everything that describes it'],
    raw: results,
  };
}
