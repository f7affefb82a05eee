import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { failsWith } from '../conformance/case.ts';
import { readGcsConfig } from './config.ts';

describe('the settings of a GCS store', () => {
  test('without any are Google’s own service and its chain of credentials', () => {
    const config = readGcsConfig('gs://team-models/prod/', {});
    assert.equal(config.endpoint, 'https://storage.googleapis.com');
    assert.equal(config.credentials, 'default');
    assert.equal(config.prefix, 'prod/');
  });

  test('show credentials to no emulator, and to a private endpoint over HTTPS', () => {
    assert.equal(readGcsConfig('gs://models', { STORAGE_EMULATOR_HOST: 'localhost:4443' }).credentials, 'none');
    assert.equal(
      readGcsConfig('gs://models', { STORAGE_EMULATOR_HOST: 'localhost:4443' }).endpoint,
      'http://localhost:4443',
    );
    assert.equal(readGcsConfig('gs://models?endpoint=http://127.0.0.1:1', {}).credentials, 'none');
    const own = readGcsConfig('gs://models', { INGOT_GCS_ENDPOINT: 'https://storage-psc.p.googleapis.com/' });
    assert.deepEqual([own.endpoint, own.credentials], ['https://storage-psc.p.googleapis.com', 'default']);
    assert.equal(readGcsConfig('gs://models', { INGOT_GCS_ANONYMOUS: 'true' }).credentials, 'none');
  });

  test('that are malformed are refused by name', async () => {
    for (const address of ['gs://UPPER', 'gs://a', 'gs://models?generation=1', 'gs://', 's3://models'])
      await failsWith(async () => readGcsConfig(address, {}), 'usage');
    const wrong = {
      INGOT_GCS_KMS_KEY: 'my-key',
      INGOT_GCS_ENCRYPTION_KEY: 'c2hvcnQ=',
      STORAGE_EMULATOR_HOST: 'http://',
    };
    for (const [name, value] of Object.entries(wrong))
      assert.throws(
        () => readGcsConfig('gs://models', { [name]: value }),
        (error) => error instanceof Error && (error.message.includes(name) || name === 'STORAGE_EMULATOR_HOST'),
      );
  });
});
