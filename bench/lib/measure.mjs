/** Measures commands, one run or the median of several. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inRoot, pythonOf, VENV } from '../../scripts/lib/paths.mjs';
import { run, tail } from '../../scripts/lib/run.mjs';

const LONGEST_SECONDS = 1200;

/**
 * Runs a command once. Gives wall and processor seconds, and peak memory in bytes, children included, and what it printed.
 * What takes longer than `seconds` is ended and fails.
 */
export async function measure(command, args, { env = process.env, cwd, seconds = LONGEST_SECONDS } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'ingot-bench-'));
  const result = join(directory, 'usage.json');
  try {
    const { output, stdout } = await run(pythonOf(VENV), [inRoot('bench/lib/measure.py'), result, String(seconds), command, ...args], { env, cwd, check: false });
    const usage = JSON.parse(readFileSync(result, 'utf8'));
    if (usage.code === 124) throw new Error(`${[command, ...args].slice(0, 4).join(' ')} … did not end within ${seconds} s`);
    if (usage.code !== 0) throw new Error(`${[command, ...args].join(' ')} ended with ${usage.code}${tail(output)}`);
    return { ...usage, stdout };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The median of `times` runs, field by field; one run before them is not counted. */
export async function measureMedian(command, args, { times = 9, ...options } = {}) {
  await measure(command, args, options);
  const runs = [];
  for (let index = 0; index < times; index++) runs.push(await measure(command, args, options));
  return Object.fromEntries(['wall', 'cpu', 'peakBytes'].map((field) => [field, median(runs.map((usage) => usage[field]))]));
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
