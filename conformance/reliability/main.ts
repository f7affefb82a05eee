import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Outcome, Trial } from './trial.ts';
import { TRIALS } from './trials.ts';

const PAGE = fileURLToPath(new URL('../../docs/reliability.md', import.meta.url));

/** How trials are run and told. */
interface How {
  readonly full: boolean;
  readonly json: boolean;
  /** Writes the figures to docs/reliability.md. */
  readonly docs: boolean;
  readonly seed: number;
}

/** Runs the trials that the words name, or lists them. Gives the exit status. */
export async function main(words: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      full: { type: 'boolean' },
      json: { type: 'boolean' },
      docs: { type: 'boolean' },
      seed: { type: 'string' },
    },
  });
  if (positionals.length === 0) {
    console.log('npm run reliability -- NAME… [--full] [--json] [--seed N] [--docs]\n');
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
  const { full = false, json = false, docs = false } = values;
  const seed = Number(values.seed ?? 1);
  let broken = 0;
  for (const trial of chosen) broken += await run(trial, { full, json, docs, seed });
  return broken === 0 ? 0 : 1;
}

async function run(trial: Trial, { full, json, docs, seed }: How): Promise<number> {
  const started = performance.now();
  const cpu = process.cpuUsage();
  const outcome = await trial.run({ full, seed, say: (line) => console.error(`  ${trial.name}: ${line}`) });
  const seconds = Number(((performance.now() - started) / 1000).toFixed(1));
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = Number(((user + system) / 1e6).toFixed(1));
  if (json)
    console.log(JSON.stringify({ trial: trial.name, full, seed, seconds, cpuSeconds, ...outcome }, undefined, 2));
  else console.log(told(trial, outcome, `${seconds} s, seed ${seed}${full ? ', full' : ''}`));
  if (docs) writeFigures(trial, outcome, full);
  return outcome.failures.length;
}

function told({ name, about }: Trial, { figures, failures, skipped }: Outcome, how: string): string {
  return [
    `${name}: ${about} (${how})`,
    ...linesOf({ figures, failures, skipped }),
    ...failures.slice(0, 50).map((failure) => `  BROKEN  ${failure}`),
  ].join('\n');
}

function linesOf({ figures, failures, skipped }: Outcome): string[] {
  return [
    ...Object.entries({ ...figures, 'promises broken': failures.length }).map(
      ([what, figure]) => `  ${String(figure).padStart(10)}  ${what}`,
    ),
    ...skipped.map((what) => `  skipped: ${what}`),
  ];
}

/** Replaces the block of the page that begins with the trial's command. */
function writeFigures({ name }: Trial, outcome: Outcome, full: boolean): void {
  const block = ['```', `$ npm run reliability -- ${name}${full ? ' --full' : ''}`, ...linesOf(outcome), '```'].join(
    '\n',
  );
  const old = new RegExp(`\`\`\`\\n\\$ npm run reliability -- ${name}( --full)?\\n[^]*?\\n\`\`\``);
  const page = readFileSync(PAGE, 'utf8');
  if (!old.test(page)) throw new Error(`docs/reliability.md has no block of ${name}`);
  writeFileSync(
    PAGE,
    page.replace(old, () => block),
  );
}
