import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { isModelCard, writeModelCard } from './model-card.ts';

const facts = {
  name: 'team/churn',
  flavor: 'sklearn',
  description: 'Who leaves within 90 days.',
  author: 'Ada',
  executesCode: true,
  signature: {
    inputs: [
      { name: 'age', type: 'integer' as const, min: 18, max: 90 },
      { name: 'a|b', type: 'string' as const, nullable: true },
    ],
    outputs: [{ name: 'prediction', type: 'integer' as const }],
    origin: 'captured' as const,
  },
  metrics: { 'auc: test': 0.97 },
  params: { depth: 3 },
  captured: {
    model: { class: 'sklearn.ensemble._forest.RandomForestClassifier', version: '1.9.1' },
    example: { inputs: [{ age: 41, 'a|b': null }] },
    lineage: {
      git: { commit: 'abc', dirty: true },
      data: [{ name: 'X', digest: 'sha256:00', rows: 1000, columns: 2 }],
    },
  },
};

test('the front matter is YAML with task, library and results', () => {
  const front = parse(writeModelCard(facts).split('---\n')[1] ?? '');
  expect(front).toEqual({
    library_name: 'sklearn',
    pipeline_tag: 'tabular-classification',
    tags: ['ingot', 'sklearn'],
    metrics: ['auc: test'],
    'model-index': [
      {
        name: 'team/churn',
        results: [
          {
            task: { type: 'tabular-classification' },
            dataset: { type: 'tabular', name: 'X' },
            metrics: [{ type: 'auc: test', value: 0.97 }],
          },
        ],
      },
    ],
  });
});

test('the card says what is known and asks for what is not', () => {
  const card = writeModelCard(facts);
  expect(card).toContain('model.predict([{"age": 41, "a|b": None}])');
  expect(card).toContain('| in | a\\|b | string, may be missing |  |  |');
  expect(card).toContain('| X | 1000 rows, 2 columns | sha256:00 |');
  expect(card).toContain('Commit: abc with uncommitted changes');
  expect(card).toContain('## Intended use\n\n_Say who');
  expect(card).toContain('executes code');
});

test('a file of which nothing is known still gets a card', () => {
  const card = writeModelCard({ name: 'notes', flavor: 'file', executesCode: false });
  expect(parse(card.split('---\n')[1] ?? '')).toEqual({ tags: ['ingot'] });
  expect(card).not.toContain('undefined');
});

test('a README or a model card at the top of a package is its card', () => {
  expect(['README.md', 'model_card.md', 'modelcard.md'].every(isModelCard)).toBe(true);
  expect(['docs/README.md', 'README.txt'].some(isModelCard)).toBe(false);
});
