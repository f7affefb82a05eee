/** `log_model`, registering and loading with the real client of MLflow: what of it is the server's, beside `mlflow server`. */
import { run } from '../../scripts/lib/run.mjs';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { median } from '../lib/measure.mjs';
import { usageOf } from '../lib/processes.mjs';
import { emptied, MLFLOW_PYTHON, startIngot, startMlflow } from '../lib/registry-servers.mjs';
import { startReplay } from '../lib/replay.mjs';

const RAN = 'log_model, register, load_model of a small scikit-learn model';

export async function measure({ python, peers, times = 10 }) {
  if (MLFLOW_PYTHON === undefined)
    return { title: RAN, columns: [''], skipped: ['everything: the environment of MLflow is not installed'] };
  const servers = {
    ingot: () => startIngot({ home: emptied('flow-ingot'), python }),
    ...(peers && { mlflow: () => startMlflow({ home: emptied('flow-mlflow') }) }),
  };
  const measured = {};
  for (const [who, open] of Object.entries(servers)) measured[who] = await flowsWith(await open(), times);
  const rows = Object.entries(measured).map(([who, { wall, stub, cpuMs, clientCpu, requests }]) => [
    who,
    (wall * 1000).toFixed(0),
    (stub * 1000).toFixed(0),
    ((wall - stub) * 1000).toFixed(0),
    cpuMs.toFixed(0),
    (clientCpu * 1000).toFixed(0),
    requests,
  ]);
  return {
    title: `The registry server in a flow of the real client: ${RAN}`,
    columns: [
      '',
      'flow, ms',
      'the same against an instant stub, ms',
      'the server’s share, ms',
      'processor of the server, ms',
      'processor of the client, ms',
      'requests',
    ],
    rows,
    goals: measured.mlflow === undefined ? [] : goalsOf(measured),
    notes: [`medians of ${times} flows after the first; the stub gives the answers again that the same server gave`],
    skipped: peers ? [] : ['mlflow server: --peers'],
  };
}

function goalsOf({ ingot, mlflow }) {
  const wall = (ingot.wall - ingot.stub) / (mlflow.wall - mlflow.stub);
  const cpu = ingot.cpuMs / mlflow.cpuMs;
  return [
    {
      goal: 'the server’s share of the time: at most a tenth of mlflow server’s',
      value: wall.toFixed(3),
      met: wall <= 0.1,
    },
    { goal: 'the server’s processor time: at most a tenth of mlflow server’s', value: cpu.toFixed(3), met: cpu <= 0.1 },
  ];
}

async function flowsWith(server, times) {
  const stub = await startReplay(server.url);
  const flow = async (url, count) => {
    const env = {
      ...process.env,
      MLFLOW_DISABLE_TELEMETRY: 'true',
      MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR: 'false',
      GIT_PYTHON_REFRESH: 'quiet',
      ...(server.token && { MLFLOW_TRACKING_TOKEN: server.token }),
    };
    const { stdout } = await run(MLFLOW_PYTHON, [inRoot('bench/lib/mlflow_flow.py'), url, String(count)], {
      env,
      label: 'a flow',
    });
    return JSON.parse(stdout.trim().split('\n').at(-1));
  };
  try {
    await flow(server.url, 2);
    const before = usageOf(server.pid).cpu;
    const { later } = await flow(server.url, times + 1);
    const cpuMs = ((usageOf(server.pid).cpu - before) * 1000) / (times + 1);
    await flow(stub.url, times + 1);
    stub.replay();
    const bare = await flow(stub.url, times + 1);
    const requests = Math.round(stub.requests() / (times + 1));
    const of = (runs, field) => median(runs.map((each) => each[field]));
    return { wall: of(later, 'wall'), stub: of(bare.later, 'wall'), clientCpu: of(bare.later, 'cpu'), cpuMs, requests };
  } finally {
    await stub.stop();
    await server.stop();
  }
}
