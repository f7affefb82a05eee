import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { nearestStore } from './nearest-store.ts';

it('names the store beside a directory that holds none, and nothing that is not a store', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'ingot-nearest-'));
  await mkdir(join(parent, 'models'));
  expect(await nearestStore(join(parent, 'modles'))).toBeUndefined();
  await writeFile(join(parent, 'models', 'ingot.json'), '{}');
  expect(await nearestStore(join(parent, 'modles'))).toBe(join(parent, 'models'));
  expect(await nearestStore(join(parent, 'elsewhere'))).toBeUndefined();
  expect(await nearestStore(join(parent, 'not', 'there'))).toBeUndefined();
  await rm(parent, { recursive: true });
});
