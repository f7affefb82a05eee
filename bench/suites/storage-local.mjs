/** A model folder and its next version, pushed to a local store and pulled, beside the programs that people use for it. */
import { LOCAL_CONTENDERS } from '../lib/contenders.mjs';
import { enter, playContest } from '../lib/contest.mjs';
import { contestColumns, contestNotes, contestRows } from '../lib/contest-report.mjs';
import { MEBIBYTE, modelFolders } from '../lib/folders.mjs';
import { atLeast, atMost, unmeasured } from '../lib/goals.mjs';
import { measureLimits, ratesLine } from '../lib/limits.mjs';
import { measuredProgram } from '../lib/program.mjs';

/** @param options `size` in MiB, `times` rounds, `peers` for those that take long, `only` some contenders */
export async function measure({ size = 256, times = 3, peers = false, only }) {
  const folders = await modelFolders(size);
  const entry = await measuredProgram();
  const { contenders, skipped } = await enter(LOCAL_CONTENDERS, { entry }, { peers, only });
  const limits = await measureLimits(folders.bytes);
  const { results, failed } = await playContest(contenders, folders, { rounds: times });
  return {
    title: `A model folder of ${size} MiB and its next version, local`,
    columns: contestColumns(times),
    rows: contestRows(results, folders),
    goals: goalsOf(results, limits, folders, size),
    notes: [
      `this machine: ${ratesLine(limits)}`,
      `limit of a push: ${limits.push.toFixed(2)} s with hashing and writing one after the other, ${limits.pushOverlapped.toFixed(2)} s at once; of a pull: ${limits.pull.toFixed(2)} s`,
      ...contestNotes(folders),
    ],
    skipped: [...skipped, ...failed],
    raw: { results, limits, changed: folders.changedBytes, size: folders.bytes },
  };
}

function goalsOf({ ingot, xet, oci }, limits, { changedBytes }, size) {
  if (ingot === undefined) return [unmeasured('ingot: every step ends, and what is pulled is what was pushed')];
  const { steps, stored } = ingot;
  const [v1, again, v2, pull1, pull2] = ['push v1', 'push again', 'push v2', 'pull v1', 'pull v2'].map((step) => steps[step]);
  const memory = Math.max(...Object.values(steps).map(({ peakBytes }) => peakBytes)) / MEBIBYTE;
  const against = (peer, goal, compare) => (peer === undefined ? unmeasured(goal) : compare(goal));
  return [
    atLeast('push v1, share of the limit', limits.push / v1.wall, 0.8, ''),
    against(xet, 'push v1, wall time against hf-xet', (goal) => atMost(goal, v1.wall / xet.steps['push v1'].wall, 0.7)),
    against(xet, 'push v1, processor time against hf-xet', (goal) => atMost(goal, v1.cpu / xet.steps['push v1'].cpu, 0.5)),
    against(xet, 'push v2, wall time against hf-xet', (goal) => atMost(goal, v2.wall / xet.steps['push v2'].wall, 1)),
    atMost('push again, nothing touched', again.wall, 0.2, ' s'),
    atMost('stored for v2, metadata included, one region, against the changed bytes', stored.v2 / changedBytes, size >= 1024 ? 1.05 : 1.1),
    atLeast('pull v1, share of the limit', limits.pull / pull1.wall, 0.8, ''),
    against(oci, 'pull v1, wall time against an OCI pull', (goal) => atMost(goal, pull1.wall / oci.steps['pull v1'].wall, 0.75)),
    atMost('pull v2 with v1 on disk, bytes moved against the changed bytes', pull2.movedBytes / changedBytes, 1.1),
    atMost('pull v2 with v1 on disk, wall time against a full pull', pull2.wall / pull1.wall, 0.5),
    atMost('peak memory', memory, 128, ' MiB'),
  ];
}
