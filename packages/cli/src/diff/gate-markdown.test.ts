import { expect, test } from 'vitest';
import type { VersionDifference } from './compare-versions.ts';
import { type GateReport, gateMarkdown } from './gate-markdown.ts';

const REPORT: GateReport = {
  model: 'team/churn',
  number: 8,
  digest: `sha256:${'a'.repeat(64)}`,
  alias: 'production',
  registry: 'https://models.example.com',
  current: 7,
  allowed: false,
  missing: ['0 of 1 approvals'],
  checked: true,
  fails: [],
  difference: undefined,
};

const NONE = { added: {}, removed: {}, changed: {} };

const different = (metrics: VersionDifference['metrics'], names: readonly string[] = []): VersionDifference => ({
  verdict: 'compatible',
  breaks: [],
  metrics,
  params: Object.fromEntries(names.map((name) => [name, { a: name, b: name }])),
  signature: null,
  environment: { python: null, platform: null, requirements: NONE, lock: NONE },
  files: NONE,
  code: null,
  data: null,
  bytes: { a: 1, b: 1, shared: 0 },
});

test('texts of a model stand as code, whatever they say', () => {
  const evil = '`</code> | @team <img src=x onerror=1> [x](http://evil.example) \n\n# owned\u202e -->';
  const text = gateMarkdown({
    ...REPORT,
    missing: [evil],
    fails: [evil],
    difference: different({ [evil]: { a: 1, b: 2, better: 'b' } }, [evil]),
  });
  const outside = text.replaceAll(/`[^`\n]*`/g, '').replace(/^<!--.*-->$/m, '');
  expect(outside).not.toMatch(/evil|owned|@team|<|\u202e/);
  for (const row of text.split('\n').filter((line) => line.startsWith('|')))
    expect(row.split('|').length).toBeLessThan(7);
});

test('numbers of two registries are told apart', () => {
  expect(gateMarkdown(REPORT)).toContain('`team/churn:7` → `team/churn:8` (');
  expect(gateMarkdown({ ...REPORT, source: '/staging' })).toContain(
    '`team/churn:7` of `https://models.example.com` → `team/churn:8` of `/staging` (',
  );
});

test('the first line is the same for each report on a model and alias', () => {
  const [first] = gateMarkdown(REPORT).split('\n');
  expect(gateMarkdown({ ...REPORT, number: 9, allowed: true }).split('\n')[0]).toBe(first);
  const marks = [
    [REPORT, '❌'],
    [{ ...REPORT, allowed: true }, '✅'],
    [{ ...REPORT, allowed: true, checked: false }, '⏳'],
  ] as const;
  for (const [report, mark] of marks) expect(gateMarkdown(report).split('\n')[1]).toContain(mark);
  expect(first).toBe('<!-- ingot gate team/churn@production -->');
});

test('a report is never longer than a comment may be', () => {
  const long = Array.from({ length: 40 }, (_, n) => `${n}`.repeat(300));
  const metrics = Object.fromEntries(long.map((name) => [name, { a: 1, b: 2, better: null }]));
  const files = { ...NONE, changed: Object.fromEntries(long.map((name) => [name, { a: name, b: name }])) };
  const difference = {
    ...different(metrics, long),
    environment: { python: null, platform: null, requirements: files, lock: NONE },
    breaks: long,
    files,
  };
  const text = gateMarkdown({ ...REPORT, difference });
  expect(text.length).toBeLessThan(65_000);
  expect(text).toContain('cut off');
});
