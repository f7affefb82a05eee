import { IngotError } from '@ingot/core/errors';
import { expect, test } from 'vitest';
import { errorReply, loggedError } from './error-document.ts';

test('an error carries its text under "error" with code, hint, nearest and details beside it', () => {
  const thrown = new IngotError('signature-mismatch', 'row 0 has no "age"', {
    hint: 'add it',
    nearest: 'age',
    details: { missing: ['age'], error: 'overwritten' },
  });
  expect(errorReply(thrown)).toEqual({
    status: 422,
    document: {
      error: 'row 0 has no "age"',
      code: 'signature-mismatch',
      hint: 'add it',
      nearest: 'age',
      missing: ['age'],
    },
  });
});

test('a foreign error does not tell its text, which may hold paths and secrets', () => {
  const reply = errorReply(new Error('/home/ann/secret'));
  expect(reply.status).toBe(500);
  expect(JSON.stringify(reply.document)).not.toContain('secret');
});

test('a retryable error says when to come back', () => {
  expect(errorReply(new IngotError('overloaded', 'full')).retryAfterSeconds).toBe(1);
  expect(errorReply(new IngotError('model-failed', 'ValueError')).retryAfterSeconds).toBeUndefined();
});

test('the log has the reason of an error that was foreseen, and a stack only of others', () => {
  const cause = new Error('connect ECONNREFUSED');
  expect(loggedError(new IngotError('unavailable', 'the store does not answer', { cause }))).toBe(
    'unavailable: the store does not answer (connect ECONNREFUSED)',
  );
  expect(loggedError(new IngotError('unexpected', 'what?'))).toContain('error-document.test.ts');
  expect(loggedError(new TypeError('x is undefined'))).toContain('error-document.test.ts');
});
