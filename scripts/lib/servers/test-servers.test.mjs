import assert from 'node:assert/strict';
import { test } from 'vitest';
import { knownMissing, TEST_SERVERS, testServer } from './test-servers.mjs';

test('a server that setup could not get is not tried again by the tests, which say why', async () => {
  await assert.rejects(testServer('moto', { env: knownMissing({ moto: 'pip has no network' }) }), /pip has no network/);
});

test('every server has a place of its own, named by its version', () => {
  const names = Object.values(TEST_SERVERS).map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /-[0-9a-fv][0-9a-f.]+(?:-beta[.][0-9]+)?$/);
});
