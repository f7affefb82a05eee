/** A model folder and its next version, pushed to a bucket and pulled, beside the programs that people use for it. */
import { startBucket } from '../lib/bucket.mjs';
import { BUCKET_CONTENDERS } from '../lib/contenders.mjs';
import { enter, playContest } from '../lib/contest.mjs';
import { contestColumns, contestNotes, contestRows, trafficLine } from '../lib/contest-report.mjs';
import { MEBIBYTE, modelFolders } from '../lib/folders.mjs';
import { atMost, unmeasured } from '../lib/goals.mjs';
import { measuredProgram } from '../lib/program.mjs';

/** @param options `size` in MiB, `times` rounds, `peers` for those that take long, `only` some contenders */
export async function measure({ size = 256, times = 3, peers = false, only }) {
  const folders = await modelFolders(size);
  const entry = await measuredProgram();
  const remote = await startBucket('storage-s3', { line: true });
  try {
    const { contenders, skipped } = await enter(BUCKET_CONTENDERS, { entry, remote }, { peers, only });
    const { results, failed } = await playContest(contenders, folders, { rounds: times });
    return report({ results, folders, size, times, remote, skipped: [...skipped, ...failed] });
  } finally {
    await remote.stop();
  }
}

function report({ results, folders, size, times, remote, skipped }) {
  const { changedBytes } = folders;
  const sent = trafficLine(results, 'push v2', 'sentBytes', changedBytes);
  const received = trafficLine(results, 'pull v2', 'receivedBytes', changedBytes);
  return {
    title: `A model folder of ${size} MiB and its next version, on S3 (versitygw)`,
    columns: contestColumns(times),
    rows: contestRows(results, folders),
    goals: goalsOf(results, folders, size),
    notes: [
      `client and server on this machine, over ${remote.how}; bytes of the line are those of its network device, with all headers`,
      ...(sent === undefined ? [] : [`sent by push v2, × changed bytes: ${sent}`, `received by pull v2 with v1 on disk, × changed bytes: ${received}`]),
      ...contestNotes(folders),
    ],
    skipped,
    raw: { results, changed: changedBytes, size: folders.bytes },
  };
}

function goalsOf({ ingot }, { changedBytes }, size) {
  if (ingot === undefined) return [unmeasured('ingot: every step ends, and what is pulled is what was pushed')];
  const { steps, stored } = ingot;
  const most = size >= 1024 ? 1.05 : 1.1;
  const memory = Math.max(...Object.values(steps).map(({ peakBytes }) => peakBytes)) / MEBIBYTE;
  const share = (value) => (value === undefined ? undefined : value / changedBytes);
  const counted = (goal, value, limit) => (value === undefined ? unmeasured(goal) : atMost(goal, value, limit));
  return [
    atMost('stored for v2, metadata included, one region, against the changed bytes', share(stored.v2), most),
    counted('sent for v2, requests and headers included, against the changed bytes', share(steps['push v2'].sentBytes), most),
    counted('pull v2 with v1 on disk, bytes received against the changed bytes', share(steps['pull v2'].receivedBytes), 1.1),
    atMost('pull v2 with v1 on disk, wall time against a full pull', steps['pull v2'].wall / steps['pull v1'].wall, 0.5),
    atMost('peak memory', memory, 128, ' MiB'),
  ];
}
