/** What a push costs at 10 and at 10,000 versions of a model, with what a machine remembers and without, local and on S3. */
import { randomFillSync } from 'node:crypto';
import { closeSync, cpSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { buildLibraries } from '../../scripts/build.mjs';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { ingotContender } from '../peers/storage/ingot.mjs';
import { startBucket } from '../lib/bucket.mjs';
import { measureStep } from '../lib/contest.mjs';
import { fresh, MEBIBYTE, STORAGE_HOME } from '../lib/folders.mjs';
import { atMost, cost } from '../lib/goals.mjs';
import { median } from '../lib/measure.mjs';
import { measuredProgram } from '../lib/program.mjs';

const [FEW, MANY] = [10, 10_000];
const PACKAGE_MIB = 64;
const CHANGED_BYTES = Math.floor(PACKAGE_MIB * MEBIBYTE * 0.02);
const LIMIT = 1.3;
/** Whose cache a push finds: the one of the pushes before it, or none, as on another machine. */
const CACHES = ['remembered', 'nothing remembered'];

/** @param options `versions`: how many are many, default 10,000; `times` rounds; `only` of `local` and `s3` */
export async function measure({ versions: many = MANY, times = 5, only = ['local', 's3'] }) {
  const entry = await measuredProgram();
  const histories = [];
  for (const versions of [FEW, many]) histories.push({ versions, filled: await filledStore(versions) });
  const places = [];
  try {
    for (const where of ['local', 's3'].filter((name) => only.includes(name))) places.push(...(await openPlaces(where, entry, histories)));
    const folder = fresh('models', 'grown');
    writeFileSync(join(folder, 'weights.bin'), randomFillSync(Buffer.allocUnsafe(PACKAGE_MIB * MEBIBYTE)));
    for (const { contender } of places) await measureStep(contender.push('v1', folder));
    for (let round = 0; round < times; round++) await playRound(places, folder, round, times);
  } finally {
    for (const { bucket } of places) await bucket?.stop();
    for (const name of ['stores', 'caches']) fresh(name);
  }
  return report(places, times);
}

/** Each history as a store that may be written to, and as a bucket of its own. */
async function openPlaces(where, entry, histories) {
  const places = [];
  for (const { versions, filled } of histories) {
    const key = `growth-${where}-${versions}`;
    const copied = join(fresh('stores', key), '..', `${key}.filled`);
    rmSync(copied, { recursive: true, force: true });
    cpSync(filled, copied, { recursive: true });
    const bucket = where === 's3' ? await startBucket(key, { from: copied }) : undefined;
    if (bucket === undefined) {
      rmSync(join(STORAGE_HOME, 'stores', key), { recursive: true });
      renameSync(copied, join(STORAGE_HOME, 'stores', key));
    }
    for (const cache of ['push', 'pull']) fresh('caches', `${key}-${cache}`);
    const contender = ingotContender({ entry, key, name: 'grown', ...(bucket && { storage: bucket }) });
    places.push({ where, versions, bucket, contender: ofModel(contender, 'grown'), runs: Object.fromEntries(CACHES.map((cache) => [cache, []])) });
  }
  return places;
}

/** The contender pushes to a model of its own name; here to the one with the history. */
function ofModel(contender, name) {
  const renamed = (commands) => commands.map(({ args, ...rest }) => ({ ...rest, args: args.map((word) => (word === 'model' ? name : word)) }));
  return { ...contender, push: (variant, folder) => renamed(contender.push(variant, folder)) };
}

async function playRound(places, folder, round, times) {
  for (const [turn, cache] of CACHES.entries()) {
    console.error(`- round ${round + 1} of ${times}: ${cache}`);
    change(folder, round * CACHES.length + turn);
    for (const { bucket, contender, runs } of round % 2 === 0 ? places : [...places].reverse()) {
      if (cache === 'nothing remembered') fresh('caches', `${contender.key}-push`);
      const before = bucket?.requests();
      const usage = await measureStep(contender.push('v2', folder), contender);
      runs[cache].push({ ...usage, ...(bucket && { requests: bucket.requests() - before }) });
    }
  }
}

function change(folder, number) {
  const file = openSync(join(folder, 'weights.bin'), 'r+');
  writeSync(file, randomFillSync(Buffer.allocUnsafe(CHANGED_BYTES)), 0, CHANGED_BYTES, (number * 2 * CHANGED_BYTES) % (PACKAGE_MIB * MEBIBYTE - CHANGED_BYTES));
  closeSync(file);
}

/** A store in which a model has so many versions, filled once a clone. */
async function filledStore(versions) {
  const home = join(STORAGE_HOME, '..', 'growth', String(versions));
  if (existsSync(home)) return home;
  await buildLibraries();
  const making = `${home}.${process.pid}`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(join(home, '..'), { recursive: true });
  console.error(`- pushing ${versions} versions, once …`);
  await run(process.execPath, [inRoot('bench/lib/fill-versions.mjs'), making, String(versions)], { label: 'filling a store' });
  renameSync(making, home);
  return home;
}

const medians = (runs) => Object.fromEntries(Object.keys(runs[0]).map((field) => [field, median(runs.map((run) => run[field]))]));

function report(places, times) {
  const results = places.flatMap(({ where, versions, runs }) => CACHES.map((cache) => ({ where, versions, cache, ...medians(runs[cache]) })));
  const placeName = (where) => (where === 's3' ? 'S3' : where);
  const count = (value) => value.toLocaleString('en-US');
  return {
    title: `A push of ${PACKAGE_MIB} MiB with 2 % changed, by the versions that the model has`,
    columns: [`median of ${times}`, 'versions', 'wall s (processor s) peak MiB', 'written, MB', 'requests'],
    rows: results.map(({ where, versions, cache, ...usage }) => [`${placeName(where)}, ${cache}`, count(versions), cost(usage), (usage.movedBytes / 1e6).toFixed(2), usage.requests ?? '–']),
    goals: pairs(results).flatMap(([few, many]) => {
      const what = `${placeName(few.where)}, ${few.cache}, at ${count(many.versions)} versions against ${few.versions}`;
      return [
        atMost(`wall time, ${what}`, many.wall / few.wall, LIMIT),
        atMost(`processor time, ${what}`, many.cpu / few.cpu, LIMIT),
        ...(few.requests === undefined ? [] : [atMost(`requests, ${what}`, many.requests / few.requests, LIMIT)]),
      ];
    }),
    notes: [`${(CHANGED_BYTES / 1e6).toFixed(2)} MB change from push to push`, 'every version before is a small package with contents of its own', 'processor time behind a plus is the S3 server\'s'],
    raw: results,
  };
}

/** The same place and cache, with few and with many versions. */
const pairs = (results) => results.filter(({ versions }) => versions === FEW).map((few) => [few, results.find((other) => other.versions !== FEW && other.where === few.where && other.cache === few.cache)]);
