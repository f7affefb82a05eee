import { expect, it } from 'vitest';
import { makeWritable } from './writable-directory.ts';

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
