/**
 * A process that pushes and may be killed on the way, or reports its memory.
 * `push STORE PACKAGE FAULT`: FAULT is `before:K` or `after:K` for the K-th write or delete, or `none`.
 * `measure STORE PACKAGE OUTPUT`: pushes, pulls, and prints seconds of CPU and peak memory.
 * `check PACKAGE`: prints the rules of all problems, as user 65534 when started by root.
 */

import { argv, cpuUsage, getuid, resourceUsage, setuid, stdout } from 'node:process';
import { createLocalBlobStore } from './blob/local.ts';
import { dying } from './blob/testing/dying.ts';
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
  const { blobs, changes } = dying(createLocalBlobStore(store), fault);
  await createStore(blobs);
  const registry = openLogRegistry({ blobs, actor: 'test' });
  const { ref } = await push(path, {
    registry,
    contents: createBlobContentStore(blobs),
    name: 'churn',
    aliases: ['production'],
  });
  say({ ref, changes: changes() });
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
