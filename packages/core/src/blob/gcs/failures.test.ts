import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { type ErrorCode, IngotError } from '../../errors.ts';
import { CallWatch } from '../remote/watch.ts';
import { readGcsConfig } from './config.ts';
import { GcsRefusal, gcsFailure, isBucketMissing, refusalIn } from './failures.ts';

function explain(error: unknown, operation = 'blob.write', env: Record<string, string> = {}): IngotError {
  const config = readGcsConfig('gs://models/team', env);
  using watch = new CallWatch({ operation, address: config.address, signal: undefined, silenceMs: 60_000 });
  const explained = gcsFailure(error, { operation, config, watch, key: 'a/b' });
  assert.ok(explained instanceof IngotError);
  return explained;
}

const refusal = (status: number, message: string, reason?: string) =>
  new GcsRefusal(status, JSON.stringify({ error: { code: status, message, errors: [{ reason, message }] } }));

describe('what GCS says', () => {
  const cases: readonly (readonly [GcsRefusal, ErrorCode, boolean, RegExp])[] = [
    [refusal(429, 'rate', 'rateLimitExceeded'), 'overloaded', true, /slow down/],
    [refusal(403, 'rate', 'userRateLimitExceeded'), 'overloaded', true, /slow down/],
    [refusal(503, 'back end', 'backendError'), 'overloaded', true, /503/],
    [refusal(500, 'oops'), 'unavailable', true, /500: oops/],
    [refusal(408, 'late'), 'unavailable', true, /408/],
    [refusal(409, 'conflict'), 'unavailable', true, /in the way/],
    [refusal(401, 'Invalid Credentials', 'authError'), 'forbidden', false, /not accepted/],
    [refusal(404, 'The specified bucket does not exist.'), 'store-not-found', false, /no bucket "models"/],
    [
      refusal(400, 'Bucket is a requester pays bucket but no user project provided.', 'required'),
      'forbidden',
      false,
      /project pays/,
    ],
    [refusal(400, 'Provided MD5 hash does not match', 'invalid'), 'integrity', true, /damaged/],
    [refusal(400, 'nonsense', 'invalid'), 'usage', false, /nonsense/],
    [
      refusal(
        400,
        'The target object is encrypted by a customer-supplied encryption key.',
        'resourceIsEncryptedWithCustomerEncryptionKey',
      ),
      'forbidden',
      false,
      /customer/,
    ],
    [refusal(418, 'teapot'), 'unexpected', false, /418: teapot/],
  ];
  for (const [said, code, retryable, message] of cases) {
    test(`${said.status} ${said.message} is ${code}`, () => {
      const error = explain(said);
      assert.deepEqual({ code: error.code, retryable: error.retryable }, { code, retryable });
      assert.match(error.message, message);
      assert.equal(error.operation, 'blob.write');
    });
  }

  test('of a missing permission names it, and a role that has it', () => {
    const said = refusal(403, 'ci@p.iam does not have storage.objects.create access to the object.', 'forbidden');
    assert.match(
      explain(said).hint ?? '',
      /storage\.objects\.create, as roles\/storage\.objectCreator does, on gs:\/\/models/,
    );
    assert.match(explain(said, 'blob.delete').hint ?? '', /objectUser/);
    assert.match(explain(said, 'blob.read', { INGOT_GCS_ANONYMOUS: '1' }).hint ?? '', /gcloud auth/);
  });

  test('of a hold or a retention policy is no want of rights', () => {
    const said = refusal(403, "Object is subject to bucket's retention policy", 'retentionPolicyNotMet');
    assert.equal(explain(said, 'blob.delete').code, 'refused');
  });

  test('of a key in Cloud KMS names the role of the service agent', () => {
    const said = refusal(
      403,
      'Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been authorized to use this key.',
    );
    assert.match(explain(said).hint ?? '', /cryptoKeyEncrypterDecrypter/);
  });

  test('is read the same from Google’s own client', () => {
    const error = Object.assign(new Error('No such object'), { code: 404, errors: [{ reason: 'notFound' }] });
    assert.deepEqual(refusalIn(error), { status: 404, reason: 'notFound', message: 'No such object' });
    assert.equal(refusalIn(Object.assign(new Error('x'), { code: 'ECONNRESET' })), undefined);
  });

  test('of a missing object is told from a missing bucket, where it tells', () => {
    assert.equal(isBucketMissing(refusal(404, 'The specified bucket does not exist.')), true);
    assert.equal(isBucketMissing(new GcsRefusal(404, 'No such object: models/a')), false);
    assert.equal(isBucketMissing(refusal(404, 'Not Found')), undefined);
  });

  test('in a page of a proxy is told without its markup', () => {
    assert.match(explain(new GcsRefusal(502, '<html><h1>Bad  gateway</h1></html>')).message, /502: Bad gateway/);
  });
});

describe('what Google’s credentials say', () => {
  test('of a clock that is off, of none at all, and of ones that are not accepted', () => {
    const skewed = new Error(
      'invalid_grant: Invalid JWT: Token must be a short-lived token and in a reasonable timeframe. Check your iat and exp values',
    );
    assert.match(explain(skewed).message, /clock is off/);
    assert.match(
      explain(new Error('Could not load the default credentials. Browse to …')).message,
      /no Google credentials/,
    );
    assert.match(explain(new Error('invalid_grant')).message, /not accepted/);
    for (const error of [skewed, new Error('invalid_grant')]) assert.equal(explain(error).code, 'forbidden');
  });
});
