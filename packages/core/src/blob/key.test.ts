import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, test } from 'vitest';
import { compareKeys } from './key.ts';

describe('the order of keys', () => {
  test('is that of their UTF-8 bytes', () => {
    // Fast-check's own list of all characters takes a second to make.
    const unit = fc
      .nat(0x10ffff)
      .filter((code) => code < 0xd800 || code > 0xdfff)
      .map((code) => String.fromCodePoint(code));
    const keys = fc.string({ unit, maxLength: 8 });
    fc.assert(
      fc.property(keys, keys, (a, b) => {
        assert.equal(Math.sign(compareKeys(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      { numRuns: 1000 },
    );
  });

  test('puts what is beyond the basic plane behind what is at its end', () => {
    assert.ok(compareKeys('\u{1f98a}', '\uffee') > 0);
  });
});
