import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { collect } from './bytes.ts';
import { BLOB_STORE_CASES } from './conformance.ts';
import { keysOf } from './conformance/case.ts';
import { LISTING_CASES } from './conformance/listing.ts';
import { createLocalBlobStore } from './local.ts';
import { compileForChild } from './testing/child.ts';

const run = promisify(execFile);
let base = '';
let script = '';

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'ingot-blobs-e2e-'));
  script = await compileForChild(new URL('./testing/racer.ts', import.meta.url), base);
});

afterAll(async () => {
  await rm(base, { recursive: true, force: true });
});

for (const hardLinks of ['auto', 'never'] as const) {
  describe(`the local store with hard links: ${hardLinks}, keeps the contract of blob stores`, () => {
    // How a name is made is nothing to a listing, and thousands of files take their time.
    const cases =
      hardLinks === 'auto' ? BLOB_STORE_CASES : BLOB_STORE_CASES.filter((one) => !LISTING_CASES.includes(one));
    for (const { name, run } of cases) {
      test(name, async () => {
        const directory = await mkdtemp(join(base, 'case-'));
        await run({ open: () => createLocalBlobStore(directory, { hardLinks }) });
      });
    }
  });
}

describe('the local store, used by several processes', () => {
  for (const hardLinks of ['auto', 'never']) {
    test(`with hard links: ${hardLinks}, of five processes that race for forty keys exactly one creates each`, async () => {
      const directory = join(base, `race-${hardLinks}`);
      const racers = Array.from({ length: 5 }, (_, n) =>
        run(process.execPath, [script, 'race', directory, hardLinks, `racer ${n}`, '40']),
      );
      const created = (await Promise.all(racers)).map(({ stdout }): string[] => JSON.parse(stdout));
      assert.equal(created.flat().length, 40);
      assert.equal(new Set(created.flat()).size, 40);
      const store = createLocalBlobStore(directory);
      assert.equal((await keysOf(store, '')).length, 40);
      for (const [n, keys] of created.entries()) {
        for (const key of keys) assert.ok(String(await collect(store.read(key))).startsWith(`racer ${n} `));
      }
      assert.deepEqual(await readdir(join(directory, '.tmp')), []);
    });
  }

  test('a writer killed in the middle of a body leaves nothing visible', async () => {
    const directory = join(base, 'killed');
    const child = spawn(process.execPath, [script, 'stall', directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    const store = createLocalBlobStore(directory);
    assert.equal((await readdir(join(directory, '.tmp'))).length, 1);
    assert.deepEqual(await keysOf(store, ''), []);
    assert.equal(await store.stat('stalled'), undefined);
  });
});
