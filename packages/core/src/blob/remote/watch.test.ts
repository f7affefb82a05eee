import assert from 'node:assert/strict';
import { describe, test, vi } from 'vitest';
import { isIngotError } from '../../errors.ts';
import { CallWatch } from './watch.ts';

const options = { operation: 'blob.read', address: 'gs://models', signal: undefined, silenceMs: 1000 };

describe('a watched call', () => {
  test('is given up after the silence that is allowed, counted from the last byte', () => {
    vi.useFakeTimers();
    try {
      using watch = new CallWatch(options);
      vi.advanceTimersByTime(900);
      watch.progress();
      vi.advanceTimersByTime(900);
      assert.equal(watch.signal.aborted, false);
      vi.advanceTimersByTime(200);
      assert.equal(watch.signal.aborted, true);
      const cause = watch.cause(new Error('aborted'));
      assert.ok(isIngotError(cause, 'unavailable') && cause.retryable);
      assert.equal(cause.message, 'gs://models was silent for 1 s');
    } finally {
      vi.useRealTimers();
    }
  });

  test('is not given up for time that the storage had to wait', () => {
    vi.useFakeTimers();
    try {
      using watch = new CallWatch(options);
      watch.pause();
      vi.advanceTimersByTime(10_000);
      assert.equal(watch.signal.aborted, false);
      watch.resume();
      vi.advanceTimersByTime(1100);
      assert.equal(watch.signal.aborted, true);
    } finally {
      vi.useRealTimers();
    }
  });

  test('ends with the caller’s signal, and says so whatever it failed with', async () => {
    const controller = new AbortController();
    using watch = new CallWatch({ ...options, signal: controller.signal });
    const raced = watch.race(new Promise<never>(() => {}));
    controller.abort(new Error('Ctrl-C'));
    await assert.rejects(raced, /Ctrl-C/);
    assert.ok(isIngotError(watch.cause(new Error('socket hang up')), 'interrupted'));
  });

  test('leaves other failures as they are', () => {
    using watch = new CallWatch(options);
    const failure = new Error('status 404');
    assert.equal(watch.cause(failure), failure);
  });
});
