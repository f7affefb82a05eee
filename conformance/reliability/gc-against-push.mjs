/**
 * Lets collections with no grace period run against pushes and deletions, and looks for what versions lack afterwards.
 *
 *     npm run reliability -- gc-against-push            2,000 operations turn by turn, then processes for 20 s
 *     npm run reliability -- gc-against-push --full     100,000 operations, then processes for 5 minutes
 *     … [--operations N] [--seconds N] [--seed N] [--json]
 *
 * *Turn by turn*: pushes, deletions and collections over one store in memory; a seed decides before every request whose
 * turn it is, who crashes, and who stands still until others have done much. After each deletion of a pack all versions
 * are looked through. *Processes*: three that push, one that deletes and two that collect share a directory; each in
 * turn is stopped half-way (SIGSTOP) and goes on later, or is killed. At the end everything is read and hashed.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildLibraries } from '../../scripts/build.mjs';

const isWorker = process.argv[2] === 'worker';
// Built, they start many times faster than from their sources; workers find them built.
if (!isWorker) await buildLibraries();

const { createLocalBlobStore } = await import('@ingot/core/blob/local');
const { check } = await import('@ingot/core/check');
const { collect } = await import('@ingot/core/collect');
const { runTrial } = await import('@ingot/core/collect-trial');
const { createBlobContentStore } = await import('@ingot/core/content/blob-content-store');
const { contentOf, noise } = await import('@ingot/core/content/conformance');
const { createStore } = await import('@ingot/core/content/store-format');
const { digestOf } = await import('@ingot/core/digest');
const { IngotError } = await import('@ingot/core/errors');
const { parseModelName } = await import('@ingot/core/ref');
const { openLogRegistry } = await import('@ingot/core/registry/open');
const { randomOf } = await import('@ingot/core/seeded-random');

const HERE = fileURLToPath(import.meta.url);
const OPERATIONS_A_TRIAL = 20;
const MODELS = ['a', 'b', 'c'].map((name) => parseModelName(name));
const ROLES = ['push', 'push', 'push', 'delete', 'collect', 'collect'];

async function main() {
  const { values } = parseArgs({
    options: {
      full: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      operations: { type: 'string' },
      seconds: { type: 'string' },
    },
  });
  const operations = Number(values.operations ?? (values.full ? 100_000 : 2_000));
  const seconds = Number(values.seconds ?? (values.full ? 300 : 20));
  const seed = Number(values.seed);
  const turns = await turnByTurn(operations, seed);
  const processes = seconds > 0 ? await inProcesses(seconds, seed) : undefined;
  const missing = [...turns.missing, ...(processes?.missing ?? [])];
  const result = {
    trial: 'gc-against-push',
    full: values.full,
    seed,
    turnByTurn: turns,
    processes,
    missing: missing.length,
  };
  if (values.json) console.log(JSON.stringify(result, undefined, 2));
  else console.log(told(result));
  if (missing.length > 0) process.exitCode = 1;
}

/** Trials one after another; each has its own store and its own schedule. */
async function turnByTurn(operations, firstSeed) {
  const total = {
    operations: 0,
    requests: 0,
    published: 0,
    deletedVersions: 0,
    collections: 0,
    deletedPacks: 0,
    movedPacks: 0,
    expired: 0,
    crashed: 0,
    stalled: 0,
  };
  const missing = [];
  const began = performance.now();
  for (let seed = firstSeed; total.operations < operations; seed += 1) {
    const trial = await runTrial({ seed, operations: OPERATIONS_A_TRIAL, graceMs: 0 });
    total.operations += OPERATIONS_A_TRIAL;
    for (const key of Object.keys(total)) if (key !== 'operations') total[key] += trial[key];
    missing.push(...[...trial.missing, ...trial.surprises].map((what) => `seed ${seed}: ${what}`));
    if (total.operations % 10_000 === 0)
      console.error(`  ${total.operations} operations, ${missing.length} contents missing`);
  }
  return { ...total, seconds: round((performance.now() - began) / 1000), missing };
}

/** Processes over one directory, stopped and killed from here; then a last collection, and a check of every byte. */
async function inProcesses(seconds, seed) {
  const directory = mkdtempSync(join(tmpdir(), 'ingot-gc-'));
  const random = randomOf(seed);
  const count = { pushed: 0, deleted: 0, collections: 0, deletedPacks: 0, refused: 0, stopped: 0, killed: 0 };
  const missing = [];
  try {
    await createStore(createLocalBlobStore(directory));
    const hands = ROLES.map((role, n) => hand(directory, role, seed * 100 + n, count, missing));
    await Promise.all(hands.map((one) => one.ready()));
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) {
      const chosen = hands[Math.floor(random() * hands.length)];
      await pause(random() * 100);
      if (random() < 0.12) await chosen.kill();
      else await chosen.standStill(random() * 1500);
    }
    await Promise.all(hands.map((one) => one.end()));
    const blobs = createLocalBlobStore(directory);
    for (let round = 0; round < 2; round += 1) await collect({ blobs, actor: 'last', graceMs: 0 });
    const { damage, versions, checked } = await check({ blobs, readData: true });
    missing.push(...damage.map(({ message }) => message), ...versions.map(({ ref }) => `${ref} is hurt`));
    return { ...count, versionsAtTheEnd: checked.versions, missing };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function hand(directory, role, seed, count, missing) {
  let child;
  let starts = 0;
  let isReady;
  let ready;
  const start = () => {
    starts += 1;
    ready = new Promise((resolve) => {
      isReady = resolve;
    });
    child = spawn(process.execPath, [HERE, 'worker', role, directory, String(seed * 1000 + starts)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { ready, missing: lost, ...counts } = JSON.parse(line);
      if (ready) isReady();
      for (const [what, many] of Object.entries(counts)) count[what] += many;
      if (lost !== undefined) missing.push(`${role}: ${lost}`);
    });
  };
  const ended = async (end) => {
    const closed = once(child, 'close');
    end();
    const [code, signal] = await closed;
    if (code !== 0 && signal !== 'SIGKILL') missing.push(`a process that was to ${role} ended with ${code ?? signal}`);
  };
  start();
  return {
    ready: () => ready,
    kill: async () => {
      await ready;
      count.killed += 1;
      await ended(() => child.kill('SIGKILL'));
      start();
    },
    standStill: async (ms) => {
      await ready;
      count.stopped += 1;
      child.kill('SIGSTOP');
      await pause(ms);
      child.kill('SIGCONT');
    },
    end: () => ended(() => child.stdin.end()),
  };
}

/** What a process does until its standard input ends. */
async function work(role, directory, seed) {
  let isOver = false;
  process.stdin.on('end', () => {
    isOver = true;
  });
  process.stdin.resume();
  const blobs = createLocalBlobStore(directory);
  const random = randomOf(seed);
  const registry = openLogRegistry({ blobs, actor: `${role}-${process.pid}` });
  const once = { push, delete: remove, collect: sweep }[role];
  say({ ready: true });
  while (!isOver) {
    try {
      say(await once({ blobs, registry, random }));
    } catch (error) {
      // Whoever stood still has lost its upload, or the version it was about to delete.
      if (!(error instanceof IngotError)) throw error;
      if (['conflict', 'model-not-found', 'version-not-found', 'unavailable'].includes(error.code)) say({ refused: 1 });
      else say({ missing: `${error.code}: ${error.message}` });
    }
  }
}

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const pick = (items, random) => items[Math.floor(random() * items.length)];

async function push({ blobs, registry, random }) {
  const name = pick(MODELS, random);
  const contents = createBlobContentStore(blobs);
  const { id: modelId, base } = await registry.ensureModel(name);
  await using_(await contents.openUpload({ modelId, base }), async (upload) => {
    for (const file of ['a', 'b', 'c'])
      await upload.put(contentOf(`${file}.bin`, noise(3000, Math.floor(random() * 4) + file.charCodeAt(0) * 10)));
    const manifest = `manifest ${randomBytes(8).toString('hex')}`;
    await upload.put(contentOf('', manifest, 'manifest'));
    const { recipe } = await upload.seal();
    const facts = { sizeBytes: 9000, fileCount: 3, flavor: 'file', scan: 'not scanned' };
    await registry.publish(name, { manifest: digestOf(manifest), recipe, upload: upload.id, modelId, ...facts });
    await upload.release();
  });
  return { pushed: 1 };
}

/** `await using`, which Node 20 does not know. */
async function using_(resource, body) {
  try {
    await body(resource);
  } finally {
    await resource[Symbol.asyncDispose]();
  }
}

async function remove({ registry, random }) {
  const name = pick(MODELS, random);
  const { all } = await registry.model(name);
  const kept = all.filter(({ status }) => status !== 'deleted');
  // A few stay, so that there is something to be missing.
  const { number } = kept.length > 6 ? pick(kept, random) : {};
  if (number === undefined) {
    await pause(20);
    return {};
  }
  await registry.deleteVersion({ name, selector: { kind: 'version', number } });
  return { deleted: 1 };
}

async function sweep({ blobs }) {
  const { packs } = await collect({ blobs, actor: 'collector', graceMs: 0, repackBelow: 0.9, repackAtLeastBytes: 1 });
  return { collections: 1, deletedPacks: packs.filter(({ fate }) => fate === 'deleted').length };
}

const round = (value) => Number(value.toFixed(1));

function told({ seed, full, turnByTurn: turns, processes, missing }) {
  const lines = (figures) =>
    Object.entries(figures)
      .filter(([key]) => key !== 'missing')
      .map(([what, figure]) => `  ${String(figure).padStart(10)}  ${what}`);
  return [
    `gc-against-push: collections with no grace period against pushes (seed ${seed}${full ? ', full' : ''})`,
    ' turn by turn',
    ...lines(turns),
    ...(processes === undefined ? [] : [' processes', ...lines(processes)]),
    `  ${String(missing).padStart(10)}  contents missing`,
    ...[...turns.missing, ...(processes?.missing ?? [])].slice(0, 50).map((what) => `  MISSING  ${what}`),
  ].join('\n');
}

if (isWorker) await work(process.argv[3], process.argv[4], Number(process.argv[5]));
else await main();
