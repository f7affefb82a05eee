import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { compileForChild } from '../blob/testing/child.ts';

test('threads are waited for when they end, also with answers on their way', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ingot-threads-'));
  try {
    const program = await compileForChild(new URL('./testing/ending-threads.ts', import.meta.url), directory);
    // A process that stops waiting ends with 13: nothing is left to do, and a promise is not settled.
    const { stdout } = await promisify(execFile)(process.execPath, [program]);
    expect(stdout).toBe('waited for all\n');
  } finally {
    await rm(directory, { recursive: true });
  }
});
