/** Pushes and pulls through the registry server beside the same on its store: time, processor time of both sides, memory. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../scripts/demo/engine.mjs';
import { assertSame, fresh, modelFolders, smallFiles, warm } from '../lib/folders.mjs';
import { atMost, cost } from '../lib/goals.mjs';
import { measure as measureCommand, median } from '../lib/measure.mjs';
import { treeOf, usageOf } from '../lib/processes.mjs';
import { measuredProgram } from '../lib/program.mjs';
import { startService } from '../lib/service.mjs';

const FILES = 5000;
const STEPS = ['push', 'push of 2 % changed', 'pull', `push of ${FILES} small files`, `pull of ${FILES} small files`];

/** @param options `size` of the model in MiB, `times` rounds */
export async function measure({ size = 256, times = 3 }) {
  const entry = await measuredProgram();
  const folders = { ...(await modelFolders(size, ['v2'])), small: smallFiles(FILES, 20) };
  warm(folders);
  const rounds = { direct: [], server: [] };
  for (let round = 0; round < times; round++) {
    rounds.direct.push(await directRound(entry, folders));
    rounds.server.push(await serverRound(entry, folders));
  }
  fresh('registry-contents');
  return report(rounds, { size, times });
}

async function directRound(entry, folders) {
  const home = fresh('registry-contents', 'direct');
  return { steps: await stepsOf({ entry, folders, home, registry: join(home, 'store') }), peakBytes: 0 };
}

async function serverRound(entry, folders) {
  const home = fresh('registry-contents', 'server');
  mkdirSync(home, { recursive: true });
  const port = await freePort();
  const env = { ...environment(home, join(home, 'store')), INGOT_STATE: join(home, 'state') };
  const service = await startService({ command: process.execPath, args: [entry, 'up', '--port', String(port)], env, cwd: home, port });
  try {
    const registry = `http://127.0.0.1:${port}`;
    const steps = await stepsOf({ entry, folders, home, registry, serverCpu: () => usageOf(service.pid)?.cpu ?? 0 });
    return { steps, peakBytes: treeOf(service.pid)[0].peakBytes };
  } finally {
    await service.stop();
  }
}

async function stepsOf({ entry, folders, home, registry, serverCpu = () => 0 }) {
  mkdirSync(home, { recursive: true });
  const env = environment(home, registry);
  const step = async (...words) => {
    const before = serverCpu();
    const usage = await measureCommand(process.execPath, [entry, ...words, '--quiet'], { env, cwd: home });
    return { ...usage, serverCpu: serverCpu() - before };
  };
  const pulled = async (name, folder) => {
    const target = join(home, 'pulled');
    rmSync(join(home, 'cache'), { recursive: true, force: true });
    const usage = await step('pull', name, '-o', target);
    assertSame(folder, target);
    rmSync(target, { recursive: true });
    return usage;
  };
  return [
    await step('push', folders.v1, '--name', 'model'),
    await step('push', folders.v2, '--name', 'model'),
    await pulled('model', folders.v2),
    await step('push', folders.small, '--name', 'small'),
    await pulled('small', folders.small),
  ];
}

function environment(home, registry) {
  return { PATH: process.env.PATH, HOME: home, INGOT_REGISTRY: registry, INGOT_CACHE: join(home, 'cache') };
}

function report({ direct, server }, { size, times }) {
  const of = (rounds, n) => ({
    wall: median(rounds.map(({ steps }) => steps[n].wall)),
    cpu: median(rounds.map(({ steps }) => steps[n].cpu)),
    serverCpu: median(rounds.map(({ steps }) => steps[n].serverCpu)),
    peakBytes: median(rounds.map(({ steps }) => steps[n].peakBytes)),
  });
  const rows = STEPS.map((name, n) => ({ name, direct: of(direct, n), server: of(server, n) }));
  const ratio = ({ direct: alone, server: through }) => (through.cpu + through.serverCpu) / alone.cpu;
  const peakMiB = Math.max(...server.map(({ peakBytes }) => peakBytes)) / 2 ** 20;
  return {
    title: `Contents through the registry server: ${size} MiB, local`,
    columns: [`median of ${times}: wall s (processor s, +server's) peak MiB`, 'on the store', 'through the server', 'wall, ÷', 'processor time of both, ÷'],
    rows: rows.map((row) => [row.name, cost(row.direct), cost(row.server), (row.server.wall / row.direct.wall).toFixed(2), ratio(row).toFixed(2)]),
    goals: [
      atMost('push, processor time of both sides against the store alone', ratio(rows[0]), 3),
      atMost('pull, processor time of both sides against the store alone', ratio(rows[2]), 3),
      atMost('peak memory of the server', peakMiB, 300, ' MiB'),
    ],
    notes: ['what was pulled is the same byte for byte', 'the server hashes what arrives, and a file of many pieces once more as a whole'],
    raw: rows,
  };
}

