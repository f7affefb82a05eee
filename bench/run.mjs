/**
 * Measures Ingot beside its peers in one run and writes `bench/results/<date>.{md,json}`.
 *
 *     npm run bench                      everything that needs no extra downloads
 *     npm run bench -- serving start     some suites: serving start transfer listing help demo
 *     npm run bench -- serving --peers   also mlflow, MLServer and BentoML, each in an environment of its own
 *     npm run bench -- --seconds 3       shorter or longer load
 *     npm run bench -- storage --size 1024 --times 3 --peers
 *                                        pushes, pulls and care of a store, with folders of so many MiB and so many rounds;
 *                                        --peers also for DVC, modelstore, MLflow and an OCI registry;
 *                                        --only ingot,xet for some contenders, --large for what takes long,
 *                                        --out PATH for other result files
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cpus, loadavg, platform, release, totalmem } from 'node:os';
import { inRoot } from '../scripts/lib/paths.mjs';
import { run } from '../scripts/lib/run.mjs';
import { setup } from '../scripts/setup.mjs';

const STORAGE = ['storage-local', 'storage-s3', 'small-files', 'latency', 'growth', 'memory', 'compression', 'care'];
const SUITES = ['help', 'demo', 'listing', 'start', 'baked-image', 'first-steps', 'serving', 'sdk', 'frameworks-torch', 'transfer', 'registry', 'registry-contents', 'registry-mlflow', 'registry-client', 'registry-flow', 'registry-load', 'followers', 'registry-artifacts', 'registry-oci', 'registry-rebuild', 'bake', ...STORAGE];
const GROUPS = { storage: STORAGE };

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    peers: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    size: { type: 'string' },
    times: { type: 'string' },
    versions: { type: 'string' },
    only: { type: 'string' },
    large: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
const words = process.argv.slice(2);
const options = {
  peers: given.peers,
  large: given.large,
  ...(given.seconds && { seconds: Number(given.seconds) }),
  ...(given.size && { size: Number(given.size) }),
  ...(given.times && { times: Number(given.times) }),
  ...(given.versions && { versions: Number(given.versions) }),
  ...(given.only && { only: given.only.split(',') }),
};
const named = positionals.flatMap((word) => GROUPS[word] ?? [word]);
const unknown = named.filter((word) => !SUITES.includes(word));
if (unknown.length > 0) {
  console.error(`no such suite: ${unknown.join(', ')}; there are ${[...SUITES, ...Object.keys(GROUPS)].join(', ')}`);
  process.exit(2);
}

// So that whatever was started ends with the run.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

const { python, reason } = await setup({ python: 'all' });
if (python === undefined) {
  console.error(`the measurements need Python: ${reason}`);
  process.exit(1);
}

const date = new Date().toISOString().slice(0, 10);
const jsonPath = given.out === undefined ? inRoot('bench/results', `${date}.json`) : resolve(`${given.out}.json`);
mkdirSync(dirname(jsonPath), { recursive: true });
const results = existsSync(jsonPath) ? JSON.parse(readFileSync(jsonPath, 'utf8')) : { date, suites: {} };
results.machine = await machine(python);

for (const name of named.length > 0 ? named : SUITES) {
  console.error(`\n── ${name}`);
  try {
    const { measure } = await import(`./suites/${name}.mjs`);
    const busy = loadavg()[0].toFixed(1);
    results.suites[name] = { command: `npm run bench -- ${[name, ...words.filter((word) => !positionals.includes(word))].join(' ')}`, busy, ...(await measure({ python, ...options })) };
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
