/** Folders of many small files: local beside `cp`; on S3, near and over a late line, beside one request a file. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { cpContender, rcloneContender } from '../peers/storage/copies.mjs';
import { ingotContender } from '../peers/storage/ingot.mjs';
import { startBucket } from '../lib/bucket.mjs';
import { measureStep } from '../lib/contest.mjs';
import { assertSame, fresh, smallFiles } from '../lib/folders.mjs';
import { atLeast, atMost, cost } from '../lib/goals.mjs';
import { median } from '../lib/measure.mjs';
import { measuredProgram } from '../lib/program.mjs';

const FOLDERS = [{ count: 1000, mebibytes: 22 }, { count: 10_000, mebibytes: 74 }];
/** Seconds after which one round is enough. */
const LONG = 20;
const DELAY_MS = 40;

/** @param options `times` rounds; `only` of `local`, `s3` and `late` */
export async function measure({ times = 3, only = ['local', 's3', 'late'] }) {
  const entry = await measuredProgram();
  const folders = FOLDERS.map(({ count, mebibytes }) => ({ count, name: `${count.toLocaleString('en-US')} files, ${mebibytes} MiB`, path: smallFiles(count, mebibytes) }));
  const places = [];
  const skipped = [];
  if (only.includes('local')) places.push(await inTurn([ingotContender({ entry }), cpContender()], folders, times, 'local'));
  if (only.includes('s3')) places.push(await measureRemote({ entry, folders, times, where: 'S3', skipped }));
  if (only.includes('late')) places.push(await measureRemote({ entry, folders: folders.slice(0, 1), times, where: `S3, ${DELAY_MS} ms late`, delayMs: DELAY_MS, skipped }));
  for (const name of ['stores', 'caches', 'pulled']) fresh(name);
  const results = places.flat();
  return {
    title: 'Many small files',
    columns: [`median of ${times}: wall s (processor s) peak MiB`, 'folder', 'push', 'pull', 'requests of the push'],
    rows: results.map(({ name, where, folder, push, pull, requests }) => [`${name}, ${where}`, folder, cost(push), cost(pull), requests ?? '–']),
    goals: [...localGoals(results.filter(({ where }) => where === 'local')), ...remoteGoals(results.filter(({ where }) => where !== 'local'))],
    notes: ['what was pulled is the same byte for byte; ingot and rclone verify it, cp does neither that nor flush', 'processor time behind a plus is the S3 server\'s, which shares the cores'],
    skipped: [...new Set(skipped)],
    raw: results,
  };
}

async function measureRemote({ entry, folders, times, where, delayMs = 0, skipped }) {
  let bucket;
  try {
    bucket = await startBucket('small-files', { delayMs });
  } catch (error) {
    skipped.push(`${where}: ${error.message.split('\n')[0]}`);
    return [];
  }
  try {
    return await inTurn(await remoteContenders(entry, bucket, skipped), folders, times, where, bucket);
  } finally {
    await bucket.stop();
  }
}

async function remoteContenders(entry, bucket, skipped) {
  const contenders = [ingotContender({ entry, storage: bucket }), ...[1, 32].map((connections) => oneRequestAFile(bucket, connections))];
  try {
    for (const transfers of [4, 32]) {
      const flags = ['--transfers', String(transfers), '--checkers', String(transfers)];
      contenders.push(await rcloneContender({ remote: bucket, flags, key: `rclone-${transfers}`, name: `rclone copy, ${transfers} transfers` }));
    }
  } catch (error) {
    skipped.push(`rclone cannot be had here: ${error.message.split('\n')[0]}`);
  }
  return contenders;
}

function oneRequestAFile(bucket, connections) {
  const command = (way, folder) => [{ command: process.execPath, args: [inRoot('bench/peers/storage/one-request-a-file.mjs'), way, bucket.bucket, folder, String(connections)], env: { ...process.env, ...bucket.env } }];
  return {
    key: `requests-${connections}`,
    name: `one request a file, ${connections === 1 ? '1 connection' : `${connections} connections`}`,
    ...bucket.contest,
    prepare: () => bucket.empty(),
    push: (_variant, folder) => command('put', folder),
    pull: (_variant, target) => command('get', target),
  };
}

/** Every contender pushes and pulls every folder, round after round. */
async function inTurn(contenders, folders, times, where, bucket) {
  const results = folders.flatMap((folder) => contenders.map((contender) => ({ key: contender.key, name: contender.name, where, folder: folder.name, count: folder.count, contender, path: folder.path, runs: [] })));
  for (let round = 0; round < times; round++) {
    for (const result of results.filter(({ runs }) => !runs.some(({ push }) => push.wall > LONG))) {
      console.error(`- round ${round + 1} of ${times}: ${result.name}, ${where}, ${result.folder}`);
      result.runs.push(await oneRun(result, bucket));
    }
  }
  return results.map(({ runs, contender: _contender, path: _path, ...result }) => ({ ...result, push: medians(runs.map(({ push }) => push)), pull: medians(runs.map(({ pull }) => pull)), requests: runs[0].requests }));
}

async function oneRun({ contender, path }, bucket) {
  await contender.prepare();
  const before = bucket?.requests();
  const push = await measureStep(contender.push('v1', path), contender);
  const requests = bucket && bucket.requests() - before;
  const target = join(fresh('pulled', contender.key), 'first');
  const pull = await measureStep(contender.pull('v1', target), contender);
  assertSame(path, target);
  rmSync(target, { recursive: true, force: true });
  return { push, pull, requests };
}

const medians = (runs) => Object.fromEntries(Object.keys(runs[0]).map((field) => [field, median(runs.map((run) => run[field]))]));

function localGoals(results) {
  const of = (key, count) => results.find((result) => result.key === key && result.count === count);
  const [thousand, ten, cp] = [of('ingot', 1000), of('ingot', 10_000), of('cp', 10_000)];
  if (thousand === undefined) return [];
  return [
    atMost('1,000 files pushed, local', thousand.push.wall, 0.4, ' s'),
    atMost('10,000 files pushed, local, against cp', ten.push.wall / cp.push.wall, 2),
    atMost('10,000 files pulled, local, against cp', ten.pull.wall / cp.pull.wall, 4),
  ];
}

/** One request a file is held to one connection, as a script has; what 32 of them do stands beside it. */
function remoteGoals(results) {
  return results.filter(({ key }) => key === 'ingot').flatMap((ingot) => {
    const of = (key) => results.find((result) => result.key === key && result.count === ingot.count && result.where === ingot.where);
    const what = `${ingot.count.toLocaleString('en-US')} files pushed, ${ingot.where}, against one request a file`;
    const against = (key) => of(key).push.wall / ingot.push.wall;
    return [
      atLeast(`${what} on one connection`, against('requests-1'), 20, ' times as fast'),
      atLeast(`${what} on 32 connections`, against('requests-32'), 1, ' times as fast'),
    ];
  });
}
