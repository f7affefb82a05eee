/** One random forest behind several servers: the same rows, the same load generator, one server at a time. */
import { median } from '../lib/measure.mjs';
import { load, startServer } from '../lib/server.mjs';
import { prepareModels, preparePeers, subjectsOf } from '../lib/subjects.mjs';

const SHAPES = [
  { name: 'c1 × 1 row', connections: 1, rows: 1 },
  { name: 'c8 × 1 row', connections: 8, rows: 1 },
  { name: 'c32 × 1 row', connections: 32, rows: 1 },
  { name: 'c8 × 64 rows', connections: 8, rows: 64 },
];

const ROUNDS = 3;

export async function measure({ python, peers, seconds = 5 }) {
  const { rows } = await prepareModels(python);
  const own = Object.entries(subjectsOf(python)).map(([key, subject]) => ({ key, ...subject }));
  const others = peers ? await preparePeers(python) : { ready: [], skipped: ['mlflow models serve, MLServer, BentoML (add --peers)'] };
  const skipped = [...others.skipped];
  const running = [];
  try {
    for (const subject of [...own, ...others.ready]) {
      console.error(`- starting ${subject.name}`);
      try {
        running.push({ subject, server: await startServer(subject.command, subject.body(rows.slice(0, 1))) });
      } catch (error) {
        if (subject.key) throw error;
        skipped.push(`${subject.name}: ${error.message.split('\n').slice(-3).join(' ')}`);
      }
    }
    return { ...report(await measureInTurn(running, rows, seconds)), skipped };
  } finally {
    await Promise.all(running.map(({ server }) => server.stop()));
  }
}

const noRounds = () => Object.fromEntries(SHAPES.map(({ name }) => [name, []]));

/** All servers run, one is asked at a time, round after round, so that a busy moment of the machine meets all of them. */
async function measureInTurn(running, rows, seconds) {
  const measured = Object.fromEntries(running.map(({ subject }) => [subject.key ?? subject.name, { name: subject.name, shapes: noRounds() }]));
  for (const shape of SHAPES) {
    console.error(`- ${shape.name}`);
    for (let round = 0; round < ROUNDS; round++) {
      for (const { subject, server } of running) {
        const body = subject.body(rows.slice(0, shape.rows));
        const result = await load(server, { connections: shape.connections, body, seconds, warm: round === 0 ? 1 : 0.2 });
        const into = measured[subject.key ?? subject.name];
        into.shapes[shape.name].push(result);
        into.memoryBytes = result.memoryBytes;
      }
    }
  }
  for (const one of Object.values(measured)) {
    for (const [name, rounds] of Object.entries(one.shapes)) one.shapes[name] = medianOf(rounds);
  }
  return measured;
}

function medianOf(rounds) {
  const of = (field) => median(rounds.map((round) => round[field]));
  return { perSecond: of('perSecond'), p50: of('p50'), p99: of('p99'), cpuMs: of('cpuMs'), errors: Math.max(...rounds.map((round) => round.errors)) };
}

function report(measured) {
  const cell = ({ perSecond, p50, p99, cpuMs, errors }) =>
    `${Math.round(perSecond)} / ${p50?.toFixed(2)} / ${p99?.toFixed(1)} / ${cpuMs?.toFixed(2) ?? '?'}${errors > 0 ? ` (${errors} errors)` : ''}`;
  const rows = Object.values(measured).map(({ name, shapes, memoryBytes }) => [
    name,
    memoryBytes ? Math.round(memoryBytes / 2 ** 20) : '?',
    ...SHAPES.map((shape) => cell(shapes[shape.name])),
  ]);
  const of = (key, shape) => measured[key].shapes[shape];
  const ratio = (goal, value, met) => ({ goal, value: `${value.toFixed(2)} times`, met: met(value) });
  return {
    title: `Serving: requests a second / p50 ms / p99 ms / processor ms a request, medians of ${ROUNDS} rounds`,
    columns: ['random forest, 100 trees of depth 10', 'MiB', ...SHAPES.map(({ name }) => name)],
    rows,
    goals: [
      ratio('Python worker at c1: median at most 1.0 of FastAPI + scikit-learn (array)', of('ingotArray', 'c1 × 1 row').p50 / of('fastapiArray', 'c1 × 1 row').p50, (value) => value <= 1),
      ratio('the same with a DataFrame on both sides', of('ingotFrame', 'c1 × 1 row').p50 / of('fastapiFrame', 'c1 × 1 row').p50, (value) => value <= 1),
      ratio('ONNX at c32: at least 4 times FastAPI + onnxruntime', of('ingotOnnx', 'c32 × 1 row').perSecond / of('fastapiOnnx', 'c32 × 1 row').perSecond, (value) => value >= 4),
      ratio('ONNX at c32: at least 0.7 of bare node:http + onnxruntime-node', of('ingotOnnx', 'c32 × 1 row').perSecond / of('nodeOnnx', 'c32 × 1 row').perSecond, (value) => value >= 0.7),
    ],
  };
}
