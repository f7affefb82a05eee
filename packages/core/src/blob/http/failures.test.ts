import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { networkError, statusError } from './failures.ts';

const wordsOf = (operation: string) => ({
  operation,
  url: 'https://files.example.org/models/a',
  credentialsHint: 'set INGOT_WEBDAV_USER',
});

describe('a failed request', () => {
  test('that a reader sent to write says that it may be the right to write that is missing', () => {
    assert.match(statusError(401, {}, wordsOf('blob.write')).message, /or does not let this user write \(HTTP 401\)$/);
    assert.doesNotMatch(statusError(401, {}, wordsOf('blob.read')).message, /write/);
    for (const verb of ['read', 'write'])
      assert.equal(statusError(401, {}, wordsOf(`blob.${verb}`)).hint, 'set INGOT_WEBDAV_USER');
  });

  test('to a path without WebDAV asks whether it is switched on there', () => {
    const error = statusError(405, {}, wordsOf('blob.list'));
    assert.deepEqual([error.code, /path.*WebDAV/.test(error.hint ?? '')], ['refused', true]);
  });

  test('to a host where nobody listens asks for the host and the port', () => {
    const error = networkError(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }), wordsOf('blob.read'));
    assert.deepEqual([error.code, error.retryable], ['unavailable', true]);
    assert.match(error.hint ?? '', /host and port/);
  });
});
