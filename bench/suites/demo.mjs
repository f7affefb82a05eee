/** The demo, once set up. */
import { measure as measureOnce } from '../lib/measure.mjs';
import { inRoot } from '../../scripts/lib/paths.mjs';

export async function measure() {
  const usage = await measureOnce(process.execPath, [inRoot('scripts/demo.mjs'), '--once']);
  return {
    title: 'Demo, once set up',
    columns: ['one run', 'wall s', 'processor s'],
    rows: [['npm run demo -- --once', usage.wall.toFixed(1), usage.cpu.toFixed(1)]],
    goals: [{ goal: 'at most 20 s', value: `${usage.wall.toFixed(1)} s`, met: usage.wall <= 20 }],
  };
}
