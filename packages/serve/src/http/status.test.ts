import { ERROR_CODES } from '@ingot/core/errors';
import { expect, test } from 'vitest';
import { httpStatus } from './status.ts';

test('every error code has an HTTP error status', () => {
  for (const code of ERROR_CODES) expect(httpStatus(code), code).toBeGreaterThanOrEqual(400);
});

test('what the caller can put right is a 4xx, what the server must put right is a 5xx', () => {
  expect(httpStatus('signature-mismatch')).toBe(422);
  expect(httpStatus('invalid-request')).toBe(400);
  expect(httpStatus('payload-too-large')).toBe(413);
  expect(httpStatus('overloaded')).toBe(429);
  expect(httpStatus('model-failed')).toBe(500);
  expect(httpStatus('model-not-ready')).toBe(503);
});
