import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { IngotError } from '../../errors.ts';
import { networkFailure } from './network-failures.ts';
import { plainCause } from './plain-cause.ts';
import { readStorageUrl, storageAddress } from './storage-url.ts';
import { failsWith } from '../conformance/case.ts';

describe('a storage address', () => {
  test('is taken apart, with its prefix as it stands and in whole segments', () => {
    const url = readStorageUrl('gs://models//a/b%20c//?endpoint=http://127.0.0.1:4443', 'gs', ['endpoint']);
    assert.equal(url.place, 'models');
    assert.equal(url.prefix, 'a/b%20c/');
    assert.equal(url.options.get('endpoint'), 'http://127.0.0.1:4443');
    assert.equal(storageAddress(url), 'gs://models/a/b%20c?endpoint=http://127.0.0.1:4443');
    assert.equal(readStorageUrl('gs://models', 'gs', []).prefix, '');
  });

  test('names the option that was meant', () => {
    assert.throws(
      () => readStorageUrl('gs://models?userPorject=x', 'gs', ['endpoint', 'userProject']),
      (error) => error instanceof IngotError && error.nearest === 'userProject',
    );
  });

  test('with an option that nobody knows, or with dots for a segment, is refused, and its query is not repeated', async () => {
    await failsWith(async () => readStorageUrl('gs://models/../x', 'gs', []), 'usage');
    assert.throws(
      () => readStorageUrl('az://models?sig=secret', 'az', ['account']),
      (error) => error instanceof Error && !error.message.includes('secret'),
    );
  });
});

describe('a failure of the network', () => {
  const context = { operation: 'blob.read', address: 'gs://models', endpoint: 'https://host', setBy: 'X' };
  const failed = (code: string, cause?: unknown) => Object.assign(new Error(code, { cause }), { code });

  test('is unavailable and worth a retry, however deep the client hides it', () => {
    for (const error of [
      failed('ECONNREFUSED'),
      new Error('outer', { cause: failed('ECONNRESET') }),
      new Error('socket hang up'),
    ]) {
      const explained = networkFailure(error, context);
      assert.deepEqual(
        { code: explained?.code, retryable: explained?.retryable },
        { code: 'unavailable', retryable: true },
      );
    }
  });

  test('for want of trust in a certificate is not worth a retry, and names the variable', () => {
    const explained = networkFailure(failed('SELF_SIGNED_CERT_IN_CHAIN'), context);
    assert.equal(explained?.retryable, false);
    assert.match(explained?.hint ?? '', /NODE_EXTRA_CA_CERTS/);
  });

  test('is not seen in other failures', () => {
    assert.equal(networkFailure(new TypeError('oops'), context), undefined);
    assert.equal(networkFailure(failed('ENOENT'), context), undefined);
  });
});

describe('the cause of an error', () => {
  test('keeps name, code and message, and neither the request nor a signature', () => {
    const request = { url: 'https://host/x?sig=SECRET', headers: { authorization: 'Bearer SECRET' } };
    const cause = Object.assign(new Error('inner at https://host/x?sv=1&sig=SECRET'), { request });
    const error = Object.assign(new Error('failed: https://u:SECRET@host/', { cause }), {
      code: 'X',
      statusCode: 403,
      request,
    });
    error.name = 'RestError';
    const plain = plainCause(error);
    assert.equal(plain.name, 'RestError');
    assert.equal(Reflect.get(plain, 'code'), 'X');
    assert.equal(Reflect.get(plain, 'statusCode'), 403);
    const all = [
      plain.message,
      plain.stack,
      JSON.stringify(plain),
      plain.cause instanceof Error ? plain.cause.message : '',
    ];
    assert.ok(!all.join('\n').includes('SECRET'));
  });
});
