import { expect, test } from 'vitest';
import { metadataSignature, parseMetadata } from './metadata-yaml.ts';

const EXAMPLE = `name: Example Model
version: 1.0
description: A model that predicts the probability of a customer churning.
author: Example Author
created_date: 2023-03-01
trained_on_data: churn_data.csv
input_features:
- name: tenure
  type: float
  description: Months the customer has been with the company.
- name: payment_method
  type: categorical
  categories: ['Credit Card', 'Debit Card', 'PayPal']
- name: monthly_charges
  type: float
- name: gender
  type: categorical
  categories: ['Male', 'Female', 'Other']
output:
- name: churn_probability
  type: float
  description: The predicted probability of the customer churning.
  format: percentage
hyperparameters:
  optimizer: Adam
  learning_rate: 0.001
  batch_size: 32
environment_variables:
- name: TOKENIZERS_PARALLELISM
  description: Keeps the tokenizer single-threaded.
  default: "false"
`;

test('the hand-written example is read without a problem and keeps the text of its version and date', () => {
  const { metadata, problems } = parseMetadata(EXAMPLE);
  expect(problems).toEqual([]);
  expect(metadata).toMatchObject({
    name: 'Example Model',
    version: '1.0',
    createdDate: '2023-03-01',
    trainedOnData: 'churn_data.csv',
    hyperparameters: { optimizer: 'Adam', learning_rate: 0.001, batch_size: 32 },
    environmentVariables: [{ name: 'TOKENIZERS_PARALLELISM', default: 'false' }],
  });
  expect(metadata?.output).toEqual([
    {
      name: 'churn_probability',
      type: 'float',
      description: 'The predicted probability of the customer churning.',
      format: 'percentage',
    },
  ]);
  expect(metadata?.inputFeatures[1]?.categories).toEqual(['Credit Card', 'Debit Card', 'PayPal']);
  expect(metadataSignature(metadata)).toMatchObject({ origin: 'metadata' });
});

test('a version keeps its source text and yes and no stay text', () => {
  const { metadata } = parseMetadata(`version: 1.10
input_features:
- {name: answer, type: categorical, categories: [yes, no, on, true, 012]}
`);
  expect(metadata?.version).toBe('1.10');
  expect(metadata?.raw).toMatchObject({ version: '1.10' });
  expect(metadata?.inputFeatures[0]?.categories).toEqual(['yes', 'no', 'on', true, '012']);
});

test('the raw form loses neither unknown keys nor the text of numbers that JSON would change', () => {
  const { metadata } = parseMetadata(`team: growth
big: 9007199254740993
hyperparameters: {lr: 1.0, big: 9007199254740993, hex: 0x1F, nan: .nan, n: 3, f: 0.5, none: ~, list: [1.50, x]}
`);
  expect(metadata?.raw).toEqual({
    team: 'growth',
    big: '9007199254740993',
    hyperparameters: {
      lr: '1.0',
      big: '9007199254740993',
      hex: '0x1F',
      nan: '.nan',
      n: 3,
      f: 0.5,
      none: null,
      list: ['1.50', 'x'],
    },
  });
  expect(metadata?.hyperparameters).toMatchObject({ lr: 1, big: '9007199254740993', hex: 31, n: 3 });
});

test('all problems are reported at once, each with line and column', () => {
  const { problems } = parseMetadata(`name: [a]
input_feature: []
input_features:
- name: a
  type: flaot
- type: float
- name: b
  type: tensor
  dtype: FP31
  shape: [x]
- name: b
  type: integer
environment_variables:
- name: TOKEN
  value: hunter2
- name: 1BAD
`);
  const found = problems.map((problem) => `${problem.rule}:${problem.line}`);
  expect(found).toEqual([
    'metadata.unknown-key:2',
    'metadata.not-a-text:1',
    'metadata.feature-type:5',
    'metadata.feature-without-name:6',
    'metadata.feature-dtype:9',
    'metadata.feature-shape:10',
    'metadata.feature-twice:11',
    'metadata.variable-value:15',
    'metadata.variable-name:16',
  ]);
  expect(problems[0]?.fix).toBe('did you mean input_features?');
  expect(problems[2]?.fix).toBe('did you mean float?');
  expect(JSON.stringify(problems)).not.toContain('hunter2');
});

test('a tensor takes numpy and V2 dtypes and null dimensions', () => {
  const { metadata } = parseMetadata('input_features: [{name: x, type: tensor, dtype: float32, shape: [~, 28, -1]}]');
  expect(metadata?.inputFeatures).toEqual([{ name: 'x', type: 'tensor', dtype: 'FP32', shape: [-1, 28, -1] }]);
});

test('types that people write are read with a warning, and a feature without a type is not guessed', () => {
  const synonym = parseMetadata('input_features: [{name: x, type: int}]');
  expect(synonym.metadata?.inputFeatures[0]?.type).toBe('integer');
  expect(synonym.problems).toMatchObject([{ severity: 'warning', rule: 'metadata.feature-type-synonym' }]);
  const untyped = parseMetadata('input_features: [{name: x}]\noutput: {type: float}');
  expect(untyped.metadata?.inputFeatures).toEqual([]);
  expect(untyped.metadata?.raw).toMatchObject({ input_features: [{ name: 'x' }] });
  expect(metadataSignature(untyped.metadata)).toMatchObject({ outputs: [{ name: 'output' }], partial: true });
});

test.each([
  ['name: "unclosed', 'metadata.yaml-syntax'],
  ['name: a\n\tversion: 1', 'metadata.yaml-syntax'],
  ['name: a\nname: b', 'metadata.yaml-syntax'],
  ['x: !!python/object/apply:os.system ["true"]', 'metadata.yaml-tag'],
  ['- a\n- b', 'metadata.not-a-map'],
  [`a: ${'['.repeat(200_000)}`, 'metadata.too-deep'],
  [`a: &a [1,1,1,1,1,1,1,1,1,1]\n${bomb('a', 9)}`, 'metadata.too-large'],
  ['a: &a [*a]', 'metadata.too-large'],
  [`a: ${'x'.repeat(1024 * 1024)}`, 'metadata.too-large'],
])('malformed YAML gives a problem and no metadata (case %#)', (source, rule) => {
  const { metadata, problems } = parseMetadata(source);
  expect(metadata).toBeUndefined();
  expect(problems.map((problem) => problem.rule)).toContain(rule);
  expect(problems[0]?.file).toBe('metadata.yaml');
});

test('an empty file is empty metadata', () => {
  for (const source of ['', '# nothing\n', '---\n', '~']) {
    expect(parseMetadata(source)).toMatchObject({ metadata: { raw: {} }, problems: [] });
  }
});

test('JSON is read as well, and a key __proto__ pollutes nothing', () => {
  const { metadata } = parseMetadata('{"name": "x", "__proto__": {"polluted": true}}');
  expect(metadata?.name).toBe('x');
  expect(Object.hasOwn(metadata?.raw ?? {}, '__proto__')).toBe(true);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

test('a default that looks like a secret is refused without repeating it', () => {
  const { problems } = parseMetadata(
    'environment_variables: [{name: X, default: ghp_abcdefghijklmnopqrstuvwxyz012345}]',
  );
  expect(problems).toMatchObject([{ severity: 'error', rule: 'metadata.variable-secret' }]);
  expect(JSON.stringify(problems)).not.toContain('ghp_');
});

function bomb(name: string, levels: number): string {
  let text = '';
  for (let level = 0, previous = name; level < levels; level++) {
    const next = `${name}${level}`;
    text += `${next}: &${next} [${Array.from({ length: 10 }, () => `*${previous}`).join(', ')}]\n`;
    previous = next;
  }
  return text;
}

test('a repeated key is a problem with its line, however deep it lies', () => {
  const { problems } = parseMetadata('name: a\nhyperparameters:\n  depth: 3\n  "depth": 4\nname: b\n');
  expect(problems.map(({ line, message, fix }) => ({ line, message, fix }))).toEqual([
    { line: 4, message: 'metadata.yaml is not valid YAML: the key "depth" is there twice', fix: 'keep one of the two' },
    { line: 5, message: 'metadata.yaml is not valid YAML: the key "name" is there twice', fix: 'keep one of the two' },
  ]);
});

test('a document of 20,000 keys is read before anybody loses patience', () => {
  const many = Array.from({ length: 20_000 }, (_, index) => `k${index}: v\n`).join('');
  expect(parseMetadata(`name: a\n${many}`).problems).toEqual([]);
});
