import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { connectError } from './failures.ts';

const ADDRESS = { shown: 'sftp://ana@files.example.org/srv', user: 'ana' };

describe('a connection that does not come about', () => {
  test('for want of rights names who was refused with what, and where the key must stand', () => {
    const refused = Object.assign(new Error('All configured authentication methods failed'), {
      level: 'client-authentication',
    });
    const error = connectError(refused, ADDRESS, [
      { type: 'agent', username: 'ana', agent: '/run/agent' },
      { type: 'password', username: 'ana', password: 'hunter2' },
    ]);
    assert.equal(error.code, 'forbidden');
    assert.match(error.message, /"ana" was refused with the keys of the SSH agent and a password$/);
    assert.match(error.hint ?? '', /authorized_keys of "ana"/);
  });

  test('because nobody listens asks for the host and the port', () => {
    const error = connectError(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }), ADDRESS, []);
    assert.deepEqual([error.code, error.retryable], ['unavailable', true]);
    assert.match(error.hint ?? '', /port/);
  });
});
