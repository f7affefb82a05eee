import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { proxyFor } from './proxy.ts';

describe('a proxy', () => {
  test('is taken for HTTPS to hosts that NO_PROXY does not leave out', () => {
    const env = { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'localhost,.corp.example, *.internal' };
    assert.equal(proxyFor('https://storage.googleapis.com', env), 'http://proxy:3128');
    for (const endpoint of [
      'https://gcs.corp.example',
      'https://corp.example',
      'https://a.internal',
      'http://storage.googleapis.com',
    ])
      assert.equal(proxyFor(endpoint, env), undefined, endpoint);
    assert.equal(proxyFor('https://notcorp.example', env), 'http://proxy:3128');
    assert.equal(proxyFor('https://x', { https_proxy: 'http://p', no_proxy: '*' }), undefined);
    assert.equal(proxyFor('https://x', {}), undefined);
  });
});
