import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { digestOf } from '../digest.ts';
import { PieceIndex, wordsOf } from './upload-index.ts';

const place = (n: number, own = false) => ({ pack: `u${n % 7}/${n % 3}`, offset: n * 10, length: n + 1, own });

describe('the index of an upload', () => {
  test('finds 100,000 pieces where they were noted, and no others, in 60 bytes each', () => {
    const index = new PieceIndex();
    const before = process.memoryUsage().arrayBuffers;
    for (let n = 0; n < 100_000; n += 1) index.add(wordsOf(digestOf(`${n}`)), place(n));
    assert.equal(index.size, 100_000);
    for (let n = 0; n < 100_000; n += 997) assert.deepEqual(index.find(wordsOf(digestOf(`${n}`))), place(n));
    for (let n = 0; n < 1000; n += 1) assert.equal(index.find(wordsOf(digestOf(`other ${n}`))), undefined);
    assert.ok(process.memoryUsage().arrayBuffers - before < 100_000 * 400);
  });

  test('keeps the place it noted first, until its pack is absent', () => {
    const index = new PieceIndex();
    const digest = wordsOf(digestOf('x'));
    index.add(digest, { ...place(1), coding: 'planes4-deflate' });
    index.add(digest, place(2, true));
    assert.deepEqual(index.find(digest), { ...place(1), coding: 'planes4-deflate' });
    index.forget([place(1).pack]);
    assert.equal(index.find(digest), undefined);
    assert.equal(index.wasOwn(digest), false);
    index.add(digest, place(2, true));
    assert.deepEqual(index.find(digest), place(2, true));
  });

  test('remembers that a piece was its own when it must be written again', () => {
    const index = new PieceIndex();
    const digest = wordsOf(digestOf('x'));
    index.add(digest, place(1, true));
    index.forget([place(1).pack]);
    assert.equal(index.wasOwn(digest), true);
    index.add(digest, place(2));
    assert.deepEqual(index.find(digest), place(2, true));
  });

  test('takes digests out of a list of many, and leaves out places it cannot hold', () => {
    const index = new PieceIndex();
    const [one, two] = [wordsOf(digestOf('1')), wordsOf(digestOf('2'))];
    const words = new Uint32Array([...one.words, ...two.words]);
    index.add({ words, from: 8 }, place(2));
    assert.deepEqual(index.find(two), place(2));
    assert.equal(index.find(one), undefined);
    index.add(one, { ...place(1), offset: 2 ** 33 });
    assert.equal(index.find(one), undefined);
  });
});
