/** What the Python package costs: importing it, and pushing a small model, beside what people use for it today. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../scripts/demo/engine.mjs';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { pipTool } from '../../scripts/lib/servers/tools.mjs';
import { fresh, STORAGE_HOME } from '../lib/folders.mjs';
import { measure as measureOnce, measureMedian, median } from '../lib/measure.mjs';
import { startService } from '../lib/service.mjs';
import { benchEnvironment } from '../lib/subjects.mjs';

const SKLEARN = 'scikit-learn==1.9.1';
const PINS = { modelstore: ['modelstore==0.0.82', SKLEARN], mlflow: ['mlflow==3.17.2', SKLEARN] };
const QUIET = { MLFLOW_DISABLE_TELEMETRY: 'true', DO_NOT_TRACK: 'true', MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false' };
const ROUNDS = 3;
/** In each round a process of its own pushes so often; the first push counts by itself. */
const PUSHES = 4;

export async function measure({ python, peers, times = ROUNDS, only }) {
  const skipped = [];
  const subjects = [{ key: 'ingot', name: 'ingot.push', python, place: join(STORAGE_HOME, 'stores/sdk/ingot'), env: benchEnvironment(python) }];
  const servers = [];
  try {
    fresh('stores/sdk');
    for (const key of ['modelstore', 'mlflow']) {
      if (!peers || (only !== undefined && !only.includes(key))) skipped.push(`${key} (add --peers)`);
      else subjects.push(await peer(key, servers, skipped));
    }
    const taking = subjects.filter((subject) => subject !== undefined);
    const imports = await measureImports(taking);
    return { ...report(await measurePushes(taking, times), imports), skipped };
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** A peer in an environment of its own: that of the matrix of frameworks where there is one, else one made for it. */
async function peer(key, servers, skipped) {
  try {
    const made = inRoot('.cache/frameworks', key, 'bin/python');
    const python = existsSync(made) ? made : join(await pipTool(`${key}-sklearn`, PINS[key]), 'bin/python');
    const env = { ...process.env, ...QUIET };
    if (key === 'modelstore') return { key, name: 'modelstore upload, to a directory', python, place: join(STORAGE_HOME, 'stores/sdk/modelstore'), env };
    const [home, port] = [join(STORAGE_HOME, 'stores/sdk'), await freePort()];
    const args = ['-m', 'mlflow', 'server', '--port', String(port), '--backend-store-uri', `sqlite:///${join(home, 'mlflow.db')}`, '--artifacts-destination', join(home, 'artifacts')];
    servers.push(await startService({ command: python, args, env, cwd: home, port }));
    return { key, name: 'mlflow.sklearn.log_model, registered, to its server', python, place: `http://127.0.0.1:${port}`, env };
  } catch (error) {
    skipped.push(`${key}: ${error.message.split('\n')[0]}`);
    return undefined;
  }
}

async function measureImports(subjects) {
  const imports = { bare: await measureMedian(subjects[0].python, ['-c', 'pass'], { env: subjects[0].env, times: 7 }) };
  for (const { key, python, env } of subjects) imports[key] = await measureMedian(python, ['-c', `import ${key}`], { env, times: key === 'ingot' ? 7 : 1 });
  return imports;
}

/** All push in turn, round after round, so that a busy moment of the machine meets all of them. */
async function measurePushes(subjects, times) {
  const taken = Object.fromEntries(subjects.map(({ key, name }) => [key, { name, first: [], next: [], load: [] }]));
  for (let round = 0; round < times; round++) {
    for (const { key, python, place, env } of subjects) {
      const { stdout } = await measureOnce(python, [inRoot('bench/peers/sdk/push.py'), key, place, String(PUSHES)], { env });
      const { pushes, loads } = JSON.parse(stdout.trim().split('\n').at(-1));
      const [first, ...next] = pushes;
      taken[key].load.push(...loads);
      taken[key].first.push(first);
      taken[key].next.push(...next);
    }
  }
  return taken;
}

function report(taken, imports) {
  const of = (list, field) => median(list.map((one) => one[field]));
  const ms = (seconds) => (seconds * 1000).toFixed(0);
  const row = (key, { name, first, next, load }) => [name, ...[first, next, load].flatMap((list) => [ms(of(list, 'wall')), ms(of(list, 'cpu'))]), ms(imports[key].cpu)];
  const wall = (key) => of([...taken[key].first, ...taken[key].next], 'wall');
  const ratio = (key) => wall(key) / wall('ingot');
  const goals = [
    { goal: '`import ingot` at most 0.2 s of processor time', value: `${ms(imports.ingot.cpu)} ms`, met: imports.ingot.cpu <= 0.2 },
    { goal: 'the first push after import at most 0.5 s', value: `${ms(of(taken.ingot.first, 'wall'))} ms`, met: of(taken.ingot.first, 'wall') <= 0.5 },
  ];
  if (taken.mlflow) goals.push({ goal: 'at least 5 times faster than MLflow', value: `${ratio('mlflow').toFixed(1)} times`, met: ratio('mlflow') >= 5 });
  if (taken.modelstore) goals.push({ goal: 'at least as fast as modelstore', value: `${ratio('modelstore').toFixed(2)} times`, met: ratio('modelstore') >= 1 });
  return {
    title: 'Python: importing, and pushing a small scikit-learn model',
    columns: [`medians of ${taken.ingot.first.length} rounds, ms`, 'first push', 'processor', 'next pushes', 'processor', 'load', 'processor', 'import, processor'],
    rows: [...Object.entries(taken).map(([key, one]) => row(key, one)), ['python, nothing imported', '', '', '', '', '', '', ms(imports.bare.cpu)]],
    goals,
    notes: ['Processor time holds the processes that are started, also an engine that is kept between calls, but not those of a server. It is told in hundredths of a second.', 'ingot.push also records signature, histograms, example, lineage and requirements, and flushes to disk.'],
  };
}
