import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readLock } from './lock-file.ts';

test('a lock with the marks of a merge names them, and how to choose a side', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ingot-lock-'));
  const path = join(directory, 'ingot.lock');
  try {
    await writeFile(path, '{\n  "lock": 1,\n<<<<<<< HEAD\n=======\n>>>>>>> other\n}\n');
    await expect(readLock(path)).rejects.toMatchObject({
      code: 'invalid-config',
      message: expect.stringContaining('marks of a merge'),
      hint: expect.stringContaining('git checkout --ours'),
    });
    await writeFile(path, '{"lock": 1,');
    await expect(readLock(path)).rejects.toMatchObject({ hint: 'rm ingot.lock, then: ingot lock REFERENCE …' });
  } finally {
    await rm(directory, { recursive: true });
  }
});
