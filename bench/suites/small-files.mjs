/** Folders of many small files, local beside `cp`, and on S3 beside one request a file. */
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
const MOST = 20;

/** @param options `times` rounds; `only` of `local` and `s3` */
export async function measure({ times = 3, only = ['local', 's3'] }) {
  const entry = await measuredProgram();
  const folders = FOLDERS.map(({ count, mebibytes }) => ({ count, name: `${count.toLocaleString('en-US')} files, ${mebibytes} MiB`, path: smallFiles(count, mebibytes) }));
  const local = only.includes('local') ? await measureLocal(entry, folders, times) : [];
  const remote = only.includes('s3') ? await measureRemote(entry, folders, times) : { results: [], skipped: [] };
  fresh('stores');
  const results = [...local, ...remote.results];
  return {
    title: 'Many small files',
    columns: [`median of ${times}: wall s (processor s) peak MiB`, 'folder', 'push', 'pull', 'requests of the push'],
    rows: results.map(({ name, where, folder, push, pull, requests }) => [`${name}, ${where}`, folder, cost(push), cost(pull), requests ?? '–']),
    goals: [...localGoals(local), ...remoteGoals(remote.results)],
    notes: ['what was pulled is the same byte for byte; ingot and rclone verify it, cp does neither that nor flush', 'processor time behind a plus is the S3 server\'s, which shares the cores'],
    skipped: remote.skipped,
    raw: results,
  };
}

async function measureLocal(entry, folders, times) {
  const contenders = [ingotContender({ entry }), cpContender()];
  return await inTurn(contenders, folders, times, 'local');
}

async function measureRemote(entry, folders, times) {
  const bucket = await startBucket('small-files');
  try {
    const { contenders, skipped } = await remoteContenders(entry, bucket);
    const results = await inTurn(contenders, folders, times, 'S3', bucket);
    return { results, skipped };
  } finally {
    await bucket.stop();
  }
}

async function remoteContenders(entry, bucket) {
  const contenders = [ingotContender({ entry, storage: bucket }), ...[1, 32].map((connections) => oneRequestAFile(bucket, connections))];
  const skipped = [];
  for (const transfers of [4, 32]) {
    const flags = ['--transfers', String(transfers), '--checkers', String(transfers)];
    try {
      contenders.push(await rcloneContender({ remote: bucket, flags, key: `rclone-${transfers}`, name: `rclone copy, ${transfers} transfers` }));
    } catch (error) {
      skipped.push(`rclone cannot be had here: ${error.message.split('\n')[0]}`);
      break;
    }
  }
  return { contenders, skipped };
}

function oneRequestAFile(bucket, connections) {
  const command = (way, folder) => [{ command: process.execPath, args: [inRoot('bench/peers/storage/one-request-a-file.mjs'), way, bucket.bucket, folder, String(connections)], env: { ...process.env, ...bucket.env } }];
  return {
    key: `requests-${connections}`,
    name: `one request a file, ${connections === 1 ? '1 connection' : `${connections} connections`}`,
    servers: bucket.servers,
    prepare: () => bucket.empty(),
    push: (_variant, folder) => command('put', folder),
    pull: (_variant, target) => command('get', target),
  };
}

/** Every contender pushes and pulls every folder, round after round. One round is enough for what takes `MOST` seconds. */
async function inTurn(contenders, folders, times, where, bucket) {
  const results = folders.flatMap((folder) => contenders.map((contender) => ({ key: contender.key, name: contender.name, where, folder: folder.name, count: folder.count, contender, path: folder.path, runs: [] })));
  for (let round = 0; round < times; round++) {
    for (const result of results.filter(({ runs }) => !runs.some(({ push }) => push.wall > MOST))) {
      console.error(`- round ${round + 1} of ${times}: ${result.name}, ${where}, ${result.folder}`);
      result.runs.push(await oneRun(result, bucket));
    }
  }
  return results.map(({ runs, contender: _contender, path: _path, ...result }) => ({ ...result, push: medians(runs.map(({ push }) => push)), pull: medians(runs.map(({ pull }) => pull)), requests: runs[0].requests }));
}

async function oneRun({ contender, path }, bucket) {
  await contender.prepare();
  const before = bucket?.requests();
  const push = await measureStep(contender.push('v1', path), { servers: contender.servers });
  const requests = bucket && bucket.requests() - before;
  const target = join(fresh('pulled', contender.key), 'first');
  const pull = await measureStep(contender.pull('v1', target), { servers: contender.servers });
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

function remoteGoals(results) {
  const of = (key, count) => results.find((result) => result.key === key && result.count === count);
  return [...new Set(results.map(({ count }) => count))].flatMap((count) => {
    const files = `${count.toLocaleString('en-US')} files`;
    const [ingot, single, many] = [of('ingot', count), of('requests-1', count), of('requests-32', count)];
    return [
      atLeast(`${files} pushed to S3, times faster than one request a file, one after the other`, single.push.wall / ingot.push.wall, 20),
      { goal: `${files} pushed to S3 faster than one request a file on 32 connections`, value: `${(many.push.wall / ingot.push.wall).toFixed(1)} times`, met: many.push.wall > ingot.push.wall },
    ];
  });
}
