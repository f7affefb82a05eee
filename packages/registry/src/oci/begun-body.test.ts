import assert from 'node:assert/strict';
import { IngotError, isIngotError } from '@ingot/core/errors';
import { describe, test } from 'vitest';
import { beginBody } from './begun-body.ts';
import type { OpenBlocks } from './incoming-body.ts';

const tooLarge = (most: number): IngotError => new IngotError('payload-too-large', `more than ${most} bytes`);

/** So many bytes, four at a time at most; then the sender may stop. */
function sent(text: string, stops = false): OpenBlocks & { closed(): boolean } {
  let [left, over, closed] = [Buffer.from(text), false, false];
  const open: OpenBlocks = (onStop) => ({
    get ended() {
      return over;
    },
    read: async (into) => {
      const some = left.subarray(0, Math.min(4, into.byteLength));
      into.set(some);
      left = left.subarray(some.byteLength);
      over = left.byteLength === 0;
      if (over && stops && onStop !== 'fail') onStop(new IngotError('interrupted', 'gone'));
      return some.byteLength;
    },
    close: async () => {
      closed = true;
    },
  });
  return Object.assign(open, { closed: () => closed });
}

async function readAll(body: Awaited<ReturnType<typeof beginBody>>, onStop: Parameters<OpenBlocks>[0]) {
  assert.ok(!('bytes' in body));
  const reader = body.blocks?.(onStop);
  const pieces: Buffer[] = [];
  while (reader !== undefined && !reader.ended) {
    const into = Buffer.alloc(3);
    pieces.push(into.subarray(0, await reader.read(into)));
  }
  return Buffer.concat(pieces).toString();
}

describe('a body of which nobody knows how long it is', () => {
  const options = { gathered: 3, most: 12, tooLarge };

  test('is gathered when it is small, and closed; one that breaks is an error then', async () => {
    const small = sent('abc');
    assert.deepEqual(await beginBody(small, options), { bytes: Buffer.from('abc') });
    assert.ok(small.closed());
    const broken = sent('abc', true);
    await assert.rejects(beginBody(broken, options), (error) => isIngotError(error, 'interrupted'));
    assert.ok(broken.closed());
  });

  test('is read whole when it is large, in either way, and never beyond the most that may come', async () => {
    assert.equal(await readAll(await beginBody(sent('abcdefghij'), options), 'fail'), 'abcdefghij');
    const body = await beginBody(sent('abcdefghij'), options);
    assert.ok(!('bytes' in body));
    const pieces: Uint8Array[] = [];
    for await (const piece of body.stream) pieces.push(piece);
    assert.equal(Buffer.concat(pieces).toString(), 'abcdefghij');
    const much = await beginBody(sent('abcdefghijklm'), options);
    await assert.rejects(readAll(much, 'fail'), (error) => isIngotError(error, 'payload-too-large'));
  });

  test('that breaks when it is large fails, or ends with all that came and says why', async () => {
    const failing = await beginBody(sent('abcdefgh', true), options);
    await assert.rejects(readAll(failing, 'fail'), (error) => isIngotError(error, 'interrupted'));
    let why: unknown;
    const kept = await beginBody(sent('abcdefgh', true), options);
    const text = await readAll(kept, (error) => {
      why = error;
    });
    assert.equal(text, 'abcdefgh');
    assert.ok(isIngotError(why, 'interrupted'));
  });
});
