/** A model folder pushed to a bucket and pulled from it over a line with 40 ms of added latency, beside rclone at several settings. */
import { startBucket } from '../lib/bucket.mjs';
import { enter, playContest } from '../lib/contest.mjs';
import { MEBIBYTE, modelFolders } from '../lib/folders.mjs';
import { atLeast, cost, unmeasured } from '../lib/goals.mjs';
import { measuredProgram } from '../lib/program.mjs';
import { rcloneContender } from '../peers/storage/copies.mjs';
import { ingotContender } from '../peers/storage/ingot.mjs';

const DELAY_MS = 40;
const STEPS = ['push v1', 'push v2', 'pull v1', 'pull v2'];

const parallel = (transfers, streams, mebibytes) => [
  ...['--transfers', String(transfers), '--checkers', String(transfers)],
  ...['--s3-upload-concurrency', String(streams), '--s3-chunk-size', `${mebibytes}M`],
  ...['--multi-thread-streams', String(streams), '--multi-thread-chunk-size', `${mebibytes}M`, '--multi-thread-cutoff', `${mebibytes}M`],
];

// The last one gives up rclone's own MD5 of large files, so that nobody finds out when bytes of them are wrong.
const UNVERIFIED = 'rclone-unverified';
const RCLONE_SETTINGS = {
  'rclone-default': ['rclone copy, defaults', []],
  'rclone-8': ['rclone copy, 8 files, 8 × 16 MiB', parallel(8, 8, 16)],
  'rclone-16': ['rclone copy, 16 files, 16 × 8 MiB', parallel(16, 16, 8)],
  [UNVERIFIED]: ['rclone copy, 32 files, 16 × 16 MiB, not verified', [...parallel(32, 16, 16), '--s3-disable-checksum']],
};

const ENTRANTS = [
  { key: 'ingot', make: ({ entry, remote }) => ingotContender({ entry, storage: remote }) },
  ...Object.entries(RCLONE_SETTINGS).map(([key, [name, flags]]) => ({ key, make: ({ remote }) => rcloneContender({ remote, flags, key, name }) })),
];

/** @param options `size` in MiB, `times` rounds, `only` some contenders */
export async function measure({ size = 256, times = 3, only }) {
  const folders = await modelFolders(size);
  const entry = await measuredProgram();
  const remote = await startBucket('latency', { delayMs: DELAY_MS });
  try {
    const { contenders, skipped } = await enter(ENTRANTS, { entry, remote }, { only });
    const { results, failed } = await playContest(contenders, folders, { rounds: times, scattered: false });
    return report({ results, folders, size, times, remote, skipped: [...skipped, ...failed] });
  } finally {
    await remote.stop();
  }
}

function report({ results, folders, size, times, remote, skipped }) {
  return {
    title: `A model folder of ${size} MiB on S3 with ${DELAY_MS} ms of added latency`,
    columns: [`median of ${times}: wall s (processor s) peak MiB`, ...STEPS],
    rows: Object.values(results).map(({ name, steps }) => [name, ...STEPS.map((step) => cost(steps[step]))]),
    goals: ['push v1', 'pull v1'].map((step) => against(results, step, folders.bytes)),
    notes: [
      `between two network namespaces, over ${remote.how}; half of the latency each way; the line's rate is not limited`,
      'ingot, in a round: a store and caches that are new, so that its first push also finds out what the storage honours',
      "processor time behind a plus is the server's",
    ],
    skipped,
    raw: { results, size: folders.bytes },
  };
}

function against({ ingot, ...others }, step, bytes) {
  const goal = `${step}, rate against the best of rclone`;
  const wall = ([, { steps }]) => steps[step].wall;
  const best = Math.min(...Object.entries(others).map(wall));
  if (ingot === undefined || !Number.isFinite(best)) return unmeasured(goal);
  const own = ingot.steps[step].wall;
  const verified = Math.min(...Object.entries(others).filter(([key]) => key !== UNVERIFIED).map(wall));
  const rate = (seconds) => `${(bytes / MEBIBYTE / seconds).toFixed(0)} MiB/s`;
  const compared = atLeast(goal, best / own, 0.85, '');
  return { ...compared, value: `${compared.value} (${rate(own)} and ${rate(best)}; ${(verified / own).toFixed(2)} of the best that verifies)` };
}
