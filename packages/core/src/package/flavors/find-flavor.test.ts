import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { checkPackage, readPackage } from '../read.ts';
import { testDirectory } from '../testing/fixtures.ts';

async function packageOf(
  files: Readonly<Record<string, string>>,
): Promise<AsyncDisposable & { readonly path: string }> {
  const directory = await testDirectory();
  for (const [name, content] of Object.entries(files)) {
    const path = directory.join('model', name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
  return { path: directory.join('model'), [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() };
}

function described(flavor: string, more: Readonly<Record<string, unknown>> = {}): string {
  return `${JSON.stringify({ flavor, ...more })}\n`;
}

test('flavor.json names flavor and artifact, is configuration, and lets data be data', async () => {
  await using made = await packageOf({
    'flavor.json': described('xgboost', { artifact: 'model.ubj', input: 'dataframe' }),
    'model.ubj': '{L',
    'notes.bin': 'longer than the model',
  });
  const plan = await readPackage(made.path);
  expect(plan).toMatchObject({ flavor: 'xgboost', artifactPath: 'model.ubj', executesCode: false });
  expect(plan.inferred).toContainEqual({ what: 'flavor', value: 'xgboost', from: 'the file flavor.json' });
  const layers: unknown = JSON.parse(Buffer.from(plan.manifest).toString('utf8')).layers;
  expect(layers).toContainEqual(
    expect.objectContaining({
      mediaType: expect.stringContaining('weight.config'),
      annotations: expect.objectContaining({ 'org.cncf.model.filepath': 'flavor.json' }),
    }),
  );
});

test('a folder is an artifact as it is, and the package itself is one without a path', async () => {
  await using folder = await packageOf({
    'flavor.json': described('spacy', { artifact: 'model' }),
    'model/meta.json': '{}',
  });
  expect(await readPackage(folder.path)).toMatchObject({ flavor: 'spacy', artifactPath: 'model' });
  await using whole = await packageOf({ 'flavor.json': described('transformers'), 'config.json': '{}' });
  const plan = await readPackage(whole.path);
  expect(plan.flavor).toBe('transformers');
  expect(plan.artifactPath).toBeUndefined();
});

test('the same folder gives the same version, whether the SDK captured it or a hand pushed it', async () => {
  await using made = await packageOf({
    'flavor.json': described('object', { artifact: 'model.pkl', executesCode: true }),
    'model.pkl': 'x',
  });
  const byHand = await readPackage(made.path);
  const captured = await readPackage(made.path, {
    captured: { flavor: 'object', serializer: { name: 'object', executesCode: true } },
  });
  expect(captured.manifestDigest).toBe(byHand.manifestDigest);
});

test('loading runs code when flavor.json says so, when a pickle is there, or code of the package', async () => {
  const parts: readonly Readonly<Record<string, string>>[] = [
    { 'flavor.json': described('xgboost', { executesCode: true }), 'model.ubj': 'x' },
    { 'flavor.json': described('models', { executesCode: false }), 'a/model.pkl': 'I1\n.' },
    {
      'flavor.json': described('torch', { artifact: 'model.safetensors' }),
      'model.safetensors': 'x',
      'net.py': 'x = 1',
    },
  ];
  for (const files of parts) {
    await using made = await packageOf(files);
    expect((await readPackage(made.path)).executesCode, JSON.stringify(files)).toBe(true);
  }
});

test('an interface.py wins over flavor.json', async () => {
  await using made = await packageOf({
    'flavor.json': described('xgboost'),
    'interface.py': 'def load_model():\n    return None\n',
  });
  expect((await readPackage(made.path)).flavor).toBe('python');
});

test('an artifact that is missing or outside is an error that names it', async () => {
  for (const artifact of ['gone.ubj', '../secret', '/etc/passwd']) {
    await using made = await packageOf({ 'flavor.json': described('xgboost', { artifact }), 'model.ubj': 'x' });
    const { plan, problems } = await checkPackage(made.path);
    expect(plan).toBeUndefined();
    expect(problems).toContainEqual(expect.objectContaining({ rule: 'flavor.artifact', severity: 'error' }));
    expect(problems.map(({ message }) => message).join()).toContain(artifact);
  }
});

test('a flavor.json of somebody else is a file like others, with a warning', async () => {
  for (const [text, rule] of [
    ['{not json', 'flavor.not-read'],
    ['["vanilla"]', 'flavor.not-read'],
    [described('vanilla'), 'flavor.unknown'],
  ] as const) {
    await using made = await packageOf({ 'flavor.json': text, 'weights.dat': 'x' });
    const plan = await readPackage(made.path);
    expect(plan.flavor).toBe('file');
    expect(plan.problems).toContainEqual(expect.objectContaining({ rule, severity: 'warning' }));
  }
});

test('a skops archive is scikit-learn without code', async () => {
  await using made = await packageOf({ 'model.skops': 'PK' });
  const plan = await readPackage(made.path);
  expect(plan).toMatchObject({ flavor: 'sklearn', artifactPath: 'model.skops', executesCode: false });
  expect(plan.requirements).toEqual(['scikit-learn', 'skops']);
});

test('a module that lies in the package is never asked of an index', async () => {
  const pickle = 'cshop\nAbove\n(tR.';
  await using own = await packageOf({
    'flavor.json': described('object', { artifact: 'model.pkl' }),
    'model.pkl': pickle,
    'shop.py': '',
  });
  expect((await readPackage(own.path)).requirements).toEqual([]);
  await using foreign = await packageOf({
    'flavor.json': described('object', { artifact: 'model.pkl' }),
    'model.pkl': pickle,
  });
  expect((await readPackage(foreign.path)).requirements).toEqual(['shop']);
});
