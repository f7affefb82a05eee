/**
 * The whole path on real data: train, package, push, promote, serve, call, improve, swap under load, roll back.
 *
 *     npm run demo                 in a terminal the server stays up until Ctrl-C
 *     npm run demo -- --once       ends when everything was shown
 *
 * The store is `.demo/store`, made anew each time. Without Python the ONNX part runs and the rest is named.
 */
import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { demoEnvironment, HOME, ingot, ingotText, serve } from './demo/engine.mjs';
import { command, count, heading, images, note, say, verdicts } from './demo/print.mjs';
import { infer, keepAsking, pause, predict } from './demo/traffic.mjs';
import { inRoot } from './lib/paths.mjs';
import { run } from './lib/run.mjs';
import { bold, dim, green, red, seconds } from './lib/terminal.mjs';
import { setup } from './setup.mjs';

const WORK = join(HOME, 'work');
const staysUp = Boolean(process.stdout.isTTY) && !process.argv.includes('--once');
const report = (name) => JSON.parse(readFileSync(join(WORK, `${name}.json`), 'utf8'));

async function main() {
  const { python, reason } = await setup({ python: 'demo' });
  const started = performance.now();
  const env = demoEnvironment(python);
  rmSync(HOME, { recursive: true, force: true });
  mkdirSync(WORK, { recursive: true });
  if (python === undefined) say(`${red('No Python')}: ${reason}\nSkipped: training, breast-cancer and wine, the swap. The ONNX part goes on.`);

  await train(python, env);
  const models = await pushAndPromote(python, env);
  const server = await startServer(env, models);
  try {
    await call(server.url, models);
    if (python !== undefined) await swap(python, env, server.url);
    await showHistory(env, models);
    say(`\n${green('✓')} ${bold('Done')} in ${seconds(performance.now() - started)}${python === undefined ? ', without Python' : ''}`);
    whatNext(python, server.url, models);
    if (staysUp) await untilInterrupted(server);
  } finally {
    await server.stop();
  }
}

async function train(python, env) {
  if (python === undefined) {
    for (const name of ['digits.onnx', 'digits.json']) cpSync(inRoot('examples/onnx-digits', name), join(WORK, name));
    return;
  }
  heading('Train three models with scikit-learn');
  const script = (path, ...args) => run(python, [inRoot(path), WORK, ...args], { env, label: path });
  await Promise.all([script('examples/demo/breast_cancer.py'), script('examples/onnx-digits/train.py'), script('examples/demo/wine.py')]);
  note(`breast-cancer  decision tree        accuracy ${report('breast-cancer').accuracy}`);
  note(`wine           random forest        accuracy ${report('wine').accuracy}`);
  note(`digits         logistic regression  accuracy ${report('digits').accuracy}`);
}

/** Stores each model in its own way and moves `production` to it. Gives the models' names. */
async function pushAndPromote(python, env) {
  heading('Package and push');
  const pushes = [];
  if (python !== undefined) {
    note(dim('a directory of four files, written by hand'));
    command('ingot push .demo/work/breast-cancer');
    pushes.push(await ingot(env, 'push', join(WORK, 'breast-cancer'), '--metric', `accuracy=${report('breast-cancer').accuracy}`));
    noteStored(pushes.at(-1));
    note(dim('a fitted estimator, from Python'));
    command('ingot.push(model, "wine", X=train_rows, metrics=…)');
    const { version } = await ingot(env, 'show', report('wine').ref);
    pushes.push({ model: 'wine', version: version.number, digest: version.manifest });
    noteStored(pushes.at(-1));
  }
  note(dim('one ONNX file'));
  command('ingot push .demo/work/digits.onnx --name digits');
  pushes.push(await ingot(env, 'push', join(WORK, 'digits.onnx'), '--name', 'digits', '--metric', `accuracy=${report('digits').accuracy}`));
  noteStored(pushes.at(-1));

  heading('Say which version is in production');
  for (const { model, version } of pushes) {
    command(`ingot promote ${model}:${version}`);
    await ingot(env, 'promote', `${model}:${version}`, '-m', 'first version');
  }
  return pushes.map(({ model }) => model);
}

function noteStored({ model, version, digest }) {
  note(`→ ${bold(`${model}:${version}`)}  ${dim(`${digest.slice(0, 19)}…`)}`);
}

async function startServer(env, models) {
  heading(models.length > 1 ? 'Serve them all' : 'Serve it');
  const sources = models.map((model) => `${model}@production`);
  command(`ingot serve ${sources.join(' ')}`);
  const started = performance.now();
  const server = await serve(env, sources);
  note(`ready at ${server.url} after ${seconds(performance.now() - started)}`);
  return server;
}

async function call(url, models) {
  heading('Ask about rows that no model has seen');
  for (const name of ['breast-cancer', 'wine'].filter((model) => models.includes(model))) {
    command(`POST /predict/${name}`);
    const { rows, truth } = report(name);
    verdicts((await predict(url, name, rows)).predictions, truth);
  }
  command('POST /v2/models/digits/infer');
  const digits = report('digits');
  const labels = await infer(url, 'digits', 'pixels', digits.images);
  images(digits.images, labels.map((label, index) => `${Number(label) === digits.truth[index] ? '✓' : '✗'} predicted ${label}`));
}

async function swap(python, env, url) {
  heading('Push a better version and swap it in under load');
  const { rows } = report('breast-cancer');
  const before = report('breast-cancer').accuracy;
  const traffic = keepAsking(url, 'breast-cancer', rows.slice(0, 1));
  try {
    await run(python, [inRoot('examples/demo/breast_cancer.py'), WORK, '--better'], { env, label: 'training' });
    const after = report('breast-cancer').accuracy;
    const better = await ingot(env, 'push', join(WORK, 'breast-cancer'), '--metric', `accuracy=${after}`);
    note(`${bold(`breast-cancer:${better.version}`)} has accuracy ${after}, before ${before}`);
    command(`ingot promote breast-cancer:${better.version} -m "better"`);
    await ingot(env, 'promote', `breast-cancer:${better.version}`, '-m', 'better');
    note(`:${better.version} answers after ${seconds(await traffic.until(better.version))}`);
    await pause(300);
    command('ingot rollback breast-cancer -m "only trying"');
    await ingot(env, 'rollback', 'breast-cancer', '-m', 'only trying');
    note(`:1 answers after ${seconds(await traffic.until(1))}`);
  } finally {
    await traffic.stop();
  }
  const { total, failed, byVersion, firstFailure } = traffic.counts;
  const shares = [...byVersion].sort().map(([version, times]) => `:${version} ${count(times)}`).join(', ');
  note(`${bold(count(total))} requests meanwhile (${shares}), ${failed === 0 ? green('0 failed') : red(`${failed} failed`)}`);
  if (failed > 0) throw new Error(`${failed} of ${total} requests failed during the swap; the first: ${firstFailure}`);
}

async function showHistory(env, models) {
  heading('Who changed what, and why');
  const model = models[0];
  command(`ingot history ${model}`);
  const text = await ingotText(env, 'history', model);
  for (const line of text.split('\n')) note(line);
}

function whatNext(python, url, models) {
  const prefix = 'INGOT_REGISTRY=.demo/store';
  say('\nTry next, from the root of the clone:');
  note(`${prefix} npx ingot ls`);
  note(`${prefix} npx ingot show ${models[0]}@production`);
  if (python !== undefined) note(`${prefix} npx ingot diff breast-cancer:1 breast-cancer:2`);
  if (staysUp) note(`curl ${url}/v2/models/${models[0]}`);
  if (staysUp) note(`curl ${url}/docs    every model's OpenAPI`);
  note('README.md: your own model, in the same way');
}

function untilInterrupted(server) {
  say(`\nServing at ${server.url} until Ctrl-C.`);
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, resolve);
    server.ended.then(resolve);
  });
}

try {
  await main();
} catch (error) {
  console.error(`\n${red('The demo failed', process.stderr)}: ${error.message}`);
  process.exitCode = 1;
}
