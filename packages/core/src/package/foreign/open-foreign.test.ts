import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { PackagePlan } from '../package.ts';
import { draftPackage, readPackage } from '../read.ts';
import { packTar } from '../tar.ts';
import { protobufField, protobufMessage, testDirectory } from '../testing/fixtures.ts';
import { openForeign } from './open-foreign.ts';

const PICKLE = Buffer.from('\x80\x04\x8c\x1asklearn.linear_model._base\x8c\x10LinearRegression\x93)\x81.', 'latin1');

type Files = Readonly<Record<string, string | Uint8Array>>;

/** Writes files and reads them as a push would; gives the text of every file that was written for them. */
async function understood(files: Files, path = '') {
  await using directory = await testDirectory();
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory.path, 'in', name)), { recursive: true });
    await writeFile(join(directory.path, 'in', name), content);
  }
  const place = join(directory.path, 'in', path);
  await using foreign = await openForeign(place, { scratch: directory.path });
  const options = foreign === undefined ? {} : { foreign };
  const plan = await readPackage(place, options);
  const { captured } = await draftPackage(place, options);
  return {
    plan,
    captured,
    written: foreign?.finding.written ?? {},
    added: foreign?.added.map((file) => file.path) ?? [],
  };
}

function inferred({ inferred }: PackagePlan, what: string): string | undefined {
  return inferred.find((one) => one.what === what)?.value;
}

const SIGNATURE = `signature:
  inputs: '[{"type": "double", "name": "tenure", "required": true}, {"type": "long", "name": "calls", "required": false},
    {"type": "datetime", "name": "since"}, {"type": "binary", "name": "photo"}, {"type": "array", "items": {"type": "double"}, "name": "history"}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
  params: null
`;

function mlmodel(flavor: string, pyfunc = '', rest = SIGNATURE): string {
  return `flavors:
  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.sklearn
    python_version: 3.11.7
${pyfunc}  ${flavor}
mlflow_version: 3.17.2
model_uuid: cb4d5b62
run_id: 0123abcd
utc_time_created: '2026-11-21 17:59:04.307376'
saved_input_example_info: {artifact_path: input_example.json, type: dataframe}
${rest}`;
}

const SKLEARN = 'sklearn: {code: null, pickled_model: model.pkl, serialization_format: cloudpickle}';

test('an MLflow directory becomes a package of its own flavor, with signature, environment, run and sample rows', async () => {
  const { plan, captured, written, added } = await understood({
    MLmodel: mlmodel(SKLEARN),
    'model.pkl': PICKLE,
    'conda.yaml': 'dependencies:\n- python=3.11.7\n- pip\n- pip:\n  - scikit-learn==1.9.1\n',
    'input_example.json': '{"columns": ["tenure", "calls"], "data": [[1.5, 2], [3.0, 4]]}',
  });
  expect(written['flavor.json']).toBe('{"artifact":"model.pkl","flavor":"sklearn"}\n');
  expect(added).toEqual(['flavor.json', 'metadata.yaml', 'requirements.txt']);
  expect(plan).toMatchObject({ flavor: 'sklearn', artifactPath: 'model.pkl', pythonVersion: '3.11.7', problems: [] });
  expect(plan.requirements).toEqual(['scikit-learn==1.9.1']);
  expect(plan.signature?.inputs).toEqual([
    { name: 'tenure', type: 'float' },
    { name: 'calls', type: 'integer', nullable: true },
    { name: 'since', type: 'datetime' },
    { name: 'photo', type: 'string', format: 'base64' },
    { name: 'history', type: 'string', format: 'json' },
  ]);
  expect(plan.signature?.outputs).toEqual([{ name: 'prediction', type: 'integer' }]);
  expect([plan.signature?.origin, plan.signature?.system]).toEqual(['metadata', 'MLflow']);
  expect(captured).toEqual({
    lineage: { run: '0123abcd' },
    example: {
      inputs: [
        { tenure: 1.5, calls: 2 },
        { tenure: 3, calls: 4 },
      ],
    },
  });
  expect(inferred(plan, 'format')).toBe('an MLflow model (MLflow 3.17.2)');
});

test('an MLmodel whose columns have one name, or that cannot be read, is named and its signature not used', async () => {
  const columns = '[{"type": "double", "name": "a"}, {"type": "long", "name": "a"}]';
  const twice = await understood({
    MLmodel: mlmodel(SKLEARN, '', `signature:\n  inputs: '${columns}'\n`),
    'model.pkl': PICKLE,
    'requirements.txt': 'scikit-learn==1.9.1\n',
  });
  expect(twice.plan).toMatchObject({
    flavor: 'sklearn',
    problems: [
      {
        severity: 'warning',
        rule: 'mlflow.column-twice',
        file: 'MLmodel',
        message: 'the signature in MLmodel names "a" twice, so it is not used',
      },
    ],
  });
  expect(twice.plan.signature).toBeUndefined();
  for (const MLmodel of ['flavors: [', 'a: 1'])
    expect((await understood({ MLmodel, 'weights.bin': 'x' })).plan.problems).toContainEqual(
      expect.objectContaining({ severity: 'warning', rule: 'mlflow.not-understood', file: 'MLmodel' }),
    );
});

test('MLflow is not installed for a model that another flavor loads, unless a pickle of it imports MLflow', async () => {
  const lines = 'MLflow==3.17.2\nmlflow-skinny\nscikit-learn==1.9.1\n';
  const { plan } = await understood({ MLmodel: mlmodel(SKLEARN), 'model.pkl': PICKLE, 'requirements.txt': lines });
  expect(plan.requirements).toEqual(['scikit-learn==1.9.1']);
  expect(inferred(plan, 'requirements')).toBe('without MLflow==3.17.2, mlflow-skinny');
  const importing = Buffer.from('\x80\x04\x8c\x06mlflow\x8c\x05thing\x93)\x81.', 'latin1');
  const needed = await understood({
    MLmodel: mlmodel(SKLEARN),
    'model.pkl': importing,
    'requirements.txt': 'mlflow\n',
  });
  expect(needed.plan.requirements).toEqual(['mlflow']);
  const asked = await understood({ MLmodel: mlmodel('prophet: {data: model.pr}'), 'requirements.txt': 'mlflow\n' });
  expect(asked.plan.requirements).toEqual(['mlflow']);
});

test.each([
  ['code of its own', mlmodel(SKLEARN, '    code: code\n'), 'it brings code of its own'],
  [
    'a skops archive of other types',
    mlmodel('lightgbm: {data: model.pkl.skops, model_class: lightgbm.sklearn.LGBMClassifier}'),
    'its skops archive holds types that MLflow was told to trust',
  ],
  ['another method', mlmodel(SKLEARN, '    predict_fn: predict_proba\n'), 'it answers with predict_proba'],
  ['an unknown flavor', mlmodel('prophet: {data: model.pr}'), 'it has no flavor that is known here'],
  [
    'a missing file',
    mlmodel('sklearn: {pickled_model: other.pkl}'),
    'the file that its flavor sklearn names is not there',
  ],
])('an MLflow model with %s is asked through mlflow.pyfunc', async (_, MLmodel, because) => {
  const { plan, written } = await understood({ MLmodel, 'model.pkl': PICKLE });
  expect(written['flavor.json']).toBe('{"artifact":".","executesCode":true,"flavor":"mlflow","input":"dataframe"}\n');
  expect(plan).toMatchObject({ flavor: 'mlflow', executesCode: true });
  expect(plan.inferred.find(({ what }) => what === 'loader')?.from).toBe(because);
});

test('tensors of an MLflow signature keep dtype and shape', async () => {
  const tensors = `signature:
  inputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 28, 28]}}]'
  outputs: '[{"type": "tensor", "name": "scores", "tensor-spec": {"dtype": "float32", "shape": [-1, 10]}}]'
`;
  const { plan } = await understood({ MLmodel: mlmodel('pytorch: {model_data: data}', '', tensors) });
  expect(plan.signature?.inputs).toEqual([{ name: 'input', type: 'tensor', dtype: 'FP32', shape: [-1, 28, 28] }]);
  expect(plan.signature?.outputs).toEqual([{ name: 'scores', type: 'tensor', dtype: 'FP32', shape: [-1, 10] }]);
});

const BENTO = `name: iris
version: nnflv7xf
module: bentoml.sklearn
labels: {team: a}
metadata: {acc: 0.97}
context: {framework_versions: {scikit-learn: 1.9.1}, bentoml_version: 1.4.39, python_version: 3.11.7}
signatures: {predict: {batchable: true}}
api_version: v1
creation_time: '2026-11-21T18:00:21+00:00'
`;

test('a BentoML model gives name, label, pins, tags and metrics, also by the folder of its versions', async () => {
  const version = { 'model.yaml': BENTO, 'saved_model.pkl': PICKLE };
  const one = await understood(version);
  expect(one.plan).toMatchObject({
    name: 'iris',
    label: 'nnflv7xf',
    flavor: 'sklearn',
    requirements: ['scikit-learn==1.9.1'],
  });
  expect(one.captured).toEqual({ tags: { team: 'a' }, metrics: { acc: 0.97 } });
  const store = Object.entries(version).map(([path, content]) => [`nnflv7xf/${path}`, content]);
  const same = await understood({ ...Object.fromEntries(store), latest: 'nnflv7xf' });
  expect(same.plan.manifestDigest).toBe(one.plan.manifestDigest);
});

async function tarGz(files: Files): Promise<Uint8Array> {
  const entries = Object.entries(files).map(([path, content]) => {
    const bytes = Buffer.from(content);
    return {
      path,
      sizeBytes: bytes.length,
      mode: 0o644,
      async *open() {
        yield bytes;
      },
    };
  });
  const pieces: Uint8Array[] = [];
  for await (const piece of packTar(entries)) pieces.push(piece);
  return gzipSync(Buffer.concat(pieces));
}

test('a modelstore archive is read with the metadata that its store keeps two folders above', async () => {
  const record = {
    model: { domain: 'churn', model_id: 'abc', parameters: { C: 1, penalty: null } },
    modelstore: '0.0.82',
    code: {
      runtime: 'python:3.11.7',
      user: 'ada',
      created: '2026/11/21/18:01:39',
      dependencies: { sklearn: '1.9.1+cu132', pickle: '4.0' },
    },
    extra: { team: 'a' },
  };
  const archive = await tarGz({
    'model-info.json': '{"library": "sklearn", "type": "LogisticRegression"}',
    'model.joblib': PICKLE,
  });
  const { plan, captured } = await understood(
    { 'churn/2026.11.21/abc/artifacts.tar.gz': archive, 'churn/versions/abc.json': JSON.stringify(record) },
    'churn/2026.11.21/abc',
  );
  expect(plan).toMatchObject({
    name: 'churn',
    flavor: 'sklearn',
    requirements: ['scikit-learn==1.9.1'],
    pythonVersion: '3.11.7',
  });
  expect(plan.metadata).toMatchObject({ author: 'ada', createdDate: '2026-11-21', hyperparameters: { C: 1 } });
  expect(captured?.tags).toEqual({ team: 'a' });
});

test('a BentoML model of files that someone put there themselves is known, and loaded by what they are', async () => {
  const yaml = 'name: own\nversion: v\nmodule: ""\nlabels: {a: b}\nmetadata: {f1: 0.5}\napi_version: v1\n';
  const { plan, captured } = await understood({ 'model.yaml': yaml, 'model.pkl': PICKLE });
  expect(plan).toMatchObject({ name: 'own', flavor: 'sklearn' });
  expect(captured).toEqual({ tags: { a: 'b' }, metrics: { f1: 0.5 } });
});

test('a model and its explainer in one modelstore archive become parts, of which the model is asked', async () => {
  const models = [
    { library: 'sklearn', type: 'RandomForestRegressor' },
    { library: 'shap', type: 'TreeExplainer' },
  ];
  const archive = await tarGz({
    'model-info.json': JSON.stringify({ library: 'multiple-models', type: null, models }),
    'model.joblib': PICKLE,
    'explainer.joblib': PICKLE,
  });
  const { plan, written } = await understood({ 'artifacts.tar.gz': archive }, 'artifacts.tar.gz');
  expect(JSON.parse(written['flavor.json'] ?? '')).toEqual({
    flavor: 'models',
    kind: 'dict',
    main: 'sklearn',
    parts: [
      { name: 'sklearn', flavor: 'sklearn', artifact: 'model.joblib', directory: '.' },
      { name: 'shap', flavor: 'shap', artifact: 'explainer.joblib', directory: '.', executesCode: true },
    ],
  });
  expect(plan).toMatchObject({ flavor: 'models', executesCode: true });
  expect(inferred(plan, 'model')).toBe('multiple-models, sklearn RandomForestRegressor, shap TreeExplainer');
});

test.each([
  ['lightgbm', 'saved_model.ubj', {}, { flavor: 'lightgbm', artifact: 'saved_model.ubj' }],
  ['keras', 'model.weights.h5', {}, { flavor: 'keras', artifact: '.', input: 'tensors' }],
  [
    'catboost',
    'saved_model.cbm',
    { training_class_name: 'CatBoostRegressor' },
    { flavor: 'catboost', artifact: 'saved_model.cbm', class: 'catboost.core.CatBoostRegressor' },
  ],
  [
    'torchscript',
    'saved_model.pt',
    {},
    { flavor: 'torch', artifact: 'saved_model.pt', kind: 'script', input: 'tensors' },
  ],
])('what BentoML saves of %s is loaded by its flavor', async (module, file, options, expected) => {
  const yaml = JSON.stringify({ name: 'm', version: 'v', module: `bentoml.${module}`, options, api_version: 'v1' });
  const { written } = await understood({ 'model.yaml': yaml, [file]: 'tree\nversion=v4\n' });
  expect(JSON.parse(written['flavor.json'] ?? '')).toEqual(expected);
});

test('an Openlayer folder gets an interface that asks its own, features, set-up and golden rows', async () => {
  const { plan, captured, added } = await understood({
    'prediction_interface.py':
      'class M:\n    def predict_proba(self, rows):\n        return rows\n\ndef load_model():\n    return M()\n',
    'model_config.yaml':
      'name: Churn\nclassNames: [stay, leave]\nfeatureNames: [age, city]\ncategoricalFeatureNames: [city]\n',
    'setup_script.sh': 'pip install x\n',
    'sample_data.csv': ',age,city\n0,41,"Ulm, old"\n1,33,Bonn\n',
    'requirements.txt': 'scikit-learn==1.9.1\n',
  });
  expect(added).toEqual(['interface.py', 'metadata.yaml', 'setup.sh']);
  expect(plan).toMatchObject({ flavor: 'python', interfacePath: 'interface.py', setupPath: 'setup.sh', problems: [] });
  expect(plan.signature?.inputs).toEqual([
    { name: 'age', type: 'float' },
    { name: 'city', type: 'string' },
  ]);
  expect(plan.signature?.outputs).toMatchObject([
    { name: 'probabilities', shape: [-1, 2], classes: ['stay', 'leave'] },
  ]);
  expect(captured?.example?.inputs).toEqual([
    { age: 41, city: 'Ulm, old' },
    { age: 33, city: 'Bonn' },
  ]);
});

test('a model card gives licence, parents and metrics', async () => {
  const { plan, captured } = await understood({
    'README.md': `---
license: apache-2.0
base_model: google/vit-base
pipeline_tag: image-classification
tags: [vision]
datasets: [beans]
model-index:
- name: vit
  results:
  - dataset: {name: beans, type: beans}
    metrics:
    - {type: accuracy, value: 0.98}
---
# Title

Finds sick leaves.
`,
    'config.json': '{}',
    'weights.bin': 'x',
  });
  expect(plan.metadata).toMatchObject({ description: 'Finds sick leaves.', trainedOnData: 'beans' });
  expect(plan.metadata?.raw.license).toBe('apache-2.0');
  expect(captured).toEqual({
    tags: { task: 'image-classification' },
    metrics: { accuracy: 0.98 },
    lineage: { parents: ['hf://google/vit-base'] },
  });
});

test('a README without a model card makes nothing of a folder', async () => {
  const { added, plan } = await understood({ 'README.md': '# Churn\n', 'model.pkl': PICKLE });
  expect(added).toEqual([]);
  expect(plan.flavor).toBe('sklearn');
});

test('a TorchServe archive gives name, label and requirements, and says that its handler is not run', async () => {
  const manifest = {
    createdOn: '21/11/2026 10:00:00',
    model: {
      modelName: 'cat',
      modelVersion: '2.0',
      serializedFile: 'm.pt',
      handler: 'h.py',
      requirementsFile: 'r.txt',
    },
  };
  const archive = await tarGz({
    'MAR-INF/MANIFEST.json': JSON.stringify(manifest),
    'm.pt': 'PK',
    'h.py': 'x = 1\n',
    'r.txt': 'torch==2.11.0\n',
  });
  const { plan } = await understood({ 'cat.mar': archive }, 'cat.mar');
  expect(plan).toMatchObject({
    name: 'cat',
    label: '2.0',
    flavor: 'torch',
    artifactPath: 'm.pt',
    requirements: ['torch==2.11.0'],
  });
  expect(plan.problems).toMatchObject([{ rule: 'foreign.handler' }]);
});

test('a TorchServe archive of a script without requirements needs torch', async () => {
  const manifest = { model: { modelName: 'cat', serializedFile: 'm.pt', handler: 'image_classifier' } };
  const archive = await tarGz({ 'MAR-INF/MANIFEST.json': JSON.stringify(manifest), 'm.pt': 'PK' });
  const { plan } = await understood({ 'cat.mar': archive }, 'cat.mar');
  expect(plan.requirements).toEqual(['numpy', 'torch']);
});

test('a wheel is loaded by its entry point, else by the module that defines load_model', async () => {
  const metadata =
    'Metadata-Version: 2.1\nName: churn-model\nVersion: 1.2.0\nSummary: Who leaves\nRequires-Dist: scikit-learn (==1.9.1)\nRequires-Dist: pytest; extra == "dev"\n\nlong\n';
  const files = {
    'churn_model-1.2.0.dist-info/METADATA': metadata,
    'churn_model/__init__.py': 'def load_model():\n    return 1\n',
    'churn_model/model.pkl': PICKLE,
  };
  const plain = await understood({ 'w.whl': await tarGz(files) }, 'w.whl');
  expect(plain.plan).toMatchObject({
    name: 'churn-model',
    label: '1.2.0',
    flavor: 'python',
    requirements: ['scikit-learn==1.9.1'],
  });
  expect(plain.written['interface.py']).toContain('from churn_model import load_model as load_original');
  const points = '[ingot.models]\nchurn = churn_model.api:open_model\n';
  const named = await understood(
    { 'w.whl': await tarGz({ ...files, 'churn_model-1.2.0.dist-info/entry_points.txt': points }) },
    'w.whl',
  );
  expect(named.written['interface.py']).toContain('from churn_model.api import open_model as load_original');
});

test('an archive of no known system is a file like others', async () => {
  const { plan, added } = await understood({ 'data.tar.gz': await tarGz({ 'a.txt': 'x' }) }, 'data.tar.gz');
  expect(added).toEqual([]);
  expect(plan.files.map(({ path }) => path)).toEqual(['data.tar.gz']);
});

test('a SavedModel tells its signature from saved_model.pb', async () => {
  const f = protobufField;
  const shape = protobufMessage(f(2, f(1, -1)), f(2, f(1, 3)));
  const entry = (number: number, name: string): Uint8Array =>
    f(number, protobufMessage(f(1, name), f(2, protobufMessage(f(1, `${name}:0`), f(2, 1), f(3, shape)))));
  const signature = f(5, protobufMessage(f(1, 'serving_default'), f(2, protobufMessage(entry(1, 'x'), entry(2, 'y')))));
  const own = f(5, protobufMessage(f(1, '__saved_model_init_op'), f(2, protobufMessage())));
  const graph = protobufMessage(
    f(1, 1),
    f(2, protobufMessage(f(1, f(5, '2.21.0')), f(2, 'the graph'), own, signature)),
  );
  const { plan } = await understood({ 'saved_model.pb': graph, 'variables/variables.index': 'x' });
  expect(plan).toMatchObject({ flavor: 'tensorflow', requirements: ['tensorflow==2.21.0'], executesCode: true });
  expect(plan.signature).toMatchObject({
    origin: 'graph',
    inputs: [{ name: 'x', type: 'tensor', dtype: 'FP32', shape: [-1, 3] }],
    outputs: [{ name: 'y' }],
  });
});
