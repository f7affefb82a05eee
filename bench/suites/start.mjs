/** From starting the program to the first prediction, with the package in the cache. */
import { join } from 'node:path';
import { measureMedian, median } from '../lib/measure.mjs';
import { startServer } from '../lib/server.mjs';
import { benchEnvironment, MODELS, prepareModels, subjectsOf } from '../lib/subjects.mjs';

const TIMES = 5;

export async function measure({ python }) {
  const { rows } = await prepareModels(python);
  const subjects = subjectsOf(python);
  const first = {};
  for (const key of ['ingotOnnx', 'nodeOnnx', 'fastapiOnnx', 'ingotArray', 'ingotFrame', 'fastapiArray']) {
    first[key] = await medianStart(subjects[key], rows.slice(0, 1));
  }
  const bare = async (imports, name) =>
    (await measureMedian(python, ['-c', `import pickle, ${imports}; pickle.load(open(r"${join(MODELS, name, 'model.pkl')}", "rb"))`], { times: TIMES, env: benchEnvironment(python) })).wall;
  const bareArray = await bare('sklearn', 'array');
  const bareFrame = await bare('pandas, sklearn', 'frame');
  const row = (name, seconds) => [name, seconds.toFixed(2)];
  return {
    title: 'Start to first prediction',
    columns: [`median of ${TIMES}`, 'seconds'],
    rows: [
      ...Object.entries(first).map(([key, seconds]) => row(subjects[key].name, seconds)),
      row('python: import sklearn, unpickle', bareArray),
      row('python: import pandas and sklearn, unpickle', bareFrame),
    ],
    goals: [
      { goal: 'ONNX at most 0.5 s', value: `${first.ingotOnnx.toFixed(2)} s`, met: first.ingotOnnx <= 0.5 },
      { goal: 'scikit-learn at most 1.2 times importing it and unpickling', value: `${(first.ingotArray / bareArray).toFixed(2)} times`, met: first.ingotArray <= 1.2 * bareArray },
      { goal: 'the same with pandas on both sides', value: `${(first.ingotFrame / bareFrame).toFixed(2)} times`, met: first.ingotFrame <= 1.2 * bareFrame },
    ],
  };
}

async function medianStart(subject, rows) {
  const times = [];
  for (let index = 0; index <= TIMES; index++) {
    const server = await startServer(subject.command, subject.body(rows));
    if (index > 0) times.push(server.secondsToFirst);
    await server.stop();
  }
  return median(times);
}
