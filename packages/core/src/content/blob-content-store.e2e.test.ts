import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { collect } from '../blob/bytes.ts';
import { keysOf } from '../blob/conformance/case.ts';
import { createLocalBlobStore } from '../blob/local.ts';
import { compileForChild } from '../blob/testing/child.ts';
import { digestOf } from '../digest.ts';
import { createBlobContentStore } from './blob-content-store.ts';
import type { RecipeRef } from './content-store.ts';
import { readPackFooter } from './pack.ts';
import { parseUploadRoot } from './roots.ts';
import { openStore } from './store-format.ts';

interface Line {
  readonly sealed?: number;
  readonly recipe?: RecipeRef;
  readonly released?: number;
  readonly changes?: number;
}

let base = '';
let script = '';

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'ingot-crash-'));
  script = await compileForChild(new URL('./testing/pusher.ts', import.meta.url), base);
});

afterAll(async () => {
  await rm(base, { recursive: true, force: true });
});

async function run(...args: readonly string[]): Promise<{ lines: Line[]; signal: NodeJS.Signals | null }> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  const output = String(await collect(child.stdout));
  return {
    lines: output
      .split('\n')
      .filter(Boolean)
      .map((line): Line => JSON.parse(line)),
    signal: await exited,
  };
}

/** Checks that everything a version names is whole. */
async function checkVersion(directory: string, recipe: RecipeRef): Promise<void> {
  const store = createBlobContentStore(createLocalBlobStore(directory));
  const opened = await store.openRecipe(recipe);
  for (const { digest } of opened.contents) assert.equal(digestOf(await collect(store.read(opened, digest))), digest);
}

/** Checks that every pack that can be seen is whole, and that every root names packs that stand. */
async function checkBlobs(directory: string): Promise<void> {
  const blobs = createLocalBlobStore(directory);
  for (const key of await keysOf(blobs, 'packs/')) {
    const pack = key.slice('packs/'.length, -'.pack'.length);
    for (const { digest, offset, length } of await readPackFooter(blobs, pack)) {
      assert.equal(
        digestOf(await collect(blobs.read(key, { range: { start: offset, end: offset + length } }))),
        digest,
      );
    }
  }
  for (const key of await keysOf(blobs, 'roots/')) {
    for (const pack of parseUploadRoot(await collect(blobs.read(key)), key).packs) await readPackFooter(blobs, pack);
  }
  if ((await keysOf(blobs, '')).length > 0) await openStore(blobs);
}

describe('a push that is killed', () => {
  test('at any write or delete, before or after it, leaves whole blobs and whole versions only, and can be repeated', async () => {
    const calm = join(base, 'calm');
    const { lines, signal } = await run('push', calm, 'none');
    assert.equal(signal, null);
    const steps = lines.at(-1)?.changes ?? 0;
    assert.ok(steps >= 8, `${steps} steps`);
    for (let step = 1; step <= steps; step += 1) {
      for (const when of ['before', 'after']) {
        const directory = join(base, `${when}-${step}`);
        const killed = await run('push', directory, `${when}:${step}`);
        assert.equal(killed.signal, 'SIGKILL', `${when} step ${step}`);
        await checkBlobs(directory);
        for (const { recipe } of killed.lines) if (recipe !== undefined) await checkVersion(directory, recipe);
        const again = await run('push', directory, 'none');
        assert.equal(again.lines.filter(({ released }) => released !== undefined).length, 2);
        for (const { recipe } of again.lines) if (recipe !== undefined) await checkVersion(directory, recipe);
      }
    }
  });
});

describe('a content of 1 GiB', () => {
  test('goes in and out with less than 200 MiB of memory', async () => {
    const directory = join(base, 'big');
    const { lines } = await run('measure', directory, String(1024 ** 3));
    const measured = lines[0];
    assert.ok(measured && 'peakMiB' in measured && typeof measured.peakMiB === 'number' && 'readBytes' in measured);
    assert.equal(measured.readBytes, 1024 ** 3);
    assert.ok(measured.peakMiB < 200, `${measured.peakMiB} MiB`);
    await rm(directory, { recursive: true });
  });
});
