/**
 * Runs commands under a bound on memory that the kernel keeps: a control group, of either version, in which pages of
 * files count too. Needs Linux and, as a rule, root.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';
const VERSIONS = [
  { home: ROOT, isThere: () => read(join(ROOT, 'cgroup.subtree_control')).includes('memory'), limit: 'memory.max', swap: 'memory.swap.max', peak: 'memory.peak', events: 'memory.events' },
  { home: join(ROOT, 'memory'), isThere: () => existsSync(join(ROOT, 'memory/memory.limit_in_bytes')), limit: 'memory.limit_in_bytes', swap: undefined, peak: 'memory.max_usage_in_bytes', events: 'memory.oom_control' },
];

/**
 * Makes a group whose members may use `limitBytes` together. Gives `within`, which turns a command into one that runs
 * there; what the group used at most; how many processes the kernel ended; and what removes the group. Throws where no
 * group can be made.
 */
export function boundedGroup(limitBytes) {
  const version = VERSIONS.find(({ isThere }) => isThere());
  if (version === undefined) throw new Error('no control groups for memory here');
  const group = join(version.home, `ingot-bench-${process.pid}`);
  mkdirSync(group);
  try {
    writeFileSync(join(group, version.limit), String(limitBytes));
    if (version.swap !== undefined && existsSync(join(group, version.swap))) writeFileSync(join(group, version.swap), '0');
  } catch (error) {
    rmdirSync(group);
    throw error;
  }
  return {
    within: ({ command, args, ...rest }) => ({ command: '/bin/sh', args: ['-c', `echo $$ > "${group}/cgroup.procs" && exec "$@"`, 'sh', command, ...args], ...rest }),
    usage: () => ({ peakBytes: Number(read(join(group, version.peak))), killed: Number(/^oom_kill (\d+)/m.exec(read(join(group, version.events)))?.[1] ?? 0) }),
    remove: () => rmdirSync(group),
  };
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'EACCES', 'EPERM'].includes(error.code)) return ''; // Not of this version, or not ours.
    throw error;
  }
}
