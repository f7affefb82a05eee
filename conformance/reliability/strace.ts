/** `strace`, which can end a program at its n-th call of a kind. */

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { debTool, librariesOf } from '../../scripts/lib/servers/tools.mjs';

const run = promisify(execFile);

/** What changes files: one kind a line, as `strace` calls them. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  write: ['write', 'pwrite64', 'writev'],
  fsync: ['fsync', 'fdatasync'],
  rename: ['rename', 'renameat', 'renameat2'],
  link: ['link', 'linkat'],
  unlink: ['unlink', 'unlinkat'],
  mkdir: ['mkdir', 'mkdirat'],
  rmdir: ['rmdir'],
};

/** All file work happens in one thread, so that the n-th call is the same one every time. */
export const ONE_THREAD = { UV_THREADPOOL_SIZE: '1' };

/** A call to be ended at. */
export interface CallPoint {
  readonly kind: string;
  readonly call: string;
  readonly at: number;
}

/** The words that start a program under strace. */
export interface Strace {
  /** Writes all calls that change files to `log`. */
  recording(log: string): readonly string[];
  /** Ends the program as it enters a call. */
  killing(point: CallPoint): readonly string[];
}

/** Finds strace; from Debian where it is not installed. Rejects where it cannot be had or may not trace. */
export async function openStrace(): Promise<Strace> {
  const command = await find();
  const all = Object.values(KINDS).flat().join(',');
  const common = [...command, '-f', '-qq'];
  await run(command[0] ?? '', [...common.slice(1), '-o', '/dev/null', '-e', `trace=${all}`, 'true']);
  return {
    recording: (log) => [...common, '-y', '-o', log, '-e', `trace=${all}`],
    killing: ({ call, at }) => [
      ...common,
      '-o',
      '/dev/null',
      '-e',
      `trace=${call}`,
      '-e',
      `inject=${call}:signal=KILL:when=${at}`,
    ],
  };
}

async function find(): Promise<readonly string[]> {
  try {
    await run('strace', ['--version']);
    return ['strace'];
  } catch {
    // Not installed.
  }
  if (process.platform !== 'linux') throw new Error('strace is for Linux');
  const tree = await debTool(['strace', 'libunwind8', 'liblzma5']);
  return ['env', `LD_LIBRARY_PATH=${librariesOf(tree)}`, join(tree, 'usr/bin/strace')];
}

/** Reads a recording: every call below `directory`, once. Calls are counted for each thread. */
export function pointsOf(log: string, directory: string): CallPoint[] {
  const points = new Map<string, CallPoint>();
  const counts = new Map<string, number>();
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    const [, thread = '', call = ''] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
    const kind = Object.keys(KINDS).find((name) => KINDS[name]?.includes(call));
    if (kind === undefined) continue;
    const at = (counts.get(`${thread} ${call}`) ?? 0) + 1;
    counts.set(`${thread} ${call}`, at);
    if (line.includes(directory)) points.set(`${call} ${at}`, { kind, call, at });
  }
  return [...points.values()];
}
