/** Reads the reports of vitest (JSON) and pytest (JUnit XML) into counts, so that one line can sum them. */
import { stripVTControlCharacters } from 'node:util';

const counts = (passed, failed, skipped, failedNames = [], skippedNames = []) => ({
  passed,
  failed,
  skipped,
  failedNames,
  skippedNames,
});

export const passed = (count) => counts(count, 0, 0);
export const failed = (count, names = []) => counts(0, count, 0, names);
export const skipped = (count, names = []) => counts(0, 0, count, [], names);

/** Counts of a vitest JSON report. A file that could not be loaded, or no report at all, is one failure. */
export function countsOfVitest(text, exitCode, name) {
  if (text === '')
    return exitCode === 0 ? passed(0) : failed(1, [`${name}: vitest ended with ${exitCode} and no report`]);
  const files = JSON.parse(text).testResults;
  const tests = files.flatMap((file) => file.assertionResults);
  const broken = files.filter(
    (file) => file.status === 'failed' && file.assertionResults.every((test) => test.status !== 'failed'),
  );
  const of = (...states) => tests.filter((test) => states.includes(test.status));
  const failures = [
    ...of('failed').map((test) => withReason(test.fullName, test.failureMessages?.[0])),
    ...broken.map((file) => withReason(`${file.name} did not load`, file.message)),
  ];
  if (failures.length === 0 && exitCode !== 0)
    failures.push(`${name}: vitest ended with ${exitCode} (an error outside the tests)`);
  const skips = of('skipped', 'pending', 'todo', 'disabled').map((test) => test.fullName);
  return counts(of('passed').length, failures.length, skips.length, failures, skips);
}

/** Counts of a pytest JUnit report. Errors in fixtures count as failures; no report at all is one failure. */
export function countsOfJunit(text, exitCode, name) {
  const cases = [...text.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)].map(
    ([, attributes, body = '']) => ({
      name: attribute(attributes, 'name'),
      state: /<(failure|error)\b/.test(body) ? 'failed' : /<skipped\b/.test(body) ? 'skipped' : 'passed',
      why: unescaped(attribute(/<(?:skipped|failure|error)\b([^>]*)/.exec(body)?.[1] ?? '', 'message')),
    }),
  );
  const of = (state) => cases.filter((test) => test.state === state);
  const failures = of('failed').map((test) => withReason(test.name, test.why));
  const NO_TESTS = 5;
  if (failures.length === 0 && exitCode !== 0 && exitCode !== NO_TESTS)
    failures.push(`${name}: pytest ended with ${exitCode}`);
  return counts(of('passed').length, failures.length, of('skipped').length, failures, skipsByTest(of('skipped')));
}

/** One line for all the cases of one test that are skipped for one reason. */
function skipsByTest(cases) {
  const times = new Map();
  for (const { name, why } of cases) {
    const line = `${name.replace(/\[.*$/s, '')} (${why})`;
    times.set(line, (times.get(line) ?? 0) + 1);
  }
  return [...times].map(([line, count]) => (count === 1 ? line : `${line}, ${count} times`));
}

const REASON_LENGTH = 400;

/** A failed test's name, and the beginning of what it said, on lines of their own. */
function withReason(name, said = '') {
  const lines = stripVTControlCharacters(said)
    .slice(0, REASON_LENGTH)
    .split('\n')
    .filter((line) => line.trim() !== '');
  return [name, ...lines.slice(0, 4).map((line) => `    ${line}`)].join('\n');
}

const ENTITIES = { '&lt;': '<', '&gt;': '>', '&quot;': '"', '&apos;': "'", '&#10;': '\n', '&amp;': '&' };
const unescaped = (text) => text.replace(/&(?:lt|gt|quot|apos|amp|#10);/g, (entity) => ENTITIES[entity]);
const attribute = (text, name) => new RegExp(`\\b${name}="([^"]*)"`).exec(text)?.[1] ?? '';
