/**
 * Images with a model baked in: from starting the container's program to the first prediction, beside the same server on
 * this machine; what they hold above their base; and whether they answer the same.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { demoEnvironment, ingot } from '../../scripts/demo/engine.mjs';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { testServer } from '../../scripts/lib/servers/test-servers.mjs';
import { librariesOf } from '../../scripts/lib/servers/tools.mjs';
import { median } from '../lib/measure.mjs';
import { startServer } from '../lib/server.mjs';
import { benchEnvironment, prepareModels, subjectsOf } from '../lib/subjects.mjs';

const TIMES = 7;
const PLACE = inRoot('.cache/bench/baked');
const MOST_SERVER_BYTES = 130e6;
const MOST_TIMES = 1.5;
const ASKED = 200;

const MODELS = { ingotArray: 'forest-array', ingotOnnx: 'forest-onnx' };

export async function measure({ python }) {
  const { rows } = await prepareModels(python);
  const subjects = subjectsOf(python);
  rmSync(PLACE, { recursive: true, force: true });
  mkdirSync(PLACE, { recursive: true });
  const results = [];
  for (const [key, model] of Object.entries(MODELS)) {
    const image = await bake(python, model);
    const host = subjects[key];
    const inside = { ...host, command: insideOf(image, host.command(0).path) };
    results.push({ model, image, ...(await compare(host, inside, rows)) });
    rmSync(image.bundle, { recursive: true, force: true });
  }
  rmSync(PLACE, { recursive: true, force: true });
  return report(results);
}

/** Bakes a model onto Debian's packages and unpacks the image as container engines do. */
async function bake(python, model) {
  const env = { ...demoEnvironment(python), ...benchEnvironment(python) };
  const { images } = await ingot(env, 'bake', model, '--base', 'debian-packages', '-o', `oci:${PLACE}/image:${model}`);
  const bundle = join(PLACE, model);
  const umoci = join(await testServer('umoci'), 'usr/bin/umoci');
  await run(umoci, ['unpack', '--rootless', '--image', `${PLACE}/image:${model}`, bundle], { label: 'umoci unpack' });
  const { process: entry } = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
  return { bundle, entry, layers: images[0].layers, sandbox: await testServer('bubblewrap') };
}

const insideOf = ({ bundle, entry, sandbox }, path) => (port) => {
  const variables = [...entry.env, `INGOT_PORT=${port}`, 'INGOT_HOST=127.0.0.1'].flatMap((line) => ['--setenv', line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
  const root = ['--ro-bind', join(bundle, 'rootfs'), '/', '--proc', '/proc', '--dev', '/dev'];
  return {
    program: join(sandbox, 'usr/bin/bwrap'),
    args: ['--unshare-all', '--share-net', '--die-with-parent', '--uid', '65532', '--clearenv', ...variables, ...root, '--', ...entry.args],
    env: { LD_LIBRARY_PATH: librariesOf(sandbox) },
    path,
  };
};

/** In turn, so that a busy moment of the machine meets both. The first round is not counted. */
async function compare(host, inside, rows) {
  const times = { host: [], inside: [] };
  for (let round = 0; round <= TIMES; round++)
    for (const [name, subject] of Object.entries({ host, inside })) {
      const server = await startServer(subject.command, subject.body(rows.slice(0, 1)));
      times[name].push(server.secondsToFirst);
      await server.stop();
    }
  const [here, there] = [await answerOf(host, rows), await answerOf(inside, rows)];
  return { host: median(times.host.slice(1)), inside: median(times.inside.slice(1)), same: here === there };
}

async function answerOf(subject, rows) {
  const body = subject.body(rows.slice(0, ASKED));
  const server = await startServer(subject.command, body);
  const answer = await fetch(server.url, { method: 'POST', body });
  const { outputs } = await answer.json();
  await server.stop();
  return JSON.stringify(outputs);
}

function report(results) {
  const ofLayer = ({ image }, name) => image.layers.filter((layer) => layer.name === name).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const mb = (bytes) => (bytes / 1e6).toFixed(1);
  return {
    title: 'Baked images',
    columns: [`median of ${TIMES} rounds`, 'host s', 'image s', 'times', 'server MB', 'environment MB', 'model MB'],
    rows: results.map((one) => [one.model, one.host.toFixed(2), one.inside.toFixed(2), (one.inside / one.host).toFixed(2), ...['server', 'environment', 'model'].map((name) => mb(ofLayer(one, name)))]),
    goals: results.flatMap((one) => [
      { goal: `${one.model}: start to first prediction at most ${MOST_TIMES} times that on the host`, value: `${(one.inside / one.host).toFixed(2)} times`, met: one.inside <= MOST_TIMES * one.host },
      { goal: `${one.model}: at most 130 MB above environment and model`, value: `${mb(ofLayer(one, 'server'))} MB`, met: ofLayer(one, 'server') <= MOST_SERVER_BYTES },
      { goal: `${one.model}: the same answer for ${ASKED} rows`, value: one.same ? 'the same' : 'another', met: one.same },
    ]),
  };
}
