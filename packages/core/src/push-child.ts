/**
 * A process that pushes and may be killed on the way, or reports its memory.
 * `push STORE PACKAGE FAULT`: FAULT is `before:K` or `after:K` for the K-th write or delete, or `none`.
 * `measure STORE PACKAGE OUTPUT`: pushes, pulls, and prints seconds of CPU and peak memory.
 * `check PACKAGE`: prints the rules of all problems, as user 65534 when started by root.
 */

import { argv, cpuUsage, getuid, kill, pid, resourceUsage, setuid, stdout } from 'node:process';
import { observed } from './blob/layers/observed.ts';
import { createLocalBlobStore } from './blob/local.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { createStore } from './content/store-format.ts';
import { pull } from './pull.ts';
import { push } from './push.ts';
import { openLogRegistry } from './registry/open.ts';
import { checkPackage } from './package/read.ts';

const [mode, first = '', second = '', third = ''] = argv.slice(2);
if (mode === 'push') await pushWithFault(first, second, third);
else if (mode === 'measure') await measure(first, second, third);
else await check(first);

function say(line: object): void {
  stdout.write(`${JSON.stringify(line)}\n`);
}

async function pushWithFault(store: string, path: string, fault: string): Promise<void> {
  const [when, step] = fault.split(':');
  let changes = 0;
  // Several writes may be under way: which one is over is told by its call.
  const numbers = new Map<number, number>();
  const dieAt = (now: string, change: number | undefined): void => {
    if (now === when && change === Number(step)) kill(pid, 'SIGKILL');
  };
  const blobs = observed(createLocalBlobStore(store), {
    before: ({ operation, number }) => {
      if (operation !== 'write' && operation !== 'delete') return;
      changes += 1;
      numbers.set(number, changes);
      dieAt('before', changes);
    },
    after: ({ number }) => dieAt('after', numbers.get(number)),
  });
  await createStore(blobs);
  const registry = openLogRegistry({ blobs, actor: 'test' });
  const { ref } = await push(path, {
    registry,
    contents: createBlobContentStore(blobs),
    name: 'churn',
    aliases: ['production'],
  });
  say({ ref, changes });
}

async function measure(store: string, path: string, output: string): Promise<void> {
  const blobs = createLocalBlobStore(store);
  await createStore(blobs);
  const registry = openLogRegistry({ blobs, actor: 'test' });
  const contents = createBlobContentStore(blobs);
  const pushing = cpuUsage();
  const { bytes } = await push(path, { registry, contents, name: 'big' });
  const pushCpu = cpuUsage(pushing);
  const pulling = cpuUsage();
  await pull('big', { registry, contents, output });
  const pullCpu = cpuUsage(pulling);
  const seconds = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1e6;
  say({
    bytes,
    pushSeconds: seconds(pushCpu),
    pullSeconds: seconds(pullCpu),
    peakMiB: Math.round(resourceUsage().maxRSS / 1024),
  });
}

async function check(path: string): Promise<void> {
  if (getuid?.() === 0) setuid?.(65534);
  const { problems } = await checkPackage(path, { name: 'm' });
  say({ rules: problems.map(({ rule, file }) => `${rule} ${file ?? ''}`) });
}
