import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import type { PackagePlan } from '../package.ts';
import { checkPackage, readPackage } from '../read.ts';
import { testDirectory } from '../testing/fixtures.ts';
import { lastUbjsonValue, readUbjson } from './ubjson.ts';

async function planOf(files: Readonly<Record<string, string | Uint8Array>>): Promise<PackagePlan> {
  await using directory = await testDirectory();
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(directory.join('model', name)), { recursive: true });
    await writeFile(directory.join('model', name), content);
  }
  return await readPackage(directory.join('model'));
}

/** UBJSON as XGBoost writes it: lengths of 64 bits, lists with a count. */
function ubjson(value: unknown): Buffer {
  if (typeof value === 'string') return Buffer.concat([Buffer.from('S'), text(value)]);
  if (typeof value === 'number') return Buffer.from(['i'.charCodeAt(0), value & 0xff]);
  if (Array.isArray(value)) return Buffer.concat([Buffer.from('[#'), long(value.length), ...value.map(ubjson)]);
  const entries = Object.entries(value ?? {}).flatMap(([key, item]) => [text(key), ubjson(item)]);
  return Buffer.concat([Buffer.from('{'), ...entries, Buffer.from('}')]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([long(bytes.length), bytes]);
}

function long(value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.write('L');
  bytes.writeBigInt64BE(BigInt(value), 1);
  return bytes;
}

const XGBOOST = {
  learner: {
    attributes: { scikit_learn: '{"_estimator_type": "classifier"}' },
    feature_names: ['age', 'plan', 'region'],
    feature_types: ['int', 'c', 'c'],
    gradient_booster: {
      model: {
        cats: {
          enc: [
            { offsets: [], values: [] },
            { offsets: [0, 3, 7], values: [...Buffer.from('protest')] },
            { type: 9, values: [1, 30] },
          ],
        },
        trees: [{ left_children: [-1] }],
      },
    },
    learner_model_param: { num_class: '0', num_feature: '3', num_target: '1' },
    objective: { name: 'binary:logistic' },
  },
  version: [3, 2, 0],
};
const FEATURES = [
  { name: 'age', type: 'float', nullable: true },
  { name: 'plan', type: 'categorical', categories: ['pro', 'test'], nullable: true },
  { name: 'region', type: 'categorical', categories: [1, 30], nullable: true },
];

test.each([
  ['model.ubj', ubjson(XGBOOST)],
  ['model.json', JSON.stringify(XGBOOST)],
])('an XGBoost model says what it takes, what it is and who wrote it: %s', async (name, content) => {
  const plan = await planOf({ [name]: content });
  expect(plan).toMatchObject({ flavor: 'xgboost', artifactPath: name, executesCode: false });
  expect(plan.signature?.inputs).toEqual(FEATURES);
  expect(plan.signature?.outputs).toEqual([{ name: 'prediction', type: 'integer' }]);
  expect(plan.inferred).toContainEqual({
    what: 'model',
    value: 'classifier, binary:logistic',
    from: `${name}, written by XGBoost 3.2.0`,
  });
  expect(plan.inferred.find(({ what }) => what === 'requirements')?.value).toBe('xgboost==3.2.0, scikit-learn, pandas');
});

test('what only begins like an XGBoost model is a file like others', async () => {
  expect((await planOf({ 'a.json': '{"learner":{"x":' })).flavor).toBe('file');
  expect((await planOf({ 'a.ubj': ubjson(XGBOOST).subarray(0, 60) })).flavor).toBe('file');
  expect(
    (await planOf({ 'a.ubj': Buffer.from('{L\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0007learner{[[[[') })).flavor,
  ).toBe('file');
});

test('the binary format of older XGBoost tells how many columns it takes, and which releases read it', async () => {
  const head = Buffer.concat([Buffer.from('binf'), Buffer.from(Float32Array.of(0.5).buffer), Buffer.alloc(136)]);
  head.writeUInt32LE(2, 8);
  const plan = await planOf({ 'model.bin': head });
  expect(plan).toMatchObject({ flavor: 'xgboost', artifactPath: 'model.bin', executesCode: false });
  expect(plan.signature?.inputs.map(({ name }) => name)).toEqual(['x0', 'x1']);
  expect(plan.inferred.find(({ what }) => what === 'requirements')?.value).toBe('xgboost<3.1');
  expect((await planOf({ 'model.bin': head.subarray(0, 15) })).flavor).toBe('file');
});

test("CatBoost's JSON is a model; JSON that only has some of its keys is none", async () => {
  const info = { catboost_version_info: 'Git info:\n    Commit: x\n    Branch: heads/tags/v1.2.10\n' };
  const model = { features_info: { float_features: [] }, model_info: info, oblivious_trees: [] };
  const plan = await planOf({ 'churn.json': JSON.stringify(model) });
  expect(plan).toMatchObject({ flavor: 'catboost', artifactPath: 'churn.json', executesCode: false });
  expect(plan.inferred.find(({ what }) => what === 'requirements')?.value).toBe('catboost==1.2.10');
  expect((await planOf({ 'churn.json': '{"features_info": {}}' })).flavor).toBe('file');
});

test('UBJSON that ends early keeps what came before, and lengths that lie read nothing more', () => {
  const whole = ubjson({ a: ['x', 'y'], b: 2, c: 'long enough' });
  expect(readUbjson(whole)).toEqual({ a: ['x', 'y'], b: 2, c: 'long enough' });
  expect(readUbjson(whole.subarray(0, whole.length - 5))).toEqual({ a: ['x', 'y'], b: 2 });
  expect(readUbjson(Buffer.concat([Buffer.from('{'), text('a'), Buffer.from('[#'), long(2 ** 40)]))).toEqual({ a: [] });
  expect(lastUbjsonValue(Buffer.concat([Buffer.from('....version'), ubjson([1, 7, 6])]), 'version')).toEqual([1, 7, 6]);
});

const LIGHTGBM = `tree
version=v4
num_class=1
feature_names=age plan
objective=binary sigmoid:1

Tree=0
num_leaves=2

parameters:
[categorical_feature: 1]
end of parameters

pandas_categorical:[["pro", "test"]]
`;

test('a LightGBM text names its columns and their categories', async () => {
  const plan = await planOf({ 'churn.txt': LIGHTGBM, 'requirements.txt': 'lightgbm==4.6.0\n' });
  expect(plan).toMatchObject({ flavor: 'lightgbm', artifactPath: 'churn.txt', executesCode: false });
  expect(plan.signature?.inputs).toEqual(FEATURES.slice(0, 2));
  expect(plan.requirements).toEqual(['lightgbm==4.6.0']);
});

test('what was declared wins over what the file says', async () => {
  const plan = await planOf({
    'model.txt': LIGHTGBM,
    'metadata.yaml': 'input_features:\n- {name: age, type: integer}\n- {name: plan, type: string}\n',
  });
  expect(plan.signature?.inputs.map(({ type }) => type)).toEqual(['integer', 'string']);
  expect(plan.signature?.outputs).toEqual([{ name: 'prediction', type: 'float' }]);
});

test('a spaCy folder says which spaCy it fits, and takes texts', async () => {
  const meta = JSON.stringify({ spacy_version: '>=3.8.1,<3.9.0', pipeline: ['ner'] });
  const plan = await planOf({ 'nlp/meta.json': meta, 'nlp/config.cfg': '[nlp]', 'nlp/ner/model': 'x' });
  expect(plan).toMatchObject({ flavor: 'spacy', artifactPath: 'nlp', executesCode: false });
  expect(plan.signature?.inputs).toEqual([{ name: 'text', type: 'string' }]);
  expect(plan.inferred.find(({ what }) => what === 'requirements')?.value).toBe('spacy>=3.8.1,<3.9.0');
  const whole = await planOf({ 'meta.json': meta, 'config.cfg': '[nlp]' });
  expect(whole.flavor).toBe('spacy');
});

test('a Prophet model names its regressors', async () => {
  const model = {
    growth: 'linear',
    extra_regressors: [['price'], {}],
    uncertainty_samples: 100,
    __prophet_version: '1.1.7',
  };
  const plan = await planOf({ 'model.json': JSON.stringify(model) });
  expect(plan).toMatchObject({ flavor: 'prophet', executesCode: false });
  expect(plan.signature?.inputs.map(({ name }) => name)).toEqual(['ds', 'price']);
  expect(plan.signature?.outputs.map(({ name }) => name)).toEqual(['yhat', 'yhat_lower', 'yhat_upper']);
});

test('pickles of statsmodels and gensim are known by the class they name, and execute code', async () => {
  const pickle = (module: string, name: string): string => `\u0080\u0002c${module}\n${name}\n)\u0081.`;
  const results = await planOf({
    'fit.pickle': Buffer.from(pickle('statsmodels.tsa.arima.model', 'ARIMAResultsWrapper'), 'latin1'),
  });
  expect(results).toMatchObject({ flavor: 'statsmodels', artifactPath: 'fit.pickle', executesCode: true });
  const words = await planOf({ 'words.model': Buffer.from(pickle('gensim.models.word2vec', 'Word2Vec'), 'latin1') });
  expect(words).toMatchObject({ flavor: 'gensim', artifactPath: 'words.model', executesCode: true });
});

test('an annoy index warns that it lacks dimension and metric, until flavor.json says them', async () => {
  await using directory = await testDirectory();
  await writeFile(directory.join('items.ann'), 'x');
  const { plan, problems } = await checkPackage(directory.join('items.ann'));
  expect(plan?.flavor).toBe('annoy');
  expect(problems.map(({ rule }) => rule)).toContain('flavor.no-dimension');
  const described = { flavor: 'annoy', artifact: 'items.ann', dimension: 8, metric: 'angular' };
  const whole = await planOf({ 'items.ann': 'x', 'flavor.json': JSON.stringify(described) });
  expect(whole.problems.map(({ rule }) => rule)).not.toContain('flavor.no-dimension');
});
