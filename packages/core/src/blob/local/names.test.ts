import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { decodeSegment, encodeSegment } from './names.ts';

const segments = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 25 })
  .filter((text) => !/[/\0\\]/.test(text) && text !== '.' && text !== '..' && Buffer.byteLength(text) < 80);

describe('file names of keys', () => {
  test('read back what they were made from', () => {
    fc.assert(fc.property(segments, (segment) => assert.equal(decodeSegment(encodeSegment(segment)), segment)));
  });

  test('differ even where capitals and Unicode forms are folded, and are never hidden', () => {
    fc.assert(
      fc.property(segments, segments, (a, b) => {
        const [one, two] = [encodeSegment(a), encodeSegment(b)];
        assert.match(one, /^[a-z0-9_%-](?:[a-z0-9._%-]*[a-z0-9_%-])?$/);
        assert.equal(one === two, a === b);
      }),
    );
  });

  test('are the segment itself for every key that Ingot makes', () => {
    for (const segment of ['ingot.json', '0000000001.json', 'churn-0a1b2c3d4e5f6071', 'packs', '0.pack']) {
      assert.equal(encodeSegment(segment), segment);
    }
  });

  test('are none for files that others put into the directory', () => {
    for (const name of ['.tmp', '.DS_Store', 'Thumbs.db', '%61', '%2F', '%2f', '%', 'con', '..', 'trailing.', '%ff']) {
      assert.equal(decodeSegment(name), undefined, name);
    }
  });
});
