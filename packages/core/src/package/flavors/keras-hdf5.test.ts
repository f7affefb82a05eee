import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { readPackage } from '../read.ts';
import { testDirectory } from '../testing/fixtures.ts';

test.each([
  ['a whole Keras model', '\x89HDF\r\n\x1a\n....keras_version....model_config{}', 'keras', true],
  ['weights alone', '\x89HDF\r\n\x1a\n....keras_version....', 'file', false],
  ['no HDF5', 'keras_version model_config', 'file', false],
])('an .h5 file that holds %s is known for what it is', async (_, content, flavor, executesCode) => {
  await using directory = await testDirectory();
  await writeFile(directory.join('model.h5'), Buffer.from(content, 'latin1'));
  expect(await readPackage(directory.join('model.h5'))).toMatchObject({ flavor, executesCode });
});
