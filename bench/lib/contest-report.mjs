/** How the results of a contest are shown. */
import { cost } from './goals.mjs';

const STEPS = ['push v1', 'push again', 'push v2', 'pull v1', 'pull v2'];

/** @param times rounds that were played */
export const contestColumns = (times) => [`median of ${times}: wall s (processor s) peak MiB`, ...STEPS, 'stored ÷ size', 'v2 adds, × changed bytes', '× changed, 100 regions', 'flushed to disk'];

/** One row a contender. Those that store whole files store the same for scattered changes. */
export function contestRows(results, { bytes, changedBytes }) {
  return Object.values(results).map(({ name, rounds, isFlushed, steps, stored }) => [
    rounds === 1 ? `${name} (once)` : name,
    ...STEPS.map((step) => cost(steps[step])),
    (stored.v1 / bytes).toFixed(3),
    `${(stored.v2 / 1e6).toFixed(1)} MB, ${(stored.v2 / changedBytes).toFixed(2)}`,
    stored['v2-scattered'] === undefined ? 'whole files' : (stored['v2-scattered'] / changedBytes).toFixed(2),
    isFlushed ? 'yes' : 'no',
  ]);
}

/** What is said under every such table. */
export const contestNotes = ({ changedBytes }) => [
  `v2: ${(changedBytes / 1e6).toFixed(2)} MB changed in one region, 4,109 bytes of it inserted; what was pulled is the same byte for byte`,
  'pull v2: into another folder, while v1 lies where it was pulled to and in the caches of whoever has one',
  'flushed to disk: whether a push has done so when it says that it is done; ingot and restic do more than the others there. Processor time behind a plus is the server\'s',
];

/** Bytes that went over the line, one row a contender; undefined where they could not be counted. */
export function trafficLine(results, step, field, changedBytes) {
  const seen = Object.values(results).filter(({ steps }) => steps[step]?.[field] !== undefined);
  if (seen.length === 0) return undefined;
  return seen.map(({ name, steps }) => `${name} ${(steps[step][field] / changedBytes).toFixed(2)}`).join('; ');
}
