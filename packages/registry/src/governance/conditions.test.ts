import { parseModelName } from '@ingot/core/ref';
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
  author: 'ana',
  publishedAt: '2026-11-20T00:00:00.000Z',
  publishedBy: 'ben',
  environment: { python: '3.11.7', requirements: ['scikit-learn==1.5.2', 'numpy==2.0', 'pandas>=2'] },
  lineage: {
    parents: ['base:1'],
    data: [{ name: 'churn-2026' }],
    git: { commit: '4f1c2ab0aa', dirty: false },
  },
  metrics: { auc: 0.91, latency_p95_ms: 12 },
  tags: { reviewed: 'yes', team: 'growth' },
  params: { max_depth: 3, nested: { rate: '0.1' } },
  stage: 'Staging',
};
const PARENT: Judged = { ...VERSION, metrics: { auc: 0.99 }, tags: { reviewed: 'yes' } };
const now = new Date('2026-11-22T12:00:00Z');
const sources = { scan: () => ['clean'] };
const CHURN = parseModelName('churn');
const of = (source: string, version = VERSION) =>
  judge(parseCondition(source, { now }), factsOf(version, { model: CHURN, now, parents: [PARENT], sources }));
const failures = (source: string, version = VERSION) => of(source, version).failing.map(failureText);

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
});

test('words and nonsense are no conditions', () => {
  for (const source of ['', 'churn', 'auc >=', '(auc > 1', 'auc > 1 AND growth'])
    expect(() => parseCondition(source, { now }), source).toThrow(/condition/);
  expect(() => parseCondition('metrc.auc > 1', { now })).toThrow(/no field/);
  expect(() => parseCondition("auc > 'high'", { now })).toThrow(/compared with a number/);
  expect(() => parseCondition('created > soon', { now })).toThrow(/compared with a time/);
});

test('packages, times, sizes, data and code are asked as search asks them', () => {
  for (const source of [
    'scikit-learn >= 1.4 AND scikit-learn < 1.10',
    'package:numpy = 2.0 AND python >= 3.9 AND python < 3.12',
    'created > -30d AND published >= 2026-11',
    'size <= 1KiB AND files = 1',
    "author = ana AND publisher LIKE 'b%'",
    'data.name = churn-2026 AND commit = 4f1c2ab0 AND dirty = false',
    'NOT alias = production AND alias != staging',
    'parent = base:1 AND parents.stage != Archived',
  ])
    expect([source, failures(source)]).toEqual([source, []]);
});

test('what fails is named with what it is: pins, times, and what is not pinned or not there', () => {
  expect(failures('scikit-learn >= 1.10')).toEqual(['scikit-learn >= 1.10, and it is 1.5.2']);
  expect(failures('pandas >= 2')).toEqual(['pandas >= 2, and it is not pinned']);
  expect(failures('torch >= 2')).toEqual(['torch >= 2, and it has none']);
  expect(failures('created < -30d')).toEqual(['created < -30d, and it is 2026-11-20T00:00:00.000Z']);
  expect(failures('dirty = true OR python >= 3.12')).toEqual([
    'dirty = true, and it is false',
    'python >= 3.12, and it is 3.11.7',
  ]);
  expect(failures('parents.metrics.auc < 0.5')).toEqual(['parents.metrics.auc < 0.5, and it is 0.99']);
});

test('what is not known holds neither way, and a metric comes before a package of its name', () => {
  expect(failures('file = model.pkl')).toEqual(['file = model.pkl, and it is not known yet']);
  expect(of('NOT file = model.pkl').holds).toBe(false);
  expect(of('scikit-learn >= 1.4', { ...VERSION, metrics: { 'scikit-learn': 1 } }).holds).toBe(false);
});

test('what is about to be published has no number, and is published now', () => {
  const { number: _, publishedAt: __, publishedBy: ___, ...draft } = VERSION;
  expect(failures('version >= 1', draft)).toEqual(['version >= 1, and it has none']);
  expect(of('created > -1m AND auc > 0.9', draft).holds).toBe(true);
});
