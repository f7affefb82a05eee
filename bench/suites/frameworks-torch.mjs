/** A PyTorch state_dict pushed and loaded by the SDK, beside `torch.save` with the engine's push, and safetensors' own load. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inRoot, pythonOf } from '../../scripts/lib/paths.mjs';
import { run } from '../../scripts/lib/run.mjs';
import { median } from '../lib/measure.mjs';

const STEPS = ['torch-save', 'engine-push', 'ingot-push', 'safetensors-load', 'ingot-load'];
const MIB = 2 ** 20;

/** @param options `size` of the state_dict in MiB, `times` rounds, of which each runs every step once */
export async function measure({ size = 1024, times = 3 }) {
  const python = pythonOf(inRoot('.cache/frameworks/torch'));
  const title = `a PyTorch state_dict of ${size} MiB`;
  if (!existsSync(python)) return { title, columns: ['skipped'], rows: [['npm run frameworks -- torch makes the environment']], goals: [] };
  const runs = Object.fromEntries(STEPS.map((step) => [step, []]));
  for (let round = 0; round < times; round++) {
    const home = mkdtempSync(join(tmpdir(), 'ingot-torch-'));
    try {
      for (const step of STEPS) runs[step].push(await oneStep(python, step, home, size));
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  }
  return report(title, Object.fromEntries(STEPS.map((step) => [step, medians(runs[step])])), { size, times });
}

async function oneStep(python, step, home, size) {
  const env = { ...process.env, PYTHONPATH: inRoot('python/src'), INGOT_CACHE: join(home, 'cache'), HOME: home, INGOT_REGISTRY: join(home, 'store') };
  const { stdout } = await run(python, ['-W', 'ignore', inRoot('bench/lib/torch_state.py'), step, home, String(size)], { env });
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

function medians(all) {
  return Object.fromEntries(Object.keys(all[0]).map((field) => [field, median(all.map((each) => each[field]))]));
}

function report(title, found, { size, times }) {
  const peer = { wall: found['torch-save'].wall + found['engine-push'].wall, cpu: found['torch-save'].cpu + found['engine-push'].cpu };
  const push = { wall: found['ingot-push'].wall / peer.wall, cpu: found['ingot-push'].cpu / peer.cpu };
  const load = { wall: found['ingot-load'].wall / found['safetensors-load'].wall, cpu: found['ingot-load'].cpu / found['safetensors-load'].cpu };
  const memory = found['ingot-push'].peakBytes / found['ingot-push'].beforeBytes;
  const row = (name, { wall, cpu, peakBytes, childBytes }) => [name, wall.toFixed(2), cpu.toFixed(2), (peakBytes / MIB).toFixed(0), (childBytes / MIB).toFixed(0)];
  const goal = (text, value, most) => ({ goal: text, value: `${value.toFixed(2)} times`, met: value <= most });
  return {
    title: `${title}, median of ${times}`,
    columns: ['step', 'wall s', 'processor s', 'peak MiB', 'engine peak MiB'],
    rows: STEPS.map((step) => row(step, found[step])),
    goals: [
      goal(`push in at most 1.2 times the processor time of torch.save and the engine's push (wall ${push.wall.toFixed(2)})`, push.cpu, 1.2),
      goal(`memory during push at most 1.2 times the process with its ${size} MiB before it`, memory, 1.2),
      goal(`load from the cache, every tensor read, at most 1.1 times safetensors' own (processor ${load.cpu.toFixed(2)})`, load.wall, 1.1),
    ],
  };
}
