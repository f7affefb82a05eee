/**
 * Runs every check of the repository, one after the other, and goes on after a failure. The last line is the count.
 *
 *     npm test                        sets up what is missing, then everything
 *     npm run test:unit               types, lint, import rule and unit tests; no Python, no processes
 *     npm test -- --only e2e,python   some stages
 *
 * With CI=true a missing tool is a failure; elsewhere its checks are skipped and named.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filesUnder, readOr, repositoryPath } from './lib/files.mjs';
import { inRoot, pythonOf, ROOT, VENV } from './lib/paths.mjs';
import { run } from './lib/run.mjs';
import { knownMissing } from './lib/servers/test-servers.mjs';
import { bold, dim, green, red, seconds } from './lib/terminal.mjs';
import { countsOfJunit, countsOfVitest, failed, passed, skipped } from './lib/test-counts.mjs';
import { setup, setupServers } from './setup.mjs';

const unitOnly = process.argv.includes('--unit');
const onCi = process.env.CI === 'true';
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1]?.split(',') : undefined;

/** The tests see none of the user's own settings. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('INGOT_')));
const reports = mkdtempSync(join(tmpdir(), 'ingot-test-'));

const node = (...args) => [process.execPath, args];
const tool = (path, ...args) => node(inRoot('node_modules', path), ...args);

/** A check that is one thing: it passes or it does not. */
async function whole(name, [command, args], cwd = ROOT) {
  const { code } = await run(command, args, { cwd, env, inherit: true, check: false });
  return code === 0 ? passed(1) : failed(1, [name]);
}

async function vitest(project) {
  const report = join(reports, `${project}.json`);
  const [command, args] = tool(
    'vitest/vitest.mjs',
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    '--passWithNoTests',
  );
  const { code } = await run(command, args, { env, inherit: true, check: false });
  return countsOfVitest(readOr(report, ''), code, project);
}

async function pytest(directory) {
  const report = join(reports, `${directory.replaceAll('/', '-')}.xml`);
  const args = ['-m', 'pytest', `--junit-xml=${report}`, '-p', 'no:cacheprovider'];
  const { code } = await run(pythonOf(VENV), args, { cwd: inRoot(directory), env, inherit: true, check: false });
  return countsOfJunit(readOr(report, ''), code, directory);
}

/** Folders beside the SDK that hold Python tests: examples and tools. */
function foldersWithPythonTests() {
  const isTest = (path) => /(^|\/)test_[^/]*\.py$/.test(path);
  const tests = ['tools', 'examples'].flatMap((folder) => filesUnder(inRoot(folder), isTest)).map(repositoryPath);
  return [
    ...new Set(
      tests.map((path) =>
        path
          .split('/')
          .slice(0, path.startsWith('examples/') ? 2 : 1)
          .join('/'),
      ),
    ),
  ];
}

const STAGES = [
  { name: 'types', unit: true, check: () => whole('types', tool('typescript-native/bin/tsc', '-p', '.')) },
  { name: 'lint', unit: true, check: () => whole('lint', tool('@biomejs/biome/bin/biome', 'lint', '.')) },
  { name: 'rooms', unit: true, check: () => whole('rooms', node(inRoot('scripts/check-rooms.mjs'))) },
  { name: 'unit', unit: true, check: () => vitest('unit') },
  {
    name: 'python types',
    python: true,
    check: () => whole('python types', [pythonOf(VENV), ['-m', 'mypy']], inRoot('python')),
  },
  { name: 'python', python: true, check: () => pytest('python') },
  ...foldersWithPythonTests().map((folder) => ({ name: folder, python: true, check: () => pytest(folder) })),
  { name: 'e2e', check: () => vitest('e2e') },
];

async function main() {
  const stages = STAGES.filter((stage) => (only ? only.includes(stage.name) : !unitOnly || stage.unit));
  const rows = [];
  let ready;
  const started = performance.now();
  try {
    ready = await setup(unitOnly ? { python: 'none', build: false } : { python: 'all' });
    if (stages.some(({ name }) => name === 'e2e')) rows.push(...(await bringServers()));
  } catch (error) {
    console.error(`setup failed: ${error.message}`);
    return summarise([{ name: 'setup', took: performance.now() - started, result: failed(1, ['setup']) }]);
  }
  for (const stage of stages) {
    const start = performance.now();
    console.error(
      `\n${bold(`── ${stage.name} `, process.stderr)}${dim('─'.repeat(Math.max(0, 60 - stage.name.length)), process.stderr)}`,
    );
    rows.push({ name: stage.name, result: await checkStage(stage, ready), took: performance.now() - start });
  }
  return summarise(rows);
}

/** Without a server its tests are skipped and named; with CI=true that is a failure. */
async function bringServers() {
  const started = performance.now();
  const missing = await setupServers();
  const names = Object.keys(missing);
  if (names.length === 0) return [];
  Object.assign(env, knownMissing(missing));
  const count = onCi ? failed : skipped;
  return [{ name: 'test servers', took: performance.now() - started, result: count(names.length, names) }];
}

async function checkStage(stage, { python, reason }) {
  if (stage.python && python === undefined) {
    const name = `${stage.name}: no Python environment (${reason})`;
    console.error(name);
    return onCi ? failed(1, [name]) : skipped(1, [name]);
  }
  try {
    return await stage.check();
  } catch (error) {
    console.error(error.message);
    return failed(1, [`${stage.name}: ${error.message.split('\n')[0]}`]);
  }
}

/** Prints the table, what was skipped, what failed, and the one line of counts. Gives the exit code. */
function summarise(rows) {
  const sum = (key) => rows.reduce((total, { result }) => total + result[key], 0);
  const width = Math.max(...rows.map(({ name }) => name.length));
  console.log('');
  for (const { name, result, took } of rows) {
    const mark = result.failed > 0 ? red('✗') : green('✓');
    const skips = result.skipped > 0 ? `, ${result.skipped} skipped` : '';
    console.log(
      `${mark} ${name.padEnd(width)}  ${result.passed} passed, ${result.failed} failed${skips}  ${dim(seconds(took))}`,
    );
  }
  const listing = (title, key) => {
    const names = rows.flatMap(({ name, result }) =>
      result[key].map((text) => (text.startsWith(name) ? text : `${name}: ${text}`)),
    );
    if (names.length > 0) console.log(`\n${title}\n${names.map((text) => `  ${text}`).join('\n')}`);
  };
  listing('skipped', 'skippedNames');
  listing('failed', 'failedNames');
  console.log(`\n${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`);
  return sum('failed') === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} finally {
  rmSync(reports, { recursive: true, force: true });
}
