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

test('a framework is one line that counts what passed, and a failure is told in words', () => {
  const page = frameworksPage({
    light: {
      python: '3.11.7',
      platform: 'linux-x86_64',
      results: [
        result('xgboost', 'Booster', { save: 'ok', load: 'ok', serve: 'ok', isolated: 'ok' }),
        result('xgboost', 'XGBClassifier', { save: 'ok', load: 'other predictions: 1 in place of 2\nand more', serve: 'ok' }, { executesCode: true }),
      ],
    },
  });
  expect(page).toContain('| xgboost | 3.2.0 | 2 | code, data | ✓ | 1 of 2 | ✓ | ✓ 1 |');
  expect(page).toContain('- XGBClassifier: `xgboost`; `flavor.json` `model.ubj`. **load: other predictions: 1 in place of 2**');
  expect(page).not.toContain('and more');
});

test('the page is the one that the recorded results give', () => {
  const { groups } = JSON.parse(readFileSync(inRoot('docs/frameworks.json'), 'utf8'));
  expect(readFileSync(inRoot('docs/frameworks.md'), 'utf8')).toBe(frameworksPage(groups));
});
