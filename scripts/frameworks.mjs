/**
 * Runs the matrix of frameworks, each group in an environment of its own under .cache/frameworks: every model is saved,
 * loaded, served, and run in isolation.
 *
 *     npm run frameworks                        the light group
 *     npm run frameworks -- torch mlflow        other groups: one file each in python/frameworks
 *     npm run frameworks -- --all --docs        everything, and record it in docs/frameworks.json and docs/frameworks.md
 *     npm run frameworks -- --isolated all      every case in isolation, not only the first of each framework; or none
 *     npm run frameworks -- torch --only peft,skorch --docs        some frameworks of a group; the record keeps the others
 *     npm run frameworks -- --page              writes docs/frameworks.md again from docs/frameworks.json
 *
 * Environments of isolated models are kept in .cache/frameworks/models: a second run makes none.
 */
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprintOfBytes, readOr } from './lib/files.mjs';
import { frameworksPage } from './lib/frameworks-page.mjs';
import { inRoot, pythonOf } from './lib/paths.mjs';
import { findPython, makeVenv } from './lib/python.mjs';
import { run } from './lib/run.mjs';
import { bold, red, step } from './lib/terminal.mjs';
import { setup } from './setup.mjs';

const LISTS = inRoot('python/frameworks');
const RECORD = inRoot('docs/frameworks.json');
const PAGE = inRoot('docs/frameworks.md');
const STAMP = '.ingot-frameworks.json';

/** The engine that models are saved and served with may be another build than the clone's, as in the tests. */
const PASSED = new Set(['INGOT_ENGINE', 'INGOT_NODE']);

/** The groups: one list of requirements each. */
export const GROUPS = readdirSync(LISTS)
  .filter((name) => name.endsWith('.txt'))
  .map((name) => name.slice(0, -'.txt'.length))
  .sort();

/** Runs one group and gives its document; `failures` has one line for each step that failed. */
async function runGroup(group, isolated, only) {
  const python = await environmentOf(group);
  const results = inRoot('.cache/frameworks', `${group}.json`);
  rmSync(results, { force: true });
  const env = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('INGOT_') || PASSED.has(name))),
    PYTHONPATH: inRoot('python/src'),
    INGOT_MATRIX: 'all',
    INGOT_MATRIX_GROUP: group,
    INGOT_MATRIX_ONLY: only ?? wordsOf(group, 'frameworks').join(','),
    INGOT_MATRIX_ISOLATED: isolated,
    INGOT_MATRIX_RESULTS: results,
    INGOT_MATRIX_CACHE: inRoot('.cache/frameworks/models'),
  };
  const tests = ['test_matrix.py', ...(only === undefined ? wordsOf(group, 'tests') : [])].map((file) => inRoot('python/tests/frameworks', file));
  const args = ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', ...tests];
  const { code } = await run(python, args, { cwd: inRoot('python'), env, inherit: true, check: false });
  const text = readOr(results, '');
  if (text === '') throw new Error(`the ${group} group ended with ${code} and recorded nothing`);
  return { document: JSON.parse(text), passed: code === 0 };
}

/** What a comment of a list names: its frameworks (`# frameworks: torch, lightning`), and tests beside the matrix. */
function wordsOf(group, key) {
  const line = new RegExp(`^# ${key}: (.*)$`, 'm').exec(readOr(join(LISTS, `${group}.txt`), ''))?.[1] ?? '';
  return line.split(/[\s,]+/).filter((word) => word !== '');
}

/** The interpreter of a group's environment, made or brought up to date when its list changed. */
async function environmentOf(group) {
  const list = join(LISTS, `${group}.txt`);
  const place = inRoot('.cache/frameworks', group);
  const wanted = fingerprintOfBytes([list, inRoot('python/requirements-dev.txt')], [place]);
  const stamp = join(place, STAMP);
  if (existsSync(pythonOf(place)) && readOr(stamp, '') === wanted) return pythonOf(place);
  await step(`environment of the ${group} group`, () => makeEnvironment(place, list));
  writeFileSync(stamp, wanted);
  return pythonOf(place);
}

async function makeEnvironment(place, list) {
  const found = await findPython();
  if (found.python === undefined) throw new Error(found.reason);
  await makeVenv(found.python, place, [`-r ${list}`]);
}

/** Puts a group's document in place of the one that was recorded before; with `only`, the rows of these frameworks. */
function recordGroups(documents, only) {
  const known = JSON.parse(readOr(RECORD, '{"groups": {}}')).groups;
  for (const document of documents) known[document.group] = recorded(document, only && known[document.group], only?.split(','));
  const sorted = Object.fromEntries(Object.entries(known).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(RECORD, `${JSON.stringify({ groups: sorted }, null, 1)}\n`);
  writeFileSync(PAGE, frameworksPage(sorted));
}

function recorded({ group, ...document }, before, only) {
  // How long each step took changes with every run; only that of the whole is recorded.
  const results = document.results.map(({ seconds, ...kept }) => kept);
  if (before === undefined) return { ...document, results };
  const order = wordsOf(group, 'frameworks');
  const kept = before.results.filter(({ framework }) => !only.includes(framework));
  const all = [...kept, ...results].sort((a, b) => order.indexOf(a.framework) - order.indexOf(b.framework));
  return { ...before, results: all };
}

/** The value of `--isolated` and `--only`, and the words that are no flags. */
function parsed(words) {
  const found = { named: [] };
  for (let place = 0; place < words.length; place += 1) {
    const word = words[place];
    if (word === '--isolated' || word === '--only') found[word.slice(2)] = words[++place];
    else if (!word.startsWith('--')) found.named.push(word);
  }
  return found;
}

async function main(words) {
  if (words.includes('--page')) return recordGroups([]);
  const { isolated = 'first', only, named } = parsed(words);
  const unknown = named.find((name) => !GROUPS.includes(name));
  if (unknown !== undefined) throw new Error(`there is no group ${unknown}; there are ${GROUPS.join(', ')}`);
  const groups = words.includes('--all') ? GROUPS : named.length > 0 ? named : ['light'];
  await setup({ build: !process.env.INGOT_ENGINE });
  const documents = [];
  for (const group of groups) {
    console.log(bold(`\n${group}`));
    const { document, passed } = await runGroup(group, isolated, only);
    documents.push(document);
    if (!passed) process.exitCode = 1;
    if (words.includes('--docs')) recordGroups([document], only);
  }
  const cases = documents.flatMap(({ results }) => results);
  console.log(`${cases.length} models of ${new Set(cases.map(({ framework }) => framework)).size} frameworks`);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(red(error.message, process.stderr));
  process.exitCode = 1;
});
