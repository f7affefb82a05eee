/** A model folder and its next version, pushed to a local store and pulled, beside the programs that people use for it. */
import { CONTENDERS } from '../lib/contenders.mjs';
import { playContest } from '../lib/contest.mjs';
import { fresh, MEBIBYTE, modelFolders } from '../lib/folders.mjs';
import { atLeast, atMost, cost } from '../lib/goals.mjs';
import { measureLimits, ratesLine } from '../lib/limits.mjs';
import { measuredProgram } from '../lib/program.mjs';

const STEPS = ['push v1', 'push again', 'push v2', 'pull v1', 'pull v2'];

/** @param options `size` in MiB, `times` rounds, `peers` for those that take long, `only` some contenders */
export async function measure({ size = 256, times = 3, peers = false, only }) {
  const folders = await modelFolders(size);
  const entry = await measuredProgram();
  const { contenders, skipped } = await enter(entry, { peers, only });
  const limits = await measureLimits(folders.bytes);
  const { results, failed } = await playContest(contenders, folders, { rounds: times });
  fresh('stores');
  return report({ results, limits, folders, size, times, skipped: [...skipped, ...failed] });
}

async function enter(entry, { peers, only }) {
  const contenders = [];
  const skipped = [];
  const slow = [];
  for (const { key, isSlow, make } of CONTENDERS) {
    if (only !== undefined && !only.includes(key)) continue;
    if (isSlow && !peers && only === undefined) {
      slow.push(key);
      continue;
    }
    try {
      contenders.push(await make({ entry }));
    } catch (error) {
      skipped.push(`${key} cannot be had here: ${error.message.split('\n')[0]}`);
    }
  }
  if (slow.length > 0) skipped.push(`${slow.join(', ')}: add --peers`);
  return { contenders, skipped };
}

function report({ results, limits, folders, size, times, skipped }) {
  const changed = folders.changedBytes;
  const rows = Object.values(results).map(({ name, steps, stored }) => [
    name,
    ...STEPS.map((step) => cost(steps[step])),
    (stored.v1 / folders.bytes).toFixed(3),
    `${(stored.v2 / 1e6).toFixed(1)} MB, ${(stored.v2 / changed).toFixed(2)}`,
    stored['v2-scattered'] === undefined ? '–' : (stored['v2-scattered'] / changed).toFixed(2),
  ]);
  return {
    title: `A model folder of ${size} MiB and its next version, local`,
    columns: [`median of ${times}: wall s (processor s) peak MiB`, ...STEPS, 'stored ÷ size', 'v2 adds, × changed bytes', '× changed, 100 regions'],
    rows,
    goals: goalsOf(results, limits, folders, size),
    notes: [
      `this machine: ${ratesLine(limits)}`,
      `limit of a push: ${limits.push.toFixed(2)} s with hashing and writing one after the other, ${limits.pushOverlapped.toFixed(2)} s at once; of a pull: ${limits.pull.toFixed(2)} s`,
      `v2: ${(changed / 1e6).toFixed(2)} MB changed in one region, 4,109 bytes of it inserted; what was pulled is the same byte for byte`,
      'pull v2: into another folder, while v1 lies where it was pulled to',
    ],
    skipped,
    raw: { results, limits, changed, size: folders.bytes },
  };
}

function goalsOf({ ingot, xet, oci }, limits, { changedBytes }, size) {
  if (ingot === undefined) return [];
  const { steps, stored } = ingot;
  const [v1, again, v2, pull1, pull2] = STEPS.map((step) => steps[step]);
  const memory = Math.max(...Object.values(steps).map(({ peakBytes }) => peakBytes)) / MEBIBYTE;
  return [
    atLeast('push v1, share of the limit', limits.push / v1.wall, 0.8, ''),
    ...(xet === undefined ? [] : [
      atMost('push v1, wall time against hf-xet', v1.wall / xet.steps['push v1'].wall, 0.7),
      atMost('push v1, processor time against hf-xet', v1.cpu / xet.steps['push v1'].cpu, 0.5),
      atMost('push v2, wall time against hf-xet', v2.wall / xet.steps['push v2'].wall, 1),
    ]),
    atMost('push again, nothing touched', again.wall, 0.2, ' s'),
    atMost('stored for v2, one region, against the changed bytes', stored.v2 / changedBytes, size >= 1024 ? 1.05 : 1.1),
    atLeast('pull v1, share of the limit', limits.pull / pull1.wall, 0.8, ''),
    ...(oci === undefined ? [] : [atMost('pull v1, wall time against an OCI pull', pull1.wall / oci.steps['pull v1'].wall, 0.75)]),
    atMost('pull v2 with v1 on disk, wall time against a full pull', pull2.wall / pull1.wall, 0.5),
    atMost('pull v2 with v1 on disk, bytes moved against the changed bytes', pull2.movedBytes / changedBytes, 1.1),
    atMost('peak memory', memory, 128, ' MiB'),
  ];
}
