import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeScratch, makeWritable } from './writable-directory.ts';

it.skipIf(process.platform !== 'linux')(
  'a directory where nothing can be written is named, with what to do',
  async () => {
    await expect(makeWritable('/sys/ingot/environments')).rejects.toMatchObject({
      code: 'forbidden',
      message: expect.stringContaining('/sys/ingot/environments'),
      hint: expect.stringContaining('INGOT_CACHE'),
    });
  },
);

it('a directory for a while is made also in a cache that nobody has used', async () => {
  const root = mkdtempSync(join(tmpdir(), 'ingot-scratch-'));
  try {
    const made = await makeScratch(join(root, 'cache', 'environments'), '.image-');
    expect(statSync(made).isDirectory()).toBe(true);
    expect(made).not.toBe(await makeScratch(join(root, 'cache', 'environments'), '.image-'));
  } finally {
    rmSync(root, { recursive: true });
  }
});
