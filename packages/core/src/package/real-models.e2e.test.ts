import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { initPackage } from './init.ts';
import { readPackage } from './read.ts';
import { testDirectory } from './testing/fixtures.ts';

const run = promisify(execFile);
const PYTHON = fileURLToPath(new URL('../../../../.venv/bin/python', import.meta.url));

const TRAIN = `
import pickle, joblib, sys
import numpy as np
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skl2onnx import to_onnx
X, y = load_iris(return_X_y=True, as_frame=True)
pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
for protocol in range(6):
    with open(f"p{protocol}.pkl", "wb") as file:
        pickle.dump(pipeline, file, protocol=protocol)
with open("forest.pickle", "wb") as file:
    pickle.dump(RandomForestClassifier(5).fit(X, y), file)
joblib.dump(pipeline, "plain.joblib")
joblib.dump(pipeline, "small.joblib", compress=3)
with open("inside.pkl", "wb") as file:
    pickle.dump({"model": pipeline}, file)
rows = X.to_numpy(dtype=np.float32)[:1]
open("graph.onnx", "wb").write(to_onnx(pipeline, rows, options={"zipmap": False}).SerializeToString())
open("zipmap.onnx", "wb").write(to_onnx(pipeline, rows).SerializeToString())
`;

const CALL = `
import sys
import pandas as pd
from sklearn.datasets import load_iris
sys.path.insert(0, sys.argv[1])
import interface
X, y = load_iris(return_X_y=True, as_frame=True)
answer = interface.load_model().predict(X)
print(len(answer), sum(answer == y) > 120)
`;

test.runIf(existsSync(PYTHON))(
  'models that scikit-learn, joblib and skl2onnx write are known without loading them',
  async () => {
    await using directory = await testDirectory();
    await run(PYTHON, ['-c', TRAIN], { cwd: directory.path });
    for (const file of [
      'p0.pkl',
      'p1.pkl',
      'p2.pkl',
      'p3.pkl',
      'p4.pkl',
      'p5.pkl',
      'plain.joblib',
      'small.joblib',
      'forest.pickle',
    ]) {
      const plan = await readPackage(directory.join(file));
      expect(plan, file).toMatchObject({ flavor: 'sklearn', artifactPath: file, executesCode: true });
      expect(plan.requirements, file).toEqual(expect.arrayContaining(['numpy', 'scikit-learn']));
    }
    expect(await readPackage(directory.join('inside.pkl'))).toMatchObject({ flavor: 'file', executesCode: true });
    const graph = await readPackage(directory.join('graph.onnx'));
    expect(graph.signature).toMatchObject({
      inputs: [{ name: 'X', dtype: 'FP32', shape: [-1, 4] }],
      outputs: [
        { name: 'label', dtype: 'INT64' },
        { name: 'probabilities', dtype: 'FP32', shape: [-1, 3] },
      ],
    });
    const zipmap = await readPackage(directory.join('zipmap.onnx'));
    expect(zipmap.signature?.outputs[1]).toMatchObject({
      name: 'output_probability',
      format: 'sequence(map(INT64, FP32))',
    });
  },
);

test.runIf(existsSync(PYTHON))('the interface that init writes for them answers', async () => {
  await using directory = await testDirectory();
  await run(PYTHON, ['-c', TRAIN], { cwd: directory.path });
  for (const file of ['p5.pkl', 'small.joblib', 'graph.onnx']) {
    const folder = directory.join(`package-${file}`);
    await run('mkdir', [folder]);
    await run('cp', [directory.join(file), folder]);
    const result = await initPackage(folder);
    expect(result, file).toMatchObject({
      complete: true,
      written: ['interface.py', 'requirements.txt', 'metadata.yaml'],
    });
    expect((await readPackage(folder)).flavor, file).toBe('python');
    const { stdout } = await run(PYTHON, ['-c', CALL, folder]);
    expect(stdout.trim(), file).toBe('150 True');
  }
});
