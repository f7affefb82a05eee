import { execFileSync } from 'node:child_process';
import { afterAll, describe, expect, test } from 'vitest';
import type { Tensor } from '@ingot/core/serving/tensor';
import { NO_PYTHON, TEST_PYTHON, TestDirectories, WORKER_DIRECTORY } from '../../testing/python-packages.ts';
import { pythonRuntime } from './python-runtime.ts';
import { join } from 'node:path';

const directories = new TestDirectories();
afterAll(() => directories[Symbol.asyncDispose]());

function runtime() {
  return pythonRuntime({
    workerScript: join(WORKER_DIRECTORY, 'main.py'),
    prepareEnvironment: async () => ({ python: TEST_PYTHON }),
    environment: process.env,
    temporaryDirectory: '/tmp',
    log: () => {},
  });
}

const texts = (...data: string[]): Tensor => ({ name: 'text', datatype: 'BYTES', shape: [data.length], data });

describe.skipIf(NO_PYTHON)('a Python model', () => {
  test('that answers lists of different lengths is told so, and no value is dropped in silence', async () => {
    const code =
      'class M:\n    def predict(self, rows):\n        return [[1], [2, 3]]\n\n\ndef load_model():\n    return M()\n';
    const model = await directories.package({ 'interface.py': code }, {});
    await using predictor = await runtime().load(model);
    await expect(predictor.predict({ inputs: [texts('a', 'b')] })).rejects.toMatchObject({
      code: 'model-failed',
      message: expect.stringContaining('rows of different lengths'),
    });
  });

  test('whose first step reads documents takes one column of text', async () => {
    const model = await directories.package(
      { 'placeholder.txt': '' },
      { flavor: 'sklearn', artifactPath: 'model.pkl' },
    );
    execFileSync(TEST_PYTHON, [
      '-c',
      `import pickle, sys
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(["good nice", "bad awful"], ["pos", "neg"])
pickle.dump(model, open(sys.argv[1], "wb"))`,
      join(model.directory, 'model.pkl'),
    ]);
    await using predictor = await runtime().load(model);
    const { outputs } = await predictor.predict({ inputs: [texts('good', 'awful')] });
    expect(outputs[0]?.data).toEqual(['pos', 'neg']);
  });
});
