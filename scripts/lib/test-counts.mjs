/** Reads the reports of vitest (JSON) and pytest (JUnit XML) into counts, so that one line can sum them. */
const counts = (passed, failed, skipped, failedNames = [], skippedNames = []) => ({ passed, failed, skipped, failedNames, skippedNames });

export const passed = (count) => counts(count, 0, 0);
export const failed = (count, names = []) => counts(0, count, 0, names);
export const skipped = (count, names = []) => counts(0, 0, count, [], names);

/** Counts of a vitest JSON report. A file that could not be loaded, or no report at all, is one failure. */
export function countsOfVitest(text, exitCode, name) {
  if (text === '') return exitCode === 0 ? passed(0) : failed(1, [`${name}: vitest ended with ${exitCode} and no report`]);
  const files = JSON.parse(text).testResults;
  const tests = files.flatMap((file) => file.assertionResults);
  const broken = files.filter((file) => file.status === 'failed' && file.assertionResults.every((test) => test.status !== 'failed'));
  const of = (...states) => tests.filter((test) => states.includes(test.status));
  const failures = [...of('failed').map((test) => test.fullName), ...broken.map((file) => `${file.name} did not load`)];
  if (failures.length === 0 && exitCode !== 0) failures.push(`${name}: vitest ended with ${exitCode} (an error outside the tests)`);
  const skips = of('skipped', 'pending', 'todo', 'disabled').map((test) => test.fullName);
  return counts(of('passed').length, failures.length, skips.length, failures, skips);
}

/** Counts of a pytest JUnit report. Errors in fixtures count as failures; no report at all is one failure. */
export function countsOfJunit(text, exitCode, name) {
  const cases = [...text.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)].map(([, attributes, body = '']) => ({
    name: attribute(attributes, 'name'),
    state: /<(failure|error)\b/.test(body) ? 'failed' : /<skipped\b/.test(body) ? 'skipped' : 'passed',
    why: attribute(/<skipped\b([^>]*)/.exec(body)?.[1] ?? '', 'message'),
  }));
  const of = (state) => cases.filter((test) => test.state === state);
  const failures = of('failed').map((test) => test.name);
  const NO_TESTS = 5;
  if (failures.length === 0 && exitCode !== 0 && exitCode !== NO_TESTS) failures.push(`${name}: pytest ended with ${exitCode}`);
  const skips = of('skipped').map((test) => `${test.name} (${test.why})`);
  return counts(of('passed').length, failures.length, skips.length, failures, skips);
}

const attribute = (text, name) => new RegExp(`\\b${name}="([^"]*)"`).exec(text)?.[1] ?? '';
