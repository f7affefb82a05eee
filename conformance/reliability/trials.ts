import { badLines } from './bad-lines.ts';
import { bitFlips } from './bit-flips.ts';
import { diskErrors } from './disk-errors.ts';
import { powerCuts } from './power-cuts.ts';
import { killCalls } from './kill-calls.ts';
import { kills } from './kills.ts';
import { apiFuzz } from './registry/api-fuzz.ts';
import { fullDisk } from './registry/full-disk.ts';
import { outages } from './registry/outages.ts';
import { serverKills } from './registry/server-kills.ts';
import { twoServers } from './registry/two-servers.ts';
import type { Trial } from './trial.ts';
import { writers } from './writers.ts';

/** All trials, by worth. */
export const TRIALS: readonly Trial[] = [
  kills,
  killCalls,
  diskErrors,
  powerCuts,
  bitFlips,
  writers,
  badLines,
  serverKills,
  twoServers,
  outages,
  fullDisk,
  apiFuzz,
];
