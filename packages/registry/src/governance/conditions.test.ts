import { expect, test } from 'vitest';
import { failureText, judge, parseCondition } from './conditions.ts';
import { factsOf, type Judged } from './facts.ts';
import { digestOf } from '@ingot/core/digest';

const VERSION: Judged = {
  manifest: digestOf('a'),
  sizeBytes: 10,
  fileCount: 1,
  flavor: 'sklearn',
  scan: 'not scanned',
  number: 7,
  metrics: { auc: 0.91, latency_p95_ms: 12 },
  tags: { reviewed: 'yes', team: 'growth' },
  params: { max_depth: 3, nested: { rate: '0.1' } },
  stage: 'Staging',
};
const PARENT: Judged = { ...VERSION, metrics: { auc: 0.99 }, tags: { reviewed: 'yes' } };
const of = (source: string) => judge(parseCondition(source), factsOf(VERSION, [PARENT], { scan: () => ['clean'] }));

test('a condition that fails names the comparison and the value that it has', () => {
  const verdict = of('auc >= 0.95 and latency_p95_ms <= 15');
  expect(verdict.holds).toBe(false);
  expect(verdict.failing.map(failureText)).toEqual(['auc >= 0.95, and it is 0.91']);
  expect(of('auc >= 0.9 and latency_p95_ms <= 15')).toMatchObject({ holds: true, failing: [] });
  expect(of('f1 > 0.5').failing.map(failureText)).toEqual(['f1 > 0.5, and it has none']);
});

test('conditions look at tags, parameters, stage, flavor, parents, and further sources', () => {
  for (const source of [
    "tags.reviewed = 'yes' AND stage = Staging AND flavor IN (sklearn, onnx)",
    'params.max_depth = 3 AND params.nested.rate < 0.2',
    'parents.metrics.auc >= 0.99 AND parents.auc >= 0.99 AND parents.tags.reviewed = yes',
    'scan = clean AND version >= 7',
    "tags.team LIKE 'gr%th' AND NOT tags.team ILIKE 'X%'",
    'tags.never IS NULL OR tags.never = 1',
  ])
    expect([source, of(source).holds]).toEqual([source, true]);
});

test('what is not known passes no comparison, and NOT names what must not be', () => {
  expect(of('tags.never != 1').holds).toBe(false);
  expect(of('NOT stage = Staging').failing.map(failureText)).toEqual(['not stage = Staging, and it is Staging']);
  expect(of("auc > 'high'").holds).toBe(false);
});

test('words and nonsense are no conditions', () => {
  for (const source of ['', 'churn', 'auc >=', '(auc > 1', 'auc > 1 AND growth'])
    expect(() => parseCondition(source), source).toThrow(/condition/);
});
