/** Goals as a suite reports them. */

/** `value` must be at most `limit`; `unit` follows the value. */
export const atMost = (goal, value, limit, unit = ' times') => ({ goal: `${goal}: at most ${limit}${unit}`, value: `${rounded(value)}${unit}`, met: value <= limit });

/** `value` must be at least `limit`. */
export const atLeast = (goal, value, limit, unit = ' times') => ({ goal: `${goal}: at least ${limit}${unit}`, value: `${rounded(value)}${unit}`, met: value >= limit });

/** A goal that could not be measured in this run. */
export const unmeasured = (goal) => ({ goal, value: 'nothing in this run', met: false });

const rounded = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(value < 2 ? 3 : 2));

/** `1.23 (2.34) 98`: wall seconds, processor seconds, peak MiB; a server's processor time stands behind a plus. */
export function cost(usage) {
  if (usage === undefined) return '–';
  const server = usage.serverCpu >= 0.005 ? `+${usage.serverCpu.toFixed(2)}` : '';
  return `${usage.wall.toFixed(2)} (${usage.cpu.toFixed(2)}${server}) ${(usage.peakBytes / 2 ** 20).toFixed(0)}`;
}
