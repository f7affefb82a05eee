/**
 * Measures Ingot beside its peers in one run and writes `bench/results/<date>.{md,json}`.
 *
 *     npm run bench                      everything that needs no extra downloads
 *     npm run bench -- serving start     some suites: serving start transfer listing help demo
 *     npm run bench -- serving --peers   also mlflow, MLServer and BentoML, each in an environment of its own
 *     npm run bench -- --seconds 3       shorter or longer load
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, platform, release, totalmem } from 'node:os';
import { inRoot } from '../scripts/lib/paths.mjs';
import { run } from '../scripts/lib/run.mjs';
import { setup } from '../scripts/setup.mjs';

const SUITES = ['help', 'demo', 'listing', 'start', 'serving', 'transfer'];

const words = process.argv.slice(2);
const secondsAt = words.indexOf('--seconds');
const options = { peers: words.includes('--peers'), seconds: secondsAt < 0 ? 5 : Number(words[secondsAt + 1]) };
const named = words.filter((word) => SUITES.includes(word));
const unknown = words.filter((word, index) => !SUITES.includes(word) && !word.startsWith('--') && words[index - 1] !== '--seconds');
if (unknown.length > 0) {
  console.error(`no such suite: ${unknown.join(', ')}; there are ${SUITES.join(', ')}`);
  process.exit(2);
}

const { python, reason } = await setup({ python: 'all' });
if (python === undefined) {
  console.error(`the measurements need Python: ${reason}`);
  process.exit(1);
}

const date = new Date().toISOString().slice(0, 10);
const jsonPath = inRoot('bench/results', `${date}.json`);
mkdirSync(inRoot('bench/results'), { recursive: true });
const results = existsSync(jsonPath) ? JSON.parse(readFileSync(jsonPath, 'utf8')) : { date, suites: {} };
results.machine = await machine(python);

for (const name of named.length > 0 ? named : SUITES) {
  console.error(`\n── ${name}`);
  try {
    const { measure } = await import(`./suites/${name}.mjs`);
    const busy = loadavg()[0].toFixed(1);
    results.suites[name] = { command: `npm run bench -- ${[name, ...words.filter((word) => !SUITES.includes(word))].join(' ')}`, busy, ...(await measure({ python, ...options })) };
  } catch (error) {
    console.error(error);
    results.suites[name] = { title: name, failed: error.message };
    process.exitCode = 1;
  }
  writeFileSync(jsonPath, `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(jsonPath.replace('.json', '.md'), page(results));
  console.error(section(results.suites[name]));
}

async function machine(interpreter) {
  const { stdout } = await run(interpreter, ['--version']);
  return { cores: cpus().length, cpu: cpus()[0]?.model.trim(), memoryGiB: Math.round(totalmem() / 2 ** 30), system: `${platform()} ${release()}`, node: process.version, python: stdout.trim() };
}

function page({ date: day, machine: host, suites }) {
  const about = `${host.cores} cores (${host.cpu}), ${host.memoryGiB} GiB, ${host.system}, Node ${host.node}, ${host.python}`;
  const sections = SUITES.filter((name) => suites[name]).map((name) => section(suites[name]));
  return `# Measurements of ${day}\n\nOn ${about}. Compare numbers within one table only: they were taken in one run.\n\n${sections.join('\n')}`;
}

function section({ title, command, busy, columns, rows = [], goals = [], notes = [], skipped = [], failed }) {
  if (failed) return `## ${title}\n\nFailed: ${failed.split('\n')[0]}\n`;
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const table = [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
  const verdicts = goals.map(({ goal, value, met }) => `- ${met ? 'reached' : '**missed**'}: ${goal}; measured ${value}`);
  const rest = [...notes.map((note) => `- ${note}`), ...skipped.map((skip) => `- not measured: ${skip}`)];
  return `## ${title}\n\n\`${command}\`, with a load average of ${busy} before it\n\n${table}\n\n${[...verdicts, ...rest].join('\n')}\n`;
}
