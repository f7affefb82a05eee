import { copyFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Predictor, ServablePackage } from '@ingot/core/serving/runtime';
import type { Feature } from '@ingot/core/signature';
import { afterAll, describe, expect, test } from 'vitest';
import { NO_PYTHON, TEST_PYTHON, TestDirectories, WORKER_DIRECTORY } from '../../testing/python-packages.ts';
import { pythonRuntime } from '../python/python-runtime.ts';
import { type OnnxRuntimeOptions, onnxRuntime } from './onnx-runtime.ts';

/** A classifier of 8×8 digits: one tensor in, label and probabilities out. */
const DIGITS = fileURLToPath(new URL('../../../../../examples/onnx-digits/digits.onnx', import.meta.url));

const directories = new TestDirectories();
const loaded: Predictor[] = [];
afterAll(async () => {
  for (const predictor of loaded) await predictor[Symbol.asyncDispose]();
  await directories[Symbol.asyncDispose]();
});

async function digits(signature?: ServablePackage['signature'], options: Partial<OnnxRuntimeOptions> = {}) {
  const model = await directories.package(
    {},
    { flavor: 'onnx', artifactPath: 'digits.onnx', ...(signature && { signature }) },
  );
  await copyFile(DIGITS, join(model.directory, 'digits.onnx'));
  const lines: string[] = [];
  const runtime = onnxRuntime({ log: (_level, line) => lines.push(line), ...options });
  const predictor = await runtime.load(model);
  loaded.push(predictor);
  return { predictor, lines };
}

const pixels = (width: number): readonly Feature[] =>
  Array.from({ length: width }, (_, index) => ({ name: `pixel_${index}`, type: 'float' }));

test('a graph says itself what it takes and gives', async () => {
  const { predictor } = await digits();
  const [input] = predictor.signature?.inputs ?? [];
  expect(predictor.signature?.origin).toBe('graph');
  expect(input).toMatchObject({ type: 'tensor', dtype: 'FP32', shape: [-1, 64] });
  const data = new Float64Array(128);
  const { outputs } = await predictor.predict({
    inputs: [{ name: input?.name ?? '', datatype: 'FP64', shape: [2, 64], data }],
  });
  expect(outputs.map(({ shape }) => shape[0])).toEqual(outputs.map(() => 2));
  expect(outputs.map(({ name }) => name)).toEqual(predictor.signature?.outputs.map(({ name }) => name));
});

test('declared features become columns and the declared output gets its name', async () => {
  const { predictor } = await digits({
    inputs: pixels(64),
    outputs: [{ name: 'digit', type: 'integer' }],
    origin: 'metadata',
  });
  const inputs = pixels(64).map(({ name }) => ({
    name,
    datatype: 'FP64' as const,
    shape: [3],
    data: new Float64Array(3),
  }));
  const { outputs } = await predictor.predict({ inputs });
  expect(outputs).toEqual([{ name: 'digit', datatype: 'INT64', shape: [3], data: expect.any(BigInt64Array) }]);
});

test('declared features that are too few for the graph are refused when it is loaded', async () => {
  await expect(digits({ inputs: pixels(63), outputs: [], origin: 'metadata' })).rejects.toMatchObject({
    code: 'invalid-package',
    message: expect.stringContaining('the package declares 63 inputs'),
  });
});

test('a tensor of the wrong shape is an error of the request', async () => {
  const { predictor } = await digits();
  const name = predictor.signature?.inputs[0]?.name ?? '';
  const inputs = [{ name, datatype: 'FP32' as const, shape: [1, 2], data: new Float32Array(2) }];
  await expect(predictor.predict({ inputs })).rejects.toMatchObject({ code: 'signature-mismatch' });
});

test('a method other than predict is refused', async () => {
  const { predictor } = await digits();
  await expect(predictor.predict({ inputs: [], method: 'predict_proba' })).rejects.toMatchObject({
    code: 'invalid-request',
  });
});

test('a file that is no graph is an invalid package that names it', async () => {
  const model = await directories.package({}, { flavor: 'onnx', artifactPath: 'torn.onnx' });
  await writeFile(join(model.directory, 'torn.onnx'), 'not a graph');
  await expect(onnxRuntime({ log: () => {} }).load(model)).rejects.toMatchObject({
    code: 'invalid-package',
    message: expect.stringContaining('torn.onnx cannot be loaded as an ONNX graph'),
  });
});

test('a missing onnxruntime-node is named with the command that installs it', async () => {
  const importOnnx = (): Promise<never> => Promise.reject(new Error("Cannot find package 'onnxruntime-node'"));
  await expect(digits(undefined, { importOnnx })).rejects.toMatchObject({
    code: 'environment-mismatch',
    hint: 'npm install --ignore-scripts onnxruntime-node',
  });
});

describe.skipIf(NO_PYTHON)("without onnxruntime-node Python's onnxruntime runs the graph", () => {
  const importOnnx = (): Promise<never> => Promise.reject(new Error("Cannot find package 'onnxruntime-node'"));
  const asked: (readonly string[])[] = [];
  const inPython = pythonRuntime({
    workerScript: join(WORKER_DIRECTORY, 'main.py'),
    async prepareEnvironment({ requirements }) {
      asked.push(requirements);
      return { python: TEST_PYTHON };
    },
    environment: process.env,
    temporaryDirectory: tmpdir(),
    spareWorkers: 0,
    log: () => {},
  });

  test('with the same signature and the same answers, and asks for it', async () => {
    const { predictor, lines } = await digits(undefined, { importOnnx, inPython });
    const { predictor: inNode } = await digits();
    expect(lines[0]).toContain("Python's onnxruntime");
    expect(asked.at(-1)).toEqual(['onnxruntime']);
    expect(predictor.signature).toEqual(inNode.signature);
    const name = predictor.signature?.inputs[0]?.name ?? '';
    const data = Float64Array.from({ length: 128 }, (_, index) => index % 17);
    const request = { inputs: [{ name, datatype: 'FP64' as const, shape: [2, 64], data }] };
    const [here, there] = [(await inNode.predict(request)).outputs, (await predictor.predict(request)).outputs];
    expect(there.map(({ name, datatype, shape }) => [name, datatype, shape])).toEqual(
      here.map(({ name, datatype, shape }) => [name, datatype, shape]),
    );
    expect(there[0]?.data).toEqual(here[0]?.data);
  });

  test('declared features become columns, and a wrong shape is an error of the request', async () => {
    const declared = { inputs: pixels(64), outputs: [{ name: 'digit', type: 'integer' }], origin: 'metadata' } as const;
    const { predictor } = await digits(declared, { importOnnx, inPython });
    const inputs = pixels(64).map(({ name }) => ({
      name,
      datatype: 'FP64' as const,
      shape: [3],
      data: new Float64Array(3),
    }));
    expect((await predictor.predict({ inputs })).outputs).toMatchObject([
      { name: 'digit', datatype: 'INT64', shape: [3] },
    ]);
    const { predictor: own } = await digits(undefined, { importOnnx, inPython });
    const name = own.signature?.inputs[0]?.name ?? '';
    const wrong = [{ name, datatype: 'FP32' as const, shape: [1, 2], data: new Float32Array(2) }];
    await expect(own.predict({ inputs: wrong })).rejects.toMatchObject({ code: 'signature-mismatch' });
  });

  test('and a file that is no graph is an invalid package that names it', async () => {
    const model = await directories.package({}, { flavor: 'onnx', artifactPath: 'torn.onnx' });
    await writeFile(join(model.directory, 'torn.onnx'), 'not a graph');
    const runtime = onnxRuntime({ log: () => {}, importOnnx, inPython });
    await expect(runtime.load(model)).rejects.toMatchObject({
      code: 'invalid-package',
      message: expect.stringContaining('torn.onnx cannot be loaded as an ONNX graph'),
    });
  });
});
