import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PredictRequest, Predictor, ServablePackage } from '@ingot/core/serving/runtime';
import type { BytesData, NumericData, Tensor } from '@ingot/core/serving/tensor';
import type { Datatype } from '@ingot/core/signature';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NO_PYTHON, TEST_PYTHON, TestDirectories, WORKER_DIRECTORY } from '../../testing/python-packages.ts';
import { type PythonRuntimeOptions, pythonRuntime } from './python-runtime.ts';

const INTERFACE = `
import faulthandler, json, os, sys, time
from pathlib import Path
from helper import double

PACKAGE = Path(__file__).parent


class Model:
    def __init__(self):
        self.note = (PACKAGE / "note.txt").read_text()

    def predict(self, rows):
        mode = rows["mode"].iloc[0]
        if mode == "crash":
            print("about to leave", flush=True)
            os._exit(3)
        if mode == "segfault":
            faulthandler._sigsegv()
        if mode == "hang":
            time.sleep(60)
        if mode == "raise":
            raise ValueError("no such row")
        if mode == "talk":
            raise ValueError("x" * 9000 + "\\nsecond line")
        if mode == "leave":
            sys.exit(4)
        if mode == "too many":
            return [0.0] * (len(rows) + 1)
        if mode == "variable":
            return [os.environ[rows["mode"].iloc[0].upper()]] * len(rows)
        if mode == "describe":
            return [json.dumps({name: str(dtype) for name, dtype in rows.dtypes.items()})] * len(rows)
        if rows["x"].isna().any():
            raise ValueError("Input contains NaN")
        return double(rows["x"])

    def predict_proba(self, rows):
        import numpy as np
        return np.column_stack([1 - rows["x"], rows["x"]])

    def fit(self, rows):
        raise AssertionError("reached")


def load_model():
    return Model()
`;

const FILES = { 'interface.py': INTERFACE, 'helper.py': 'def double(x):\n    return x * 2\n', 'note.txt': 'hello' };

const directories = new TestDirectories();
const loaded: Predictor[] = [];
const lines: string[] = [];
afterAll(async () => {
  for (const predictor of loaded.splice(0)) await predictor[Symbol.asyncDispose]();
  await directories[Symbol.asyncDispose]();
});

async function load(model: ServablePackage, options: Partial<PythonRuntimeOptions> = {}): Promise<Predictor> {
  const runtime = pythonRuntime({
    workerScript: join(WORKER_DIRECTORY, 'main.py'),
    prepareEnvironment: async () => ({ python: TEST_PYTHON }),
    environment: { PATH: '/usr/bin:/bin', INGOT_REGISTRY: 'kept from models' },
    temporaryDirectory: '/tmp',
    log: (_level, line) => lines.push(line),
    ...options,
  });
  const predictor = await runtime.load(model);
  loaded.push(predictor);
  return predictor;
}

function tensor(name: string, datatype: Datatype, data: NumericData | BytesData, shape = [data.length]): Tensor {
  return { name, datatype, shape, data };
}

function rows(mode: string, ...values: number[]): PredictRequest {
  return {
    inputs: [
      tensor(
        'mode',
        'BYTES',
        values.map(() => mode),
      ),
      tensor('x', 'FP64', new Float64Array(values)),
    ],
  };
}

async function valuesOf(answer: Promise<{ readonly outputs: readonly Tensor[] }>): Promise<unknown[]> {
  return [...((await answer).outputs[0]?.data ?? [])];
}

describe.skipIf(NO_PYTHON)('a hand-written package', () => {
  let model: Predictor;
  beforeAll(async () => {
    model = await load(await directories.package(FILES, { interfacePath: 'interface.py' }), { requestTimeoutMs: 4000 });
  });

  test('answers rows as a DataFrame and may import what lies beside it', async () => {
    const { outputs } = await model.predict(rows('', 1, 2.5));
    expect(outputs).toEqual([{ name: 'output', datatype: 'FP64', shape: [2], data: new Float64Array([2, 5]) }]);
    expect(model.memoryBytes?.()).toBeGreaterThan(2 ** 20);
  });

  test('gets columns of the types that were declared', async () => {
    const typed = await load(
      await directories.package(FILES, {
        signature: {
          origin: 'metadata',
          inputs: [
            { name: 'mode', type: 'string' },
            { name: 'x', type: 'float' },
            { name: 'n', type: 'integer' },
            { name: 'b', type: 'boolean' },
            { name: 'c', type: 'categorical', categories: [1, 2] },
            { name: 'd', type: 'datetime' },
          ],
          outputs: [],
        },
      }),
    );
    const answer = await valuesOf(
      typed.predict({
        inputs: [
          ...rows('describe', 1, 2).inputs,
          tensor('n', 'INT64', new BigInt64Array([1n, 2n])),
          tensor('b', 'BOOL', new Uint8Array([0, 1])),
          tensor('c', 'BYTES', ['1', '2']),
          tensor('d', 'BYTES', ['2024-02-03T04:05:06', null]),
        ],
      }),
    );
    expect(JSON.parse(String(answer[0]))).toMatchObject({
      mode: expect.stringMatching(/object|str/),
      x: 'float64',
      n: 'int64',
      b: 'bool',
      c: 'int64',
      d: expect.stringMatching(/^datetime64/),
    });
  });

  test('an exception is that request its error, with the traceback in the log only', async () => {
    await expect(model.predict(rows('raise', 1))).rejects.toMatchObject({
      code: 'model-failed',
      message: 'ValueError: no such row',
    });
    expect(lines.join('\n')).toContain('raise ValueError("no such row")');
    expect(await valuesOf(model.predict(rows('', 3)))).toEqual([6]);
  });

  test('a client sees one line of at most 500 characters of what a model raises', async () => {
    await expect(model.predict(rows('talk', 1))).rejects.toMatchObject({
      message: expect.stringMatching(/^ValueError: x{487}…$/),
    });
    expect(lines.join('\n')).toContain('second line');
  });

  test('an exception over missing values blames the request', async () => {
    await expect(model.predict(rows('', Number.NaN))).rejects.toMatchObject({
      code: 'signature-mismatch',
      message: 'the model does not take missing values (x): ValueError: Input contains NaN',
    });
  });

  test('sys.exit in predict is an error of the request, not the end of the worker', async () => {
    await expect(model.predict(rows('leave', 1))).rejects.toMatchObject({ message: 'SystemExit: 4' });
    expect(await valuesOf(model.predict(rows('', 3)))).toEqual([6]);
  });

  test('a wrong number of results is an error that says both numbers', async () => {
    await expect(model.predict(rows('too many', 1, 2))).rejects.toMatchObject({
      message: `predict returned 3 results for 2 rows (output 'output')`,
    });
  });

  test.each([
    ['crash', 'ended with status 3'],
    ['segfault', 'was killed by SIGSEGV'],
  ])('a %s costs that request and the worker is replaced', async (mode, how) => {
    const bad = model.predict(rows(mode, 1));
    const next = model.predict(rows('', 4));
    await expect(bad).rejects.toMatchObject({ code: 'model-failed', message: expect.stringContaining(how) });
    expect(await valuesOf(next)).toEqual([8]);
  });

  test('a request that does not end is timed out and the worker is replaced', async () => {
    await expect(model.predict(rows('hang', 1))).rejects.toMatchObject({ code: 'timeout' });
    expect(await valuesOf(model.predict(rows('', 4)))).toEqual([8]);
  });

  test('another method that predicts may be called, one that changes the model may not', async () => {
    const { outputs } = await model.predict({ ...rows('', 0.25), method: 'predict_proba' });
    expect(outputs[0]).toMatchObject({ name: 'predict_proba', shape: [1, 2], data: new Float64Array([0.75, 0.25]) });
    await expect(model.predict({ ...rows('', 1), method: 'fit' })).rejects.toMatchObject({ code: 'invalid-request' });
  });

  test('what it prints goes to the log', () => {
    expect(lines).toContain('about to leave');
  });

  test('thirty-two requests at once all get their own answers', async () => {
    const answers = await Promise.all(
      Array.from({ length: 32 }, (_, index) => valuesOf(model.predict(rows('', index)))),
    );
    expect(answers).toEqual(Array.from({ length: 32 }, (_, index) => [index * 2]));
  });

  test('nothing is written into the package', async () => {
    const model = await directories.package(FILES);
    await load(model);
    expect(readdirSync(model.directory).sort()).toEqual(['helper.py', 'interface.py', 'note.txt']);
  });
});

describe.skipIf(NO_PYTHON)('loading', () => {
  test('a missing load_model is named', async () => {
    const model = await directories.package({ 'interface.py': 'x = 1\n' });
    await expect(load(model)).rejects.toMatchObject({
      code: 'invalid-package',
      message: 'interface.py has no load_model() function; it must return an object with predict()',
    });
  });

  test('an exception while loading gives its type and message, and the traceback to the log', async () => {
    const model = await directories.package({
      'interface.py': 'def load_model():\n    raise OSError("weights are torn")\n',
    });
    await expect(load(model)).rejects.toMatchObject({
      code: 'model-failed',
      message: 'the model could not be loaded: OSError: weights are torn',
    });
    expect(lines.join('\n')).toContain('interface.py", line 2, in load_model');
  });

  test('a module that is not installed is an environment that does not fit', async () => {
    const model = await directories.package({ 'interface.py': 'import no_such_module\n' });
    await expect(load(model)).rejects.toMatchObject({
      code: 'environment-mismatch',
      details: { missingModule: 'no_such_module' },
    });
  });

  test('a process that dies while loading is reported with what it said last', async () => {
    const text = 'import os, sys\nprint("disk on fire", file=sys.stderr, flush=True)\nos._exit(9)\n';
    await expect(load(await directories.package({ 'interface.py': text }))).rejects.toMatchObject({
      code: 'model-failed',
      message: expect.stringMatching(/ended with status 9 while it loaded/),
    });
  });

  test('missing environment variables are named before anything starts', async () => {
    const model = await directories.package(FILES, {
      environmentVariables: [{ name: 'FEATURE_STORE', description: 'where features come from' }],
    });
    await expect(load(model, { prepareEnvironment: () => Promise.reject(new Error('started')) })).rejects.toMatchObject(
      {
        code: 'environment-mismatch',
        message: expect.stringContaining('FEATURE_STORE (where features come from)'),
      },
    );
  });

  test("a declared variable's default reaches the model", async () => {
    const model = await load(
      await directories.package(FILES, { environmentVariables: [{ name: 'VARIABLE', default: 'from the package' }] }),
    );
    expect(await valuesOf(model.predict(rows('variable', 1)))).toEqual(['from the package']);
  });

  test('an interpreter that does not exist is an environment error', async () => {
    const prepareEnvironment = async () => ({ python: '/no/such/python' });
    await expect(load(await directories.package(FILES), { prepareEnvironment })).rejects.toMatchObject({
      code: 'environment-failed',
      message: expect.stringContaining('/no/such/python'),
    });
  });
});

const RESULTS: readonly (readonly [string, Partial<Tensor>])[] = [
  ['[1, 2]', { datatype: 'INT64', shape: [2] }],
  ['[True, False]', { datatype: 'BOOL', shape: [2] }],
  ['[1, 2.5]', { datatype: 'FP64', shape: [2] }],
  ['["a", None]', { datatype: 'BYTES', shape: [2], data: ['a', null] }],
  ['(x for x in [1.0, 2.0])', { datatype: 'FP64', shape: [2] }],
  ['[[1, 2, 3], [4, 5, 6]]', { datatype: 'INT64', shape: [2, 3] }],
  ['np.array([1, 2], dtype="float32")', { datatype: 'FP32', shape: [2] }],
  ['np.array(["a", "b"])', { datatype: 'BYTES', data: ['a', 'b'] }],
  ['np.array([1, "b"], dtype=object)', { datatype: 'BYTES', data: ['1', 'b'] }],
  ['np.asfortranarray(np.arange(6.0).reshape(2, 3))', { shape: [2, 3], data: new Float64Array([0, 1, 2, 3, 4, 5]) }],
  ['[np.int64(1), np.int64(2)]', { datatype: 'INT64', shape: [2] }],
  ['[np.zeros(3), np.ones(3)]', { datatype: 'FP64', shape: [2, 3] }],
  ['pd.Series([1.0, 2.0], name="p")', { name: 'output', datatype: 'FP64', shape: [2] }],
  ['pd.DataFrame({"p": [1.0, 2.0]})', { name: 'p', datatype: 'FP64', shape: [2] }],
  ['{"p": [1, 2]}', { name: 'p', datatype: 'INT64', shape: [2] }],
  ['[{"p": 1.0}, {"p": 2.0}]', { name: 'p', datatype: 'FP64', shape: [2] }],
  ['Torch(np.array([[1.0, 2.0], [3.0, 4.0]]))', { datatype: 'FP64', shape: [2, 2] }],
  ['[Torch(np.zeros(2)).numpy(), np.ones(2)]', { datatype: 'FP64', shape: [2, 2] }],
  ['sparse.csr_matrix([[0, 1], [2, 0]])', { datatype: 'INT64', shape: [2, 2] }],
  ['pd.to_datetime(["2024-01-02", "2024-01-03"])', { datatype: 'BYTES' }],
];

describe.skipIf(NO_PYTHON)('results', () => {
  let model: Predictor;
  beforeAll(async () => {
    const text =
      'import numpy as np, pandas as pd\nfrom scipy import sparse\n' +
      'class Torch:\n    def __init__(self, values): self.values = values\n    def detach(self): return self\n' +
      '    def cpu(self): return self\n    def numpy(self): return self.values\n' +
      'class Model:\n    def predict(self, rows):\n        return eval(rows["expression"].iloc[0], globals())\n' +
      'def load_model():\n    return Model()\n';
    model = await load(await directories.package({ 'interface.py': text }));
  });

  test.each(RESULTS)('%s becomes a tensor', async (expression, expected) => {
    const { outputs } = await model.predict({ inputs: [tensor('expression', 'BYTES', [expression, ''])] });
    expect(outputs).toHaveLength(1);
    expect(outputs[0]).toMatchObject(expected);
  });

  test.each(['None', '5', '[[1, 2], [3]]', '[1, 2, 3]'])('%s is refused', async (expression) => {
    const answer = model.predict({ inputs: [tensor('expression', 'BYTES', [expression, ''])] });
    await expect(answer).rejects.toMatchObject({ code: 'model-failed' });
  });
});

describe.skipIf(NO_PYTHON)('other flavors', () => {
  test('a pickled estimator without a declared signature says what it takes', async () => {
    const model = await directories.package({}, { flavor: 'sklearn', artifactPath: 'model.pkl' });
    const script =
      'import pickle, sys\nfrom sklearn.datasets import load_wine\nfrom sklearn.linear_model import LogisticRegression\n' +
      'X, y = load_wine(return_X_y=True, as_frame=True)\nm = LogisticRegression(max_iter=50).fit(X, y)\n' +
      'pickle.dump(m, open(sys.argv[1], "wb"))\n';
    execFileSync(TEST_PYTHON, ['-W', 'ignore', '-c', script, join(model.directory, 'model.pkl')]);
    const predictor = await load(model);
    expect(predictor.platform).toBe('python_sklearn');
    expect(predictor.signature).toMatchObject({ partial: true, outputs: [{ name: 'prediction', type: 'integer' }] });
    const inputs = (predictor.signature?.inputs ?? []).map(({ name }) =>
      tensor(name, 'FP64', new Float64Array([1, 1])),
    );
    expect(inputs).toHaveLength(13);
    expect((await predictor.predict({ inputs })).outputs[0]).toMatchObject({
      name: 'prediction',
      shape: [2],
      datatype: 'INT64',
    });
  });

  test('a function takes what its description says', async () => {
    const model = await directories.package(
      {
        'function.json': '{"function": "total", "source": "function.py", "input": "rows"}',
        'function.py': 'def total(rows):\n    return [sum(row.values()) for row in rows]\n',
      },
      { flavor: 'function' },
    );
    const predictor = await load(model);
    const inputs = [
      tensor('a', 'INT64', new BigInt64Array([1n, 2n])),
      tensor('b', 'INT64', new BigInt64Array([10n, 20n])),
    ];
    expect(await valuesOf(predictor.predict({ inputs }))).toEqual([11n, 22n]);
  });
});
