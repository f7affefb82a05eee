import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { bodyOf } from '../../blob/bytes.ts';
import { createMemoryBlobStore } from '../../blob/memory.ts';
import { IngotError } from '../../errors.ts';
import { encodeMoved, followMoved, type MovedRange, movedKey, parseMoved, readFollowing, relocated } from './moved.ts';

const RANGES: readonly MovedRange[] = [
  { offset: 100, length: 50, pack: 'new/1', newOffset: 0 },
  { offset: 0, length: 30, pack: 'new/0', newOffset: 0 },
  { offset: 30, length: 20, pack: 'new/0', newOffset: 30 },
];

describe('a moved file', () => {
  test('tells where each byte of an entry lies now, neighbours as one range', () => {
    const moved = parseMoved(encodeMoved(RANGES), 'm');
    assert.equal(moved.ranges.length, 2);
    assert.deepEqual(relocated(moved, { offset: 30, length: 20 }), { pack: 'new/0', offset: 30, length: 20 });
    assert.deepEqual(relocated(moved, { offset: 110, length: 40 }), { pack: 'new/1', offset: 10, length: 40 });
  });

  test('says of bytes that were not moved, or only in part, that they are nowhere', () => {
    const moved = parseMoved(encodeMoved(RANGES), 'm');
    for (const [offset, length] of [
      [50, 1],
      [99, 2],
      [140, 11],
      [200, 1],
      [40, 20],
    ] as const)
      assert.equal(relocated(moved, { offset, length }), undefined);
    assert.equal(relocated({ ranges: [] }, { offset: 0, length: 1 }), undefined);
  });

  test('is damaged when any bit of it changes', () => {
    const bytes = encodeMoved(RANGES);
    for (let bit = 0; bit < (bytes.byteLength - 1) * 8; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.throws(() => parseMoved(flipped, 'm'), String(flipped));
    }
  });

  test('may lead to a pack that was moved again, but not in a circle', async () => {
    const blobs = createMemoryBlobStore();
    const range = (pack: string): MovedRange => ({ offset: 0, length: 10, pack, newOffset: 0 });
    await blobs.write(movedKey('a/0'), bodyOf(encodeMoved([range('b/0')])));
    await blobs.write(movedKey('b/0'), bodyOf(encodeMoved([range('c/0')])));
    const lost = { pack: 'a/0', offset: 2, length: 3 };
    assert.equal(await followMoved(blobs, lost), undefined);
    await blobs.write('packs/c/0.pack', bodyOf('x'));
    assert.deepEqual(await followMoved(blobs, lost), { pack: 'c/0', offset: 2, length: 3 });
    await blobs.delete('packs/c/0.pack');
    await blobs.write(movedKey('c/0'), bodyOf(encodeMoved([range('a/0')])));
    await assert.rejects(followMoved(blobs, lost), /circle/);
  });

  test('is followed as often as what it leads to is moved while it is read', async () => {
    const blobs = createMemoryBlobStore();
    const range = (pack: string): MovedRange => ({ offset: 0, length: 10, pack, newOffset: 0 });
    await blobs.write(movedKey('a/0'), bodyOf(encodeMoved([range('b/0')])));
    await blobs.write('packs/b/0.pack', bodyOf('0123456789'));
    const tried: string[] = [];
    const read = async ({ pack }: { readonly pack: string }) => {
      tried.push(pack);
      // Another collection moves it on between the look for it and the reading of it.
      if (pack === 'b/0') {
        await blobs.write(movedKey('b/0'), bodyOf(encodeMoved([range('c/0')])));
        await blobs.write('packs/c/0.pack', bodyOf('0123456789'));
        await blobs.delete('packs/b/0.pack');
      }
      if ((await blobs.stat(`packs/${pack}.pack`)) === undefined) throw new IngotError('content-not-found', pack);
      return pack;
    };
    assert.equal(await readFollowing(blobs, { pack: 'a/0', offset: 2, length: 3 }, read), 'c/0');
    assert.deepEqual(tried, ['a/0', 'b/0', 'c/0']);
    await assert.rejects(readFollowing(blobs, { pack: 'x/0', offset: 0, length: 1 }, read), /x\/0/);
  });
});
