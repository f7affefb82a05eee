import { expect, test } from 'vitest';
import { countsOfJunit, countsOfVitest } from './test-counts.mjs';

const report = (...testResults) => JSON.stringify({ testResults });

test('a test file that does not load counts as a failure', () => {
  const text = report({ name: 'a.test.ts', status: 'failed', assertionResults: [] });
  expect(countsOfVitest(text, 1, 'unit')).toMatchObject({ passed: 0, failed: 1, failedNames: ['a.test.ts did not load'] });
});

test('an error outside the tests counts as a failure even when all tests pass', () => {
  const text = report({ name: 'a.test.ts', status: 'passed', assertionResults: [{ status: 'passed', fullName: 'works' }] });
  expect(countsOfVitest(text, 1, 'unit')).toMatchObject({ passed: 1, failed: 1 });
});

test('skipped tests are named', () => {
  const text = report({ name: 'a.test.ts', status: 'passed', assertionResults: [{ status: 'skipped', fullName: 'needs docker' }] });
  expect(countsOfVitest(text, 0, 'unit')).toMatchObject({ skipped: 1, skippedNames: ['needs docker'] });
});

test('a run without a report is a failure', () => {
  expect(countsOfVitest('', 134, 'unit').failed).toBe(1);
  expect(countsOfJunit('', 2, 'python').failed).toBe(1);
});

test('failures, errors and skips of a JUnit report are told apart', () => {
  const text = `<testsuite><testcase name="a" time="1"/><testcase name="b"><failure message="no">x</failure></testcase>
    <testcase name="c"><error message="fixture"/></testcase><testcase name="d"><skipped type="pytest.skip" message="no torch"/></testcase></testsuite>`;
  expect(countsOfJunit(text, 1, 'python')).toMatchObject({ passed: 1, failed: 2, skipped: 1, failedNames: ['b', 'c'], skippedNames: ['d (no torch)'] });
});
