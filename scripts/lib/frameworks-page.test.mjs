import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { frameworksPage } from './frameworks-page.mjs';
import { inRoot } from './paths.mjs';

const result = (framework, model, steps, more = {}) => ({
  framework,
  case: model,
  flavor: framework,
  files: ['flavor.json', 'model.ubj'],
  executesCode: false,
  tolerance: 0,
  versions: { [framework]: '3.2.0' },
  steps,
  ...more,
});

const where = { python: '3.11.7', platform: 'linux-x86_64', ingot: '0.1.0', processorSeconds: 12 };
const page = (...results) => frameworksPage({ light: { ...where, results } });
const fine = { save: 'ok', load: 'ok', serve: 'ok', isolated: 'ok' };

test('a framework is one row of four marks with its version, and a failure is counted and told in words', () => {
  const told = page(
    result('xgboost', 'Booster', fine),
    result('xgboost', 'XGBClassifier', { save: 'ok', load: 'other predictions: 1 in place of 2\nand more', serve: 'ok' }, { executesCode: true }),
  );
  expect(told).toContain('| [xgboost](#xgboost) | 3.2.0 | 2 | code, data | ✓ | ✗ 1 of 2 | ✓ | ✓ 1 |');
  expect(told).toContain('- XGBClassifier: `xgboost`; `flavor.json` `model.ubj`. **load: other predictions: 1 in place of 2**');
  expect(told).not.toContain('and more');
  expect(told).toContain('| light | 2 | 3.11.7 | linux-x86_64 | 0.1.0 | 12 s |');
});

test('what was skipped is neither passed nor failed, and says why', () => {
  const told = page(
    result('xgboost', 'Booster', fine),
    result('xgboost', 'DMatrix', { save: 'ok', load: 'ok', serve: 'skipped: has no predict' }),
    result('annoy', 'index', { save: 'skipped: annoy is not installed' }, { versions: {}, flavor: '', files: [] }),
  );
  expect(told).toContain('| 2 | data | ✓ | ✓ | ✓ 1 | ✓ 1 |');
  expect(told).toContain('Not served: has no predict');
  expect(told).toContain('| [annoy](#annoy) | – | 1 |  | – | – | – | – |');
  expect(told).toContain('- index. Not saved: annoy is not installed');
});

test('every mark has a heading that says what it means', () => {
  for (const step of Object.keys(fine)) {
    expect(page()).toContain(`[${step}](#${step})`);
    expect(page()).toContain(`\n### ${step}\n`);
  }
});

test('the page is the one that the recorded results give', () => {
  const { groups } = JSON.parse(readFileSync(inRoot('docs/frameworks.json'), 'utf8'));
  expect(readFileSync(inRoot('docs/frameworks.md'), 'utf8')).toBe(frameworksPage(groups));
});
