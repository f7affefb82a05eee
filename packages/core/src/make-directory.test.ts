import { mkdtemp, rm, rmdir, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeDirectory } from './make-directory.ts';

let root = '';

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'ingot-make-'));
});

afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

test('a directory is made with its parents, and the outermost new one is named', async () => {
  expect(await makeDirectory(join(root, 'a/b/c'), { mode: 0o700 })).toBe(join(root, 'a'));
  expect((await stat(join(root, 'a/b'))).mode & 0o777).toBe(0o700);
  expect(await makeDirectory(join(root, 'a/b/c'))).toBeUndefined();
  expect(await makeDirectory(join(root, 'a/b/d'))).toBe(join(root, 'a/b/d'));
});

test('many who make the same directories at once all succeed', async () => {
  await Promise.all(Array.from({ length: 50 }, () => makeDirectory(join(root, 'x/y/z'))));
  expect((await stat(join(root, 'x/y/z'))).isDirectory()).toBe(true);
});

test('it is made even while somebody removes it and its parent', async () => {
  const path = join(root, 'busy/inner');
  const remove = async (): Promise<void> => {
    for (const directory of [path, join(root, 'busy')]) await rmdir(directory).catch(() => undefined);
  };
  for (let time = 0; time < 300; time++) await Promise.all([makeDirectory(path), remove(), remove()]);
});

test('the error is the system’s own', async () => {
  await writeFile(join(root, 'file'), '');
  await expect(makeDirectory(join(root, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(makeDirectory(join(root, 'file/below/it'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  await symlink(join(root, 'nowhere'), join(root, 'dangling'));
  await expect(makeDirectory(join(root, 'dangling/x'))).rejects.toMatchObject({ code: 'EEXIST' });
});
