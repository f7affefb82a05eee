import { chmod, mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import type { Capture } from '../capture.ts';
import { isIngotError } from '../errors.ts';
import { checkPackage, readPackage } from './read.ts';
import { CHURN, protobufField, protobufMessage, testDirectory, tinyOnnx } from './testing/fixtures.ts';

async function failure(
  promise: Promise<unknown>,
): Promise<{ code: string; message: string; hint: string | undefined }> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isIngotError(error)) throw new Error('it should have failed', { cause: error });
  return { code: error.code, message: error.message, hint: error.hint };
}

test('the hand-written directory is read exactly as it is', async () => {
  await using directory = await testDirectory();
  await directory.write(CHURN);
  const plan = await readPackage(directory.path);
  expect(plan).toMatchObject({
    name: 'example-model',
    displayName: 'Example Model',
    label: '1.0',
    labelFrom: 'metadata',
    flavor: 'python',
    interfacePath: 'interface.py',
    artifactPath: 'model.pkl',
    requirements: ['scikit-learn==1.9.1', 'pandas==3.0.1'],
    executesCode: true,
    problems: [],
    signature: { origin: 'metadata', inputs: [{ name: 'tenure' }, { name: 'payment_method' }] },
  });
  expect(plan.files.map((file) => file.path)).toEqual([
    'interface.py',
    'metadata.yaml',
    'model.pkl',
    'requirements.txt',
  ]);
});

test('the same files give the same manifest whatever the time, the place, the order or the name', async () => {
  await using one = await testDirectory();
  await using two = await testDirectory();
  await one.write(CHURN);
  await two.write({
    '.DS_Store': 'x',
    '__pycache__/a.pyc': 'x',
    ...Object.fromEntries(Object.entries(CHURN).reverse()),
  });
  await utimes(two.join('model.pkl'), 1, 1);
  const plans = await Promise.all([readPackage(one.path), readPackage(two.path, { name: 'other', label: '9.9' })]);
  expect(plans[0]?.manifestDigest).toBe(plans[1]?.manifestDigest);
  expect(Buffer.from(plans[0]?.manifest ?? [])).toEqual(Buffer.from(plans[1]?.manifest ?? []));
});

test('an executable file is another package than a plain one, and no other mode bit counts', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'run.bin': 'x' });
  const plain = await readPackage(directory.path, { name: 'm' });
  await chmod(directory.join('run.bin'), 0o600);
  expect((await readPackage(directory.path, { name: 'm' })).manifestDigest).toBe(plain.manifestDigest);
  await chmod(directory.join('run.bin'), 0o700);
  const executable = await readPackage(directory.path, { name: 'm' });
  expect(executable.manifestDigest).not.toBe(plain.manifestDigest);
  expect(executable.files[0]?.mode).toBe(0o755);
});

test('a single file is a package, and its name is inferred and shown', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'Wine Model.onnx': tinyOnnx() });
  const plan = await readPackage(directory.join('Wine Model.onnx'));
  expect(plan).toMatchObject({
    name: 'wine-model',
    flavor: 'onnx',
    artifactPath: 'Wine Model.onnx',
    executesCode: false,
  });
  expect(plan.inferred.map(({ what, value }) => `${what}=${value}`)).toEqual([
    'name=wine-model',
    'flavor=onnx',
    'interface=built in for onnx',
    'signature=1 input, 1 output',
  ]);
  expect(plan.signature?.inputs).toEqual([{ name: 'X', type: 'tensor', dtype: 'FP32', shape: [-1, 4] }]);
  expect((await readPackage(directory.join('Wine Model.onnx'), { name: 'wine' })).name).toBe('wine');
});

test('unknown files and folders are a package of flavor file', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'weights/a.bin': 'a', 'weights/b.bin': 'b', 'tokenizer/vocab.txt': 'c' });
  const plan = await readPackage(directory.path, { name: 'blob' });
  expect(plan).toMatchObject({ flavor: 'file', artifactPath: 'weights', executesCode: false });
  expect(plan.problems.map(({ rule }) => rule)).toEqual(['package.not-servable']);
});

test('a scikit-learn pickle without interface is known by its class, and its requirements are inferred without pins', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'model.pkl': CHURN['model.pkl'] ?? '' });
  const plan = await readPackage(directory.path, { name: 'm' });
  expect(plan).toMatchObject({
    flavor: 'sklearn',
    artifactPath: 'model.pkl',
    requirements: ['scikit-learn'],
    executesCode: true,
  });
  expect(plan.inferred).toContainEqual({
    what: 'requirements',
    value: 'scikit-learn',
    from: 'the modules that the pickle names, without versions',
  });
});

test('what was captured gives flavor and signature, and nothing of time or machine enters the manifest', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'model.pkl': 'anything' });
  const captured: Capture = {
    flavor: 'function',
    signature: { inputs: [{ name: 'x', type: 'float' }], outputs: [{ name: 'y', type: 'float' }], origin: 'captured' },
    environment: { python: '3.11.7', platform: 'linux', requirements: ['numpy==2.4.6'] },
    lineage: { git: { commit: 'abc', dirty: true } },
    params: { depth: 3 },
  };
  const plan = await readPackage(directory.path, { name: 'm', captured });
  expect(plan).toMatchObject({ flavor: 'function', signature: { origin: 'captured' }, executesCode: true });
  const other = await readPackage(directory.path, {
    name: 'm',
    captured: { ...captured, environment: undefined, lineage: undefined, params: undefined },
  });
  expect(other.manifestDigest).toBe(plan.manifestDigest);
});

test('every problem of a package is reported at once with file and line', async () => {
  await using directory = await testDirectory();
  await directory.write({
    'model.onnx': 'not onnx',
    'metadata.yaml': 'version: 3\ninput_features:\n- type: float\n',
    'requirements.txt': 'numpy==1.0\nscikit learn\n',
    'interface.py': 'x = 1\n\ndef load_modell():\n    pass\n',
    'setup.shh': '',
  });
  await symlink('/etc/hostname', directory.join('outside'));
  await symlink('nowhere', directory.join('broken'));
  const { plan, problems } = await checkPackage(directory.path, { name: 'a/../b' });
  expect(plan).toBeUndefined();
  expect(problems.map(({ rule, file, line }) => `${rule} ${file ?? '-'}:${line ?? '-'}`).sort()).toEqual([
    'interface.no-load-model interface.py:3',
    'metadata.feature-without-name metadata.yaml:3',
    'metadata.version-not-a-label metadata.yaml:-',
    'name.invalid -:-',
    'package.misnamed-part setup.shh:-',
    'path.broken-link broken:-',
    'path.link-outside outside:-',
    'requirements.syntax requirements.txt:2',
  ]);
  const error = await failure(readPackage(directory.path, { name: 'a/../b' }));
  expect(error.message).toContain('6 problems');
  expect(error.message).toContain('interface.py:3: interface.py does not define load_model');
});

test.each([
  ['../x', 'invalid-name'],
  ['a/../b', 'invalid-name'],
  ['x'.repeat(10_000), 'invalid-name'],
  ['a b', 'invalid-name'],
])('the model name %s is refused', async (name, code) => {
  await using directory = await testDirectory();
  await directory.write({ 'model.bin': 'x' });
  const error = await failure(readPackage(directory.path, { name }));
  expect(error.code).toBe(code);
  expect(error.message.length).toBeLessThan(400);
});

test('a missing path, an empty directory and a malformed ONNX file each have their code', async () => {
  await using directory = await testDirectory();
  expect(await failure(readPackage(directory.join('nothing')))).toMatchObject({ code: 'path-not-found' });
  expect(await failure(readPackage(directory.path))).toMatchObject({ code: 'invalid-package' });
  await directory.write({ 'model.onnx': tinyOnnx().subarray(0, 60) });
  expect(await failure(readPackage(directory.path, { name: 'm' }))).toMatchObject({ code: 'invalid-package' });
});

test('links to files and folders inside are followed, a loop is a problem, and so is a socket', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'data/a.bin': 'a' });
  await symlink('data/a.bin', directory.join('model.bin'));
  await symlink('data', directory.join('again'));
  const plan = await readPackage(directory.path, { name: 'm' });
  expect(plan.files.map((file) => file.path)).toEqual(['again/a.bin', 'data/a.bin', 'model.bin']);
  await symlink('..', directory.join('data', 'up'));
  await symlink('self', directory.join('self'));
  const server = createServer().listen(directory.join('s.sock'));
  await new Promise((done) => server.once('listening', done));
  const { problems } = await checkPackage(directory.path, { name: 'm' });
  server.close();
  expect(
    problems.flatMap(({ rule, file, severity }) => (severity === 'error' ? [`${rule} ${file}`] : [])).sort(),
  ).toEqual([
    'path.link-cycle self',
    'path.link-outside again/up',
    'path.link-outside data/up',
    'path.special-file s.sock',
  ]);
});

test('names that differ in case only collide, and names out of normal form are a warning', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'a.bin': 'x', 'e\u0301.bin': 'x' });
  expect((await checkPackage(directory.path, { name: 'm' })).problems.map(({ rule }) => rule)).toContain(
    'path.not-nfc',
  );
  await directory.write({ 'A.bin': 'x' });
  expect((await checkPackage(directory.path, { name: 'm' })).problems.map(({ rule }) => rule)).toContain(
    'path.collision',
  );
});

test('an empty folder is named, an ignored one is not, and .ingotignore leaves files out', async () => {
  await using directory = await testDirectory();
  await directory.write({
    'a.bin': 'x',
    'b.log': 'x',
    'deep/c.log': 'x',
    'deep/keep.log': 'x',
    '.ingotignore': '*.log\n!keep.log\n/cache/\n',
    'cache/x': 'x',
  });
  await mkdir(directory.join('empty'));
  const { plan } = await checkPackage(directory.path, { name: 'm' });
  expect(plan?.files.map((file) => file.path)).toEqual(['a.bin', 'deep/keep.log']);
  expect(plan?.problems.map(({ rule, file }) => `${rule} ${file ?? ''}`)).toContain('package.empty-folder empty');
});

test('a file that changes after it was planned gives source-changed when it is opened', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'model.bin': 'before' });
  const plan = await readPackage(directory.path, { name: 'm' });
  await writeFile(directory.join('model.bin'), 'after!');
  const read = async (): Promise<void> => {
    for await (const _ of plan.files[0]?.open() ?? []);
  };
  expect(await failure(read())).toMatchObject({
    code: 'source-changed',
    message: 'model.bin changed while it was read',
  });
});

test('a file that changes while it is hashed gives source-changed', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'model.bin': Buffer.alloc(4 * 1024 * 1024) });
  let touched: Promise<void> | undefined;
  const onProgress = (): void => {
    touched ??= writeFile(directory.join('model.bin'), 'other');
  };
  const { problems } = await checkPackage(directory.path, { name: 'm', onProgress });
  await touched;
  expect(problems.map(({ rule }) => rule)).toContain('package.source-changed');
});

test('naming the directory above a package is pointed out', async () => {
  await using directory = await testDirectory();
  await directory.write(Object.fromEntries(Object.entries(CHURN).map(([name, content]) => [`churn/${name}`, content])));
  const { problems } = await checkPackage(directory.path, { name: 'm' });
  expect(problems[0]).toMatchObject({
    severity: 'warning',
    rule: 'package.nested',
    fix: 'did you mean to name the directory churn?',
  });
});

test('zero-byte files are part of a package', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'empty.bin': '', 'same.bin': '' });
  const plan = await readPackage(directory.path, { name: 'm' });
  expect(plan.files.map(({ sizeBytes }) => sizeBytes)).toEqual([0, 0]);
});

test('names that are not UTF-8 are refused, each told as it is', async () => {
  await using directory = await testDirectory();
  await writeFile(Buffer.from(`${directory.path}/m\xe4.bin`, 'latin1'), 'x');
  const { problems } = await checkPackage(directory.path);
  expect(problems[0]).toMatchObject({ rule: 'path.not-utf8', severity: 'error' });
  expect(problems[0]?.message).toContain(String.raw`m\xe4.bin`);
  // A word of the command line that is not UTF-8 arrives like this.
  const { problems: ofOne } = await checkPackage(`${directory.path}/m\ufffd.bin`);
  expect(ofOne[0]).toMatchObject({ rule: 'path.not-utf8' });
});

test('text files that are not UTF-8 are said to be so', async () => {
  await using directory = await testDirectory();
  await directory.write({ ...CHURN, 'requirements.txt': Buffer.from('\uFEFFnumpy==1.0\n', 'utf16le') });
  const { problems } = await checkPackage(directory.path);
  expect(problems).toMatchObject([{ rule: 'package.part-not-utf8', file: 'requirements.txt' }]);
});

test('weights that an ONNX graph keeps in other files have to be in the package', async () => {
  const field = protobufField;
  const external = (location: string): Uint8Array =>
    protobufMessage(field(8, 'W'), field(13, protobufMessage(field(1, 'location'), field(2, location))));
  const value = protobufMessage(field(1, 'X'), field(2, protobufMessage(field(1, protobufMessage(field(1, 1))))));
  const model = (location: string): Uint8Array =>
    protobufMessage(field(7, protobufMessage(field(5, external(location)), field(11, value), field(12, value))));
  await using directory = await testDirectory();
  await directory.write({ 'onnx/model.onnx': model('model.data'), 'onnx/model.data': 'w' });
  expect((await readPackage(directory.path, { name: 'm' })).flavor).toBe('onnx');
  const alone = await checkPackage(directory.join('onnx', 'model.onnx'));
  expect(alone.problems).toMatchObject([{ severity: 'error', rule: 'onnx.external-data' }]);
  await directory.write({ 'onnx/model.onnx': model('../../etc/passwd') });
  const outside = await checkPackage(directory.path, { name: 'm' });
  expect(outside.problems).toMatchObject([{ severity: 'error', rule: 'onnx.external-data' }]);
});

test('an ONNX graph is the truth about its features, and the metadata describes them', async () => {
  await using directory = await testDirectory();
  await directory.write({
    'model.onnx': tinyOnnx(),
    'metadata.yaml':
      'input_features: [{name: X, type: float, description: four numbers}]\noutput: [{name: Y, type: float, classes: [a, b]}]',
  });
  const { signature, problems } = await readPackage(directory.path, { name: 'm' });
  expect(signature?.inputs).toEqual([
    { name: 'X', type: 'tensor', dtype: 'FP32', shape: [-1, 4], description: 'four numbers' },
  ]);
  expect(signature?.outputs).toEqual([
    { name: 'Y', type: 'tensor', dtype: 'FP32', shape: [-1, 4], classes: ['a', 'b'] },
  ]);
  expect(signature?.origin).toBe('graph');
  expect(problems).toMatchObject([{ severity: 'warning', rule: 'onnx.input-type', file: 'metadata.yaml', line: 1 }]);
});

test('features that fit the graph are the inputs of an ONNX package, and a wrong count is said with its line', async () => {
  await using directory = await testDirectory();
  const features = (count: number): string =>
    `name: m\noutput: [{name: score, type: float}]\ninput_features:\n${[...'abcd']
      .slice(0, count)
      .map((name) => `- {name: ${name}, type: float}\n`)
      .join('')}`;
  await directory.write({ 'model.onnx': tinyOnnx(), 'metadata.yaml': features(4) });
  const { signature, inferred } = await readPackage(directory.path);
  expect(signature).toEqual({
    inputs: [...'abcd'].map((name) => ({ name, type: 'float' })),
    outputs: [{ name: 'score', type: 'tensor', dtype: 'FP32', shape: [-1, 4] }],
    origin: 'metadata',
  });
  expect(inferred.map(({ what }) => what)).not.toContain('signature');
  await directory.write({ 'metadata.yaml': features(3) });
  const short = await readPackage(directory.path);
  expect(short.signature?.inputs).toEqual([{ name: 'X', type: 'tensor', dtype: 'FP32', shape: [-1, 4] }]);
  expect(short.inferred).toContainEqual({ what: 'signature', value: '1 input', from: 'from the ONNX graph' });
  expect(short.problems).toMatchObject([{ rule: 'onnx.input-count', file: 'metadata.yaml', line: 3 }]);
});

test('a package without an artifact, and one whose artifact is empty, are pointed out', async () => {
  await using directory = await testDirectory();
  await directory.write({ 'code/interface.py': 'def load_model():\n    return 1\n', 'empty/model.pkl': '' });
  expect((await checkPackage(directory.join('code'))).problems).toMatchObject([{ rule: 'package.no-artifact' }]);
  expect((await checkPackage(directory.join('empty'))).problems).toContainEqual(
    expect.objectContaining({ severity: 'warning', rule: 'package.empty-artifact', file: 'model.pkl' }),
  );
});
