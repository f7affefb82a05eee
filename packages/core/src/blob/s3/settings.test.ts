import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { isIngotError } from '../../errors.ts';
import { readS3Settings } from './settings.ts';

const refused = (work: () => unknown, code: 'usage' | 'invalid-config', pattern: RegExp) =>
  assert.throws(
    work,
    (error) => isIngotError(error, code) && pattern.test(`${error.message} ${error.hint ?? ''} ${error.nearest ?? ''}`),
  );

describe('an address of S3', () => {
  test('names a bucket and a prefix of any depth', () => {
    const { bucket, prefix } = readS3Settings('s3://models', {});
    assert.deepEqual([bucket, prefix], ['models', '']);
    assert.equal(readS3Settings('s3://models/', {}).prefix, '');
    assert.equal(readS3Settings('s3://models/team a/%41/', {}).prefix, 'team a/%41/');
  });

  test('is Amazon with virtual hosts unless an endpoint says otherwise', () => {
    const amazon = readS3Settings('s3://models', { AWS_REGION: 'eu-central-1' });
    assert.deepEqual([amazon.endpoint, amazon.region, amazon.pathStyle], [undefined, 'eu-central-1', false]);
    const own = readS3Settings('s3://models', { AWS_ENDPOINT_URL: 'http://minio:9000' });
    assert.deepEqual([own.endpoint, own.region, own.pathStyle], ['http://minio:9000', 'us-east-1', true]);
  });

  test('takes endpoint, region and path style before the variables', () => {
    const env = { AWS_ENDPOINT_URL: 'http://other:1', AWS_ENDPOINT_URL_S3: 'http://another:1', AWS_REGION: 'other' };
    const settings = readS3Settings('s3://m/p?endpoint=https://r2.example:9000&region=auto&path-style=false', env);
    assert.deepEqual(
      [settings.endpoint, settings.region, settings.pathStyle],
      ['https://r2.example:9000', 'auto', false],
    );
    assert.equal(readS3Settings('s3://m', env).endpoint, 'http://another:1');
    assert.equal(readS3Settings('s3://m', { ...env, INGOT_S3_PATH_STYLE: 'no' }).pathStyle, false);
  });

  test('that is malformed is refused with what is wrong', () => {
    refused(() => readS3Settings('s3:///prefix', {}), 'usage', /bucket name/);
    refused(() => readS3Settings('s3://models/a//b', {}), 'usage', /empty segment/);
    refused(() => readS3Settings('s3://models?regoin=x', {}), 'usage', /no option "regoin".*region/);
    refused(() => readS3Settings('s3://models', { AWS_ENDPOINT_URL: 'minio:9000' }), 'invalid-config', /minio:9000/);
  });
});

describe('the variables of S3', () => {
  test('hold keys, unless a profile is named', () => {
    const keys = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' };
    assert.deepEqual(readS3Settings('s3://m', keys).credentials, { accessKeyId: 'id', secretAccessKey: 'secret' });
    assert.equal(readS3Settings('s3://m', { ...keys, AWS_SESSION_TOKEN: 't' }).credentials?.sessionToken, 't');
    const named = readS3Settings('s3://m', { ...keys, AWS_PROFILE: 'team' });
    assert.deepEqual([named.profile, named.credentials], ['team', undefined]);
    refused(
      () => readS3Settings('s3://m', { AWS_ACCESS_KEY_ID: 'id' }),
      'invalid-config',
      /set AWS_SECRET_ACCESS_KEY too/,
    );
  });

  test('ask for encryption by KMS or by a key of one’s own, not both', () => {
    const kms = readS3Settings('s3://m', { INGOT_S3_SSE_KMS_KEY_ID: 'alias/models' });
    assert.deepEqual(kms.encryption, { mode: 'aws:kms', kmsKeyId: 'alias/models' });
    const key = Buffer.alloc(32, 1).toString('base64');
    assert.deepEqual(readS3Settings('s3://m', { INGOT_S3_SSE_C_KEY: key }).encryption, { customerKey: key });
    refused(
      () => readS3Settings('s3://m', { INGOT_S3_SSE_C_KEY: key, INGOT_S3_SSE: 'AES256' }),
      'invalid-config',
      /exclude/,
    );
    refused(() => readS3Settings('s3://m', { INGOT_S3_SSE_C_KEY: 'short' }), 'invalid-config', /32 bytes/);
    refused(() => readS3Settings('s3://m', { INGOT_S3_SSE: 'aws-kms' }), 'invalid-config', /aws:kms/);
  });

  test('do not let a store lie in a class that cannot be read at once', () => {
    assert.equal(
      readS3Settings('s3://m', { INGOT_S3_STORAGE_CLASS: 'intelligent_tiering' }).storageClass,
      'INTELLIGENT_TIERING',
    );
    refused(
      () => readS3Settings('s3://m', { INGOT_S3_STORAGE_CLASS: 'DEEP_ARCHIVE' }),
      'invalid-config',
      /not one of STANDARD/,
    );
  });

  test('never put a secret into a message', () => {
    try {
      readS3Settings('s3://m', { AWS_SECRET_ACCESS_KEY: 'very-secret', INGOT_S3_SSE_C_KEY: 'also-secret' });
      assert.fail('nothing failed');
    } catch (error) {
      assert.ok(!JSON.stringify([String(error), error]).includes('secret"') && !String(error).includes('very-secret'));
    }
    try {
      readS3Settings('s3://m', { INGOT_S3_SSE_C_KEY: 'also-secret' });
      assert.fail('nothing failed');
    } catch (error) {
      assert.ok(!String(error).includes('also-secret'));
    }
  });
});
