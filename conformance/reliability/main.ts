import { parseArgs } from 'node:util';
import type { Outcome, Trial } from './trial.ts';
import { TRIALS } from './trials.ts';

/** Runs the trials that the words name, or lists them. Gives the exit status. */
export async function main(words: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: { full: { type: 'boolean' }, json: { type: 'boolean' }, seed: { type: 'string' } },
  });
  if (positionals.length === 0) {
    console.log('npm run reliability -- NAME… [--full] [--json] [--seed N]\n');
    for (const { name, about } of TRIALS) console.log(`  ${name.padEnd(16)} ${about}`);
    console.log(
      `  ${'gc-against-push'.padEnd(16)} collections beside pushes, with grace 0 and writers that stand still\n  all`,
    );
    return 0;
  }
  const chosen = positionals.flatMap((name) =>
    name === 'all' ? TRIALS : TRIALS.filter((trial) => trial.name === name),
  );
  const unknown = positionals.filter((name) => name !== 'all' && !TRIALS.some((trial) => trial.name === name));
  if (unknown.length > 0) {
    console.error(
      `there is no trial "${unknown.join('", "')}"; there are ${TRIALS.map(({ name }) => name).join(', ')}`,
    );
    return 2;
  }
  const { full = false, json = false } = values;
  const seed = Number(values.seed ?? 1);
  let broken = 0;
  for (const trial of chosen) broken += await run(trial, { full, json, seed });
  return broken === 0 ? 0 : 1;
}

async function run(
  trial: Trial,
  { full, json, seed }: { full: boolean; json: boolean; seed: number },
): Promise<number> {
  const started = performance.now();
  const cpu = process.cpuUsage();
  const outcome = await trial.run({ full, seed, say: (line) => console.error(`  ${trial.name}: ${line}`) });
  const seconds = Number(((performance.now() - started) / 1000).toFixed(1));
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = Number(((user + system) / 1e6).toFixed(1));
  if (json)
    console.log(JSON.stringify({ trial: trial.name, full, seed, seconds, cpuSeconds, ...outcome }, undefined, 2));
  else console.log(told(trial, outcome, `${seconds} s, seed ${seed}${full ? ', full' : ''}`));
  return outcome.failures.length;
}

function told({ name, about }: Trial, { figures, failures, skipped }: Outcome, how: string): string {
  return [
    `${name}: ${about} (${how})`,
    ...Object.entries(figures).map(([what, figure]) => `  ${String(figure).padStart(10)}  ${what}`),
    `  ${String(failures.length).padStart(10)}  promises broken`,
    ...skipped.map((what) => `  skipped: ${what}`),
    ...failures.slice(0, 50).map((failure) => `  BROKEN  ${failure}`),
  ].join('\n');
}
