/** From starting the program to the first prediction, with the package in the cache. */
import { join } from 'node:path';
import { measure as measureOnce, median } from '../lib/measure.mjs';
import { startServer } from '../lib/server.mjs';
import { benchEnvironment, MODELS, prepareModels, subjectsOf } from '../lib/subjects.mjs';

const TIMES = 5;

/** All are measured in turn, round by round, so that a busy moment of the machine meets all of them. */
export async function measure({ python }) {
  const { rows } = await prepareModels(python);
  const subjects = subjectsOf(python);
  const keys = ['ingotOnnx', 'nodeOnnx', 'fastapiOnnx', 'ingotArray', 'ingotFrame', 'fastapiArray'];
  const bare = { bareArray: unpickling(python, 'sklearn', 'array'), bareFrame: unpickling(python, 'pandas, sklearn', 'frame') };
  const times = Object.fromEntries([...keys, ...Object.keys(bare)].map((key) => [key, []]));
  for (let round = 0; round <= TIMES; round++) {
    for (const key of keys) times[key].push(await firstAnswer(subjects[key], rows.slice(0, 1)));
    for (const [key, start] of Object.entries(bare)) times[key].push(await start());
  }
  const first = Object.fromEntries(Object.entries(times).map(([key, all]) => [key, median(all.slice(1))]));
  return report(first, subjects, keys);
}

async function firstAnswer(subject, rows) {
  const server = await startServer(subject.command, subject.body(rows));
  await server.stop();
  return server.secondsToFirst;
}

const unpickling = (python, imports, name) => async () => {
  const code = `import pickle, ${imports}; pickle.load(open(r"${join(MODELS, name, 'model.pkl')}", "rb"))`;
  return (await measureOnce(python, ['-c', code], { env: benchEnvironment(python) })).wall;
};

function report(first, subjects, keys) {
  const row = (name, seconds) => [name, seconds.toFixed(2)];
  return {
    title: 'Start to first prediction',
    columns: [`median of ${TIMES} rounds`, 'seconds'],
    rows: [
      ...keys.map((key) => row(subjects[key].name, first[key])),
      row('python: import sklearn, unpickle', first.bareArray),
      row('python: import pandas and sklearn, unpickle', first.bareFrame),
    ],
    goals: [
      { goal: 'ONNX at most 0.5 s', value: `${first.ingotOnnx.toFixed(2)} s`, met: first.ingotOnnx <= 0.5 },
      { goal: 'scikit-learn at most 1.2 times importing it and unpickling', value: `${(first.ingotArray / first.bareArray).toFixed(2)} times`, met: first.ingotArray <= 1.2 * first.bareArray },
      { goal: 'the same with pandas on both sides', value: `${(first.ingotFrame / first.bareFrame).toFixed(2)} times`, met: first.ingotFrame <= 1.2 * first.bareFrame },
    ],
  };
}
