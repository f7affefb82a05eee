/** Memory and processor time of a running process and all below it, where the system shows them in `/proc`. */
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** Sums over the process tree of `pid`; undefined where there is no `/proc`. */
export function usageOf(pid) {
  let parents;
  try {
    parents = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(statOf).filter(Boolean);
  } catch {
    return undefined; // Not Linux.
  }
  const tree = [pid];
  for (const id of tree) tree.push(...parents.filter((stat) => stat.parent === id).map((stat) => stat.pid));
  const members = parents.filter((stat) => tree.includes(stat.pid));
  return {
    cpu: members.reduce((sum, stat) => sum + stat.ticks, 0) / TICKS_PER_SECOND,
    memoryBytes: members.reduce((sum, stat) => sum + proportionalSize(stat.pid), 0),
    processes: members.length,
  };
}

/** The processes of a tree, its root first, each with the most memory that it had so far. */
export function treeOf(pid) {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(statOf).filter(Boolean);
  const tree = [pid];
  for (const id of tree) tree.push(...all.filter((stat) => stat.parent === id).map((stat) => stat.pid));
  return tree.map((id) => ({ pid: id, peakBytes: statusBytes(id, 'VmHWM') }));
}

function statusBytes(pid, field) {
  try {
    return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0; // Ended meanwhile.
  }
}

function statOf(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
    return { pid: Number(pid), parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    return undefined; // Ended meanwhile.
  }
}

function proportionalSize(pid) {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0; // Ended meanwhile, or of another user.
  }
}
