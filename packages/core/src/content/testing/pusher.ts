/**
 * A process that pushes and may be killed on the way.
 * `push DIRECTORY FAULT`: two versions of a package into a store; FAULT is `before:K` or `after:K` for the K-th write or
 * delete, or `none`. Prints a JSON line when a version is sealed and when it is released.
 * `measure DIRECTORY BYTES`: writes and reads one content and prints CPU seconds and peak memory.
 */

import { argv, cpuUsage, hrtime, resourceUsage, stdout } from 'node:process';
import { createLocalBlobStore } from '../../blob/local.ts';
import { dying } from '../../blob/testing/dying.ts';
import { createDigester } from '../../digest.ts';
import { createBlobContentStore } from '../blob-content-store.ts';
import { contentOf, noise } from '../conformance.ts';
import type { ContentBody, RecipeRef } from '../content-store.ts';
import { createStore } from '../store-format.ts';

const [mode, directory = '', third = ''] = argv.slice(2);
if (mode === 'push') await push(third);
else await measure(Number(third));

function say(line: object): void {
  stdout.write(`${JSON.stringify(line)}\n`);
}

async function push(fault: string): Promise<void> {
  const { blobs, changes } = dying(createLocalBlobStore(directory), fault);
  await createStore(blobs);
  const store = createBlobContentStore(blobs, { packBytes: 100_000 });
  const base: RecipeRef[] = [];
  for (const version of [1, 2]) {
    await using upload = await store.openUpload({ modelId: 'churn-0a1b', base });
    for (const content of packageOf(version)) await upload.put(content);
    const { recipe } = await upload.seal();
    say({ sealed: version, recipe });
    await upload.release();
    say({ released: version, changes: changes() });
    base.unshift(recipe);
  }
}

function packageOf(version: number): readonly ContentBody[] {
  return [
    contentOf('big.bin', noise(150_000, version)),
    contentOf('shared.bin', noise(80_000, 77)),
    contentOf('notes.txt', `version ${version}`),
    contentOf('', `{"version":${version}}`, 'manifest'),
  ];
}

async function measure(sizeBytes: number): Promise<void> {
  const block = noise(1024 * 1024, 1);
  const open = async function* () {
    for (let at = 0; at < sizeBytes; at += block.byteLength)
      yield Buffer.from(block.subarray(0, Math.min(block.byteLength, sizeBytes - at)));
  };
  const digester = createDigester();
  for await (const bytes of open()) digester.update(bytes);
  const digest = digester.finish();
  const store = createBlobContentStore(createLocalBlobStore(directory));
  const write = await measured(async () => {
    await using upload = await store.openUpload({ modelId: 'big-0a1b' });
    await upload.put({ role: 'file', path: 'model.bin', digest, sizeBytes, open });
    return (await upload.seal()).recipe;
  });
  const read = await measured(async () => {
    let bytes = 0;
    for await (const piece of store.read(await store.openRecipe(write.result), digest)) bytes += piece.byteLength;
    return bytes;
  });
  const { result: readBytes, ...reading } = read;
  const { cpuSeconds, wallSeconds } = write;
  say({
    write: { cpuSeconds, wallSeconds },
    read: reading,
    readBytes,
    peakMiB: Math.round(resourceUsage().maxRSS / 1024),
  });
}

async function measured<T>(work: () => Promise<T>): Promise<{ result: T; cpuSeconds: number; wallSeconds: number }> {
  const cpu = cpuUsage();
  const start = hrtime.bigint();
  const result = await work();
  const { user, system } = cpuUsage(cpu);
  return { result, cpuSeconds: (user + system) / 1e6, wallSeconds: Number(hrtime.bigint() - start) / 1e9 };
}
