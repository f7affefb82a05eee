import { expect, test } from 'vitest';
import { countsOfJunit, countsOfVitest } from './test-counts.mjs';

const report = (...testResults) => JSON.stringify({ testResults });

test('a test file that does not load counts as a failure', () => {
  const text = report({ name: 'a.test.ts', status: 'failed', assertionResults: [] });
  expect(countsOfVitest(text, 1, 'unit')).toMatchObject({
    passed: 0,
    failed: 1,
    failedNames: ['a.test.ts did not load'],
  });
});

test('an error outside the tests counts as a failure even when all tests pass', () => {
  const text = report({
    name: 'a.test.ts',
    status: 'passed',
    assertionResults: [{ status: 'passed', fullName: 'works' }],
  });
  expect(countsOfVitest(text, 1, 'unit')).toMatchObject({ passed: 1, failed: 1 });
});

test('skipped tests are named', () => {
  const text = report({
    name: 'a.test.ts',
    status: 'passed',
    assertionResults: [{ status: 'skipped', fullName: 'needs docker' }],
  });
  expect(countsOfVitest(text, 0, 'unit')).toMatchObject({ skipped: 1, skippedNames: ['needs docker'] });
});

test('a run without a report is a failure', () => {
  expect(countsOfVitest('', 134, 'unit').failed).toBe(1);
  expect(countsOfJunit('', 2, 'python').failed).toBe(1);
});

test('failures, errors and skips of a JUnit report are told apart', () => {
  const text = `<testsuite><testcase name="a" time="1"/><testcase name="b"><failure message="no">x</failure></testcase>
    <testcase name="c"><error message="fixture"/></testcase><testcase name="d"><skipped type="pytest.skip" message="no torch"/></testcase></testsuite>`;
  expect(countsOfJunit(text, 1, 'python')).toMatchObject({
    passed: 1,
    failed: 2,
    skipped: 1,
    failedNames: ['b\n    no', 'c\n    fixture'],
    skippedNames: ['d (no torch)'],
  });
});

test('what a failed test said stands under its name, its first lines and without colours', () => {
  const said =
    'AssertionError: expected \u001b[32m1\u001b[39m to be 2\n\n    at a.test.ts:3\n    at b\n    at c\n    at d';
  const text = report({
    name: 'a.test.ts',
    status: 'failed',
    assertionResults: [{ status: 'failed', fullName: 'adds', failureMessages: [said] }],
  });
  expect(countsOfVitest(text, 1, 'unit').failedNames).toEqual([
    'adds\n    AssertionError: expected 1 to be 2\n        at a.test.ts:3\n        at b\n        at c',
  ]);
});

test('cases of one test that are skipped for one reason are one line, and count each', () => {
  const text =
    '<testcase name="t[1]"><skipped message="no &quot;torch&quot;"/></testcase><testcase name="t[2]"><skipped message="no &quot;torch&quot;"/></testcase>';
  expect(countsOfJunit(text, 0, 'python')).toMatchObject({ skipped: 2, skippedNames: ['t (no "torch"), 2 times'] });
});
