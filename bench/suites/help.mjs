/** What it costs to start the command line at all. */
import { measureMedian } from '../lib/measure.mjs';
import { CLI_ENTRY } from '../../scripts/lib/paths.mjs';

export async function measure() {
  const empty = await measureMedian(process.execPath, ['-e', ''], { times: 15 });
  const help = await measureMedian(process.execPath, [CLI_ENTRY, '--help'], { times: 15 });
  const row = (name, { cpu, wall, peakBytes }) => [name, (cpu * 1000).toFixed(0), (wall * 1000).toFixed(0), (peakBytes / 2 ** 20).toFixed(0)];
  const ratio = help.cpu / empty.cpu;
  return {
    title: '`ingot --help`',
    columns: ['median of 15', 'processor ms', 'wall ms', 'peak MiB'],
    rows: [row('node, empty program', empty), row('ingot --help', help)],
    goals: [{ goal: 'at most 1.5 times the processor time of an empty Node program', value: `${ratio.toFixed(2)} times`, met: ratio <= 1.5 }],
  };
}
