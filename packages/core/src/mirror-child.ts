/**
 * A process that mirrors and reports its memory.
 * `push STORE FILE`: pushes a file as the model `big`.
 * `mirror SOURCE DESTINATION`: mirrors between two directories and prints what was copied and the peak memory.
 */

import { readFile } from 'node:fs/promises';
import { argv, platform, resourceUsage, stdout } from 'node:process';
import { createLocalBlobStore } from './blob/local.ts';
import { createBlobContentStore } from './content/blob-content-store.ts';
import { createStore } from './content/store-format.ts';
import { mirror } from './mirror.ts';
import { push } from './push.ts';
import { openLogRegistry } from './registry/open.ts';

const [mode, first = '', second = ''] = argv.slice(2);
if (mode === 'push') await pushFile(first, second);
else stdout.write(JSON.stringify(await mirrored(first, second)));

async function pushFile(store: string, path: string): Promise<void> {
  const blobs = createLocalBlobStore(store);
  await createStore(blobs);
  const registry = openLogRegistry({ blobs, actor: 'test' });
  await push(path, { registry, contents: createBlobContentStore(blobs), name: 'big' });
}

async function mirrored(from: string, to: string): Promise<object> {
  const [source, destination] = [createLocalBlobStore(from), createLocalBlobStore(to)];
  const { packs } = await mirror({ source, destination });
  return { packs, peakMiB: Math.round((await peakKiB()) / 1024) };
}

/** What `maxRSS` says of a process on Linux may be the peak of the one that started it. */
async function peakKiB(): Promise<number> {
  const status = platform === 'linux' ? await readFile('/proc/self/status', 'utf8') : '';
  return Number(/VmHWM:\s*(\d+)/.exec(status)?.[1] ?? resourceUsage().maxRSS);
}
