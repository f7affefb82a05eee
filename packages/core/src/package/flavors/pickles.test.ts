import { writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { PackagePlan } from '../package.ts';
import { readPackage } from '../read.ts';
import { testDirectory } from '../testing/fixtures.ts';

const PICKLE = Buffer.from('\x80\x04\x8c\x1asklearn.linear_model._base\x8c\x10LinearRegression\x93)\x81.', 'latin1');
/** The same, as Python's `lzma.compress` writes it. */
const XZ = Buffer.from(
  '/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAzgASMGnNrbGVhcm4ubGluZWFyX21vZGVsLl9iYXNljBBMaW5lYXJSZWdyZXNzaW9ukymBLgCBKsmf2/Fx3gABTDSXQf5dH7bzfQEAAAAABFla',
  'base64',
);

async function planOf(name: string, content: Uint8Array): Promise<PackagePlan> {
  await using directory = await testDirectory();
  await writeFile(directory.join(name), content);
  return await readPackage(directory.join(name));
}

test.each([
  ['model.pkl.gz', gzipSync(PICKLE)],
  ['model.joblib.gz', gzipSync(PICKLE)],
  ['model.joblib', XZ],
  ['model.pkl.xz', XZ],
])('a compressed pickle is known by the class it names: %s', async (name, content) => {
  const plan = await planOf(name, content);
  expect(plan).toMatchObject({ flavor: 'sklearn', artifactPath: name, executesCode: true });
  expect(plan.inferred.find(({ what }) => what === 'flavor')?.from).toContain('LinearRegression');
});

test('an xz pickle that ends early or lies is a file like others', async () => {
  expect((await planOf('m.joblib', XZ.subarray(0, 30))).flavor).toBe('file');
  expect((await planOf('m.joblib', Buffer.concat([XZ.subarray(0, 12), Buffer.alloc(80, 7)]))).flavor).toBe('file');
});

test.each([
  ['bz2', 'BZh31AY&SY'],
  ['lzma', ']\0\0\x80\0'],
  ['lz4', '\x04\x22\x4d\x18d@'],
])('what joblib compressed with %s is served as an estimator; another file that begins so is not', async (_, head) => {
  const content = Buffer.from(head, 'latin1');
  expect(await planOf('model.joblib', content)).toMatchObject({ flavor: 'sklearn', executesCode: true });
  expect((await planOf('table.pkl.bz2', content)).flavor).toBe('file');
});
