import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { checkInterface } from './interface-check.ts';
import { interfaceFor } from './interface-templates.ts';
import { initPackage } from './init.ts';
import { readPackage } from './read.ts';
import { CHURN, testDirectory, tinyOnnx } from './testing/fixtures.ts';

test('init writes the missing parts beside a pickle, and the result validates', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'Churn Model/model.pkl': CHURN['model.pkl'] ?? '' });
  const result = await initPackage(directory.join('Churn Model'), {
    author: 'Ana "A" Ñ',
    versions: { scikit_learn: '1.9.1', pandas: '3.0.1' },
  });
  expect(result).toMatchObject({
    written: ['interface.py', 'requirements.txt', 'metadata.yaml'],
    kept: [],
    flavor: 'a scikit-learn pickle',
    complete: true,
  });
  expect(await readFile(directory.join('Churn Model', 'requirements.txt'), 'utf8')).toBe(
    'pandas==3.0.1\nscikit-learn==1.9.1\n',
  );
  const plan = await readPackage(directory.join('Churn Model'));
  expect(plan).toMatchObject({
    name: 'churn-model',
    label: '0.1.0',
    flavor: 'python',
    problems: [],
    metadata: { author: 'Ana "A" Ñ' },
  });
});

test('a folder that a framework wrote is the artifact as a whole', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'm/saved_model.pb': 'x', 'm/variables/variables.index': 'x' });
  expect(await initPackage(directory.join('m'))).toMatchObject({ flavor: 'a TensorFlow SavedModel', complete: true });
  expect(await readFile(directory.join('m', 'interface.py'), 'utf8')).toContain('ARTIFACT = Path(__file__).parent\n');
});

test('a pickle of a dict has no predict: how it answers is left to fill in, and validate says so', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'm/weights.pkl': Buffer.from('\x80\x04}\x94\x8c\x01w\x94K\x01s.', 'latin1') });
  expect(await initPackage(directory.join('m'))).toMatchObject({ flavor: 'a pickle of plain data', complete: false });
  const { problems } = await readPackage(directory.join('m'));
  expect(problems).toContainEqual(expect.objectContaining({ rule: 'interface.unfinished', file: 'interface.py' }));
});

test.each([
  ['churn/model.pkl', 'churn'],
  ['churn/best_model.pkl', 'churn'],
  ['churn/wine.pkl', 'wine'],
  ['churn/model_v2.pkl', 'model_v2'],
])('the file %s makes the model %s', async (path, name) => {
  await using directory = await testDirectory();
  await directory.write({ [path]: CHURN['model.pkl'] ?? '' });
  const { contents } = await initPackage(directory.join(path), { dryRun: true });
  expect(contents['metadata.yaml']).toMatch(`name: "${name}"\n`);
});

test('what is there is never overwritten', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'model.pkl': 'x', 'interface.py': 'mine', 'metadata.yml': 'name: x' });
  const result = await initPackage(directory.path);
  expect(result).toMatchObject({ written: ['requirements.txt'], kept: ['interface.py', 'metadata.yml'] });
  expect(await readFile(directory.join('interface.py'), 'utf8')).toBe('mine');
  expect((await initPackage(directory.path)).written).toEqual([]);
});

test('an ONNX file gets its inputs and outputs from the graph', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'wine.onnx': tinyOnnx(), 'unrelated.pkl': 'x' });
  const result = await initPackage(directory.join('wine.onnx'));
  expect(result).toMatchObject({ flavor: 'an ONNX graph', complete: true });
  const plan = await readPackage(directory.path);
  expect(plan).toMatchObject({
    name: 'wine',
    signature: { inputs: [{ name: 'X', type: 'tensor', dtype: 'FP32', shape: [-1, 4] }] },
  });
});

test('a dry run writes nothing, and a missing path or an empty directory is said to be so', async () => {
  await using directory = await testDirectory();
  await expect(initPackage(directory.path)).rejects.toMatchObject({ code: 'invalid-package' });
  await expect(initPackage(directory.join('none'))).rejects.toMatchObject({ code: 'path-not-found' });
  await directory.write({ 'model.bin': 'x' });
  const result = await initPackage(directory.path, { dryRun: true });
  expect(result).toMatchObject({ written: ['interface.py', 'requirements.txt', 'metadata.yaml'], complete: false });
  expect((await readPackage(directory.path)).flavor).toBe('file');
});

test.each([
  ['m.joblib', '', []],
  ['.', '', ['config.json', 'model.safetensors']],
  ['m.skops', '', []],
  ['m.ubj', '', []],
  ['m.json', '{"learner": {}}', []],
  ['m.txt', 'tree\nversion=v4', []],
  ['m.cbm', '', []],
  ['m.keras', '', []],
  ['m.pt', '', []],
  ['m.bin', '', []],
  ['quote".bin', '', []],
  ['folder', '', ['saved_model.pb']],
  ['folder', '', ['config.json', 'tokenizer.json']],
  ['folder', '', ['x']],
])('the interface for %s is Python that defines load_model', (artifactPath, head, names) => {
  const template = interfaceFor({
    artifactPath,
    isFolder: names.length > 0,
    head: Buffer.from(head),
    names,
    modules: [],
  });
  const rules = checkInterface(template.source, 'interface.py').map(({ rule }) => rule);
  expect(rules).toEqual(template.complete ? [] : ['interface.unfinished']);
  expect(template.source).toContain('def predict(self, ');
});
