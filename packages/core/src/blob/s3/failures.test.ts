import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { describe, test } from 'vitest';
import type { ErrorCode } from '../../errors.ts';
import { translated } from './failures.ts';
import { readS3Settings } from './settings.ts';

const env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'xyzzy', AWS_REGION: 'us-east-1' };

interface Answer {
  readonly name?: string;
  readonly status?: number;
  readonly code?: string;
  readonly message?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function said(
  { name, status, code, message = 'said by the server', headers = {} }: Answer,
  variables: Readonly<Record<string, string>> = env,
) {
  const error = Object.assign(new Error(message), {
    ...(name === undefined ? {} : { name, Code: name }),
    ...(code === undefined ? {} : { code }),
    $metadata: { httpStatusCode: status, requestId: 'R1' },
    $response: { statusCode: status, headers },
  });
  const settings = readS3Settings('s3://models/team', variables);
  return translated(error, { settings, operation: 'blob.read', key: 'packs/a/0.pack', signal: undefined });
}

const ROWS: readonly (readonly [string, Answer, ErrorCode, RegExp, boolean])[] = [
  [
    'a missing bucket',
    { name: 'NoSuchBucket', status: 404 },
    'store-not-found',
    /no bucket "models".*aws s3 mb/,
    false,
  ],
  [
    'a wrong secret',
    { name: 'SignatureDoesNotMatch', status: 403 },
    'forbidden',
    /secret key.*AWS_SECRET_ACCESS_KEY/,
    false,
  ],
  ['an unknown access key', { name: 'InvalidAccessKeyId', status: 403 }, 'forbidden', /AWS_ACCESS_KEY_ID/, false],
  ['an expired token', { name: 'ExpiredToken', status: 400 }, 'forbidden', /AWS_SESSION_TOKEN/, false],
  [
    'no credentials at all',
    { name: 'CredentialsProviderError' },
    'forbidden',
    /AWS_PROFILE.*INGOT_S3_ANONYMOUS/,
    false,
  ],
  ['a missing grant', { name: 'AccessDenied', status: 403 }, 'forbidden', /s3:ListBucket/, false],
  ['a refusal without a body', { status: 403 }, 'forbidden', /may not do this in bucket "models"/, false],
  [
    'a KMS key without a grant',
    { name: 'AccessDenied', status: 403, message: 'User may not perform kms:Decrypt' },
    'forbidden',
    /kms:Decrypt/,
    false,
  ],
  [
    'a clock that is off',
    { name: 'RequestTimeTooSkewed', status: 403, headers: { Date: 'Mon, 01 Jan 2029 00:00:00 GMT' } },
    'forbidden',
    /clock is off.*2029/,
    false,
  ],
  [
    'another region',
    { name: 'PermanentRedirect', status: 301, headers: { 'x-amz-bucket-region': 'eu-west-3' } },
    'invalid-config',
    /eu-west-3, not in us-east-1.*AWS_REGION=eu-west-3/,
    false,
  ],
  [
    'another region, without a body',
    { status: 400, headers: { 'X-Amz-Bucket-Region': 'eu-west-3' } },
    'invalid-config',
    /AWS_REGION=eu-west-3/,
    false,
  ],
  [
    'an archived object',
    { name: 'InvalidObjectState', status: 403 },
    'unavailable',
    /archive tier.*restore-object/,
    false,
  ],
  ['a folder in the way', { name: 'ExistingObjectIsDirectory', status: 409 }, 'unavailable', /ExistingObj/, true],
  ['a request too many', { name: 'SlowDown', status: 503 }, 'unavailable', /SlowDown/, true],
  ['a server with a fault', { status: 502 }, 'unavailable', /502/, true],
  ['a server that limits', { status: 429 }, 'unavailable', /429/, true],
  ['a reset', { code: 'ECONNRESET' }, 'unavailable', /ECONNRESET/, true],
  ['a silent server', { code: 'ETIMEDOUT' }, 'unavailable', /ETIMEDOUT/, true],
  ['an unknown host', { code: 'ENOTFOUND' }, 'unavailable', /AWS_ENDPOINT_URL/, true],
  ['a certificate of one’s own', { code: 'SELF_SIGNED_CERT_IN_CHAIN' }, 'unavailable', /AWS_CA_BUNDLE/, false],
  ['damage on the way', { name: 'XAmzContentSHA256Mismatch', status: 400 }, 'unavailable', /damaged/, true],
  ['a full storage', { name: 'XMinioStorageFull', status: 507 }, 'disk-full', /full/, false],
  ['a server without conditional writes', { name: 'NotImplemented', status: 501 }, 'refused', /ingot doctor/, false],
  [
    'an answer that is not S3’s',
    { name: 'Error', status: 200, message: 'XML parse error' },
    'unavailable',
    /not one of S3/,
    true,
  ],
  ['what nobody foresaw', { name: 'Odd', status: 418 }, 'unexpected', /said by the server \(Odd, 418\)/, false],
];

describe('a failure of S3', () => {
  for (const [name, answer, code, pattern, retryable] of ROWS) {
    test(`from ${name} is ${code}${retryable ? ' and worth a retry' : ''}, in the user's words`, () => {
      const error = said(answer);
      assert.equal(error.code, code, error.message);
      assert.match(`${error.message} ${error.hint ?? ''}`, pattern);
      assert.equal(error.retryable, retryable);
    });
  }

  test('names the endpoint that would do where the one that is set has a path or asks for TLS', () => {
    const beneath = said({ name: 'NoSuchKey', status: 404 }, { AWS_ENDPOINT_URL: 'http://host:9000/models' });
    assert.deepEqual(
      [beneath.code, beneath.hint?.split(' ')[0]],
      ['invalid-config', 'AWS_ENDPOINT_URL=http://host:9000'],
    );
    const plain = said({ name: 'Error', code: 'EPROTO' }, { AWS_ENDPOINT_URL: 'https://host:9000' });
    assert.deepEqual([plain.retryable, plain.hint], [false, 'AWS_ENDPOINT_URL=http://host:9000']);
  });

  test('names the variable that set the endpoint, as another one would not count', () => {
    const both = { AWS_ENDPOINT_URL: 'http://right:9000', AWS_ENDPOINT_URL_S3: 'https://host:9000' };
    assert.equal(said({ name: 'Error', code: 'EPROTO' }, both).hint, 'AWS_ENDPOINT_URL_S3=http://host:9000');
    assert.match(said({ name: 'Error', code: 'ECONNREFUSED' }, both).hint ?? '', /AWS_ENDPOINT_URL_S3$/);
  });

  test('names the profile where one is in use', () => {
    assert.match(said({ name: 'ExpiredToken' }, { AWS_PROFILE: 'team' }).hint ?? '', /aws sso login --profile team/);
    assert.match(said({ name: 'CredentialsProviderError' }, { AWS_PROFILE: 'team' }).message, /"team"/);
  });

  test('says the address and the key, and holds no secret', () => {
    const error = said({ name: 'SignatureDoesNotMatch', status: 403 });
    assert.match(error.message, /"packs\/a\/0.pack" in s3:\/\/models\/team/);
    assert.ok(!JSON.stringify([error.message, error.hint, error.details]).includes(env.AWS_SECRET_ACCESS_KEY));
    assert.equal(error.details.requestId, 'R1');
  });

  test('keeps what happened as its cause, without the exchange and its headers', () => {
    const { cause } = said({ name: 'AccessDenied', status: 403, headers: { 'x-amz-security-token': 'very-secret' } });
    assert.ok(cause instanceof Error && cause.name === 'AccessDenied');
    assert.ok(!inspect(cause, { depth: 9, showHidden: true }).includes('very-secret'));
  });
});
