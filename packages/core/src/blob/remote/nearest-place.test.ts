import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { IngotError } from '../../errors.ts';
import { withNearestPlace } from './nearest-place.ts';

const MISSING = new IngotError('store-not-found', 'there is no bucket "modells"', {
  hint: 'make it',
  operation: 'open',
});
const names = async () => ['models', 'other'];

describe('an error that says that a bucket is not there', () => {
  test('names the nearest one that is, and says all else as before', async () => {
    const said = await withNearestPlace(MISSING, 'modells', names, undefined);
    assert.equal(said.nearest, 'models');
    const { message, hint, operation } = said;
    assert.deepEqual({ message, hint, operation }, { message: MISSING.message, hint: 'make it', operation: 'open' });
  });

  test('stays as it is where none is near, nobody may list them, or the caller gave up', async () => {
    const refuse = () => Promise.reject(new Error('not allowed'));
    assert.equal(await withNearestPlace(MISSING, 'something-else', names, undefined), MISSING);
    assert.equal(await withNearestPlace(MISSING, 'modells', refuse, undefined), MISSING);
    assert.equal(await withNearestPlace(MISSING, 'modells', names, AbortSignal.abort()), MISSING);
  });

  test('no longer waits for names when the caller gives up', async () => {
    const controller = new AbortController();
    const never = (): Promise<readonly string[]> => {
      setImmediate(() => controller.abort());
      return new Promise(() => {});
    };
    assert.equal(await withNearestPlace(MISSING, 'modells', never, controller.signal), MISSING);
  });
});

test('any other error stays what it is, and nothing is listed', async () => {
  const busy = new IngotError('unavailable', 'later');
  const fail = () => assert.fail('nothing is to be listed');
  assert.equal(await withNearestPlace(busy, 'modells', fail, undefined), busy);
});
