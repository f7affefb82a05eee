import { expect, test } from 'vitest';
import { makeDurable } from './make-durable.ts';
import { testDirectory } from './package/testing/fixtures.ts';

test('few files and many are made durable, and one that is not there is told', async () => {
  await using directory = await testDirectory();
  const names = Array.from({ length: 600 }, (_, n) => `${n}.txt`);
  await directory.write(Object.fromEntries(names.map((name) => [name, name])));
  const files = names.map((name) => directory.join(name));
  const directories = [directory.path];
  await makeDurable(directory.path, { files, directories });
  await makeDurable(directory.path, { files: files.slice(0, 3), directories });
  const missing = [directory.join('missing')];
  await expect(makeDurable(directory.path, { files: missing, directories })).rejects.toMatchObject({ code: 'ENOENT' });
});

test('where the whole file system cannot be flushed, every file is', async () => {
  const missing = Array.from({ length: 600 }, (_, n) => `/nonexistent/${n}`);
  await expect(makeDurable('/nonexistent', { files: missing, directories: [] })).rejects.toMatchObject({
    code: 'ENOENT',
  });
});
