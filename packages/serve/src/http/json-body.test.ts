import { isIngotError } from '@ingot/core/errors';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseExactly, parseJsonBody, withExactIntegers } from './json-body.ts';

const limits = { jsonDepth: 64 };

test('parsing exactly equals JSON.parse wherever doubles suffice', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const text = JSON.stringify(value);
      const parsed: unknown = JSON.parse(text);
      const exact = JSON.stringify(parseExactly(text), (_key, part: unknown) =>
        typeof part === 'bigint' ? Number(part) : part,
      );
      expect(exact).toBe(JSON.stringify(parsed));
    }),
  );
});

test('whole numbers beyond 2^53 keep their digits, fractions and text stay as they are', () => {
  expect(
    parseExactly('[9223372036854775807, -9007199254740993, 0.1234567890123456, "9223372036854775807", 1e30]'),
  ).toEqual([9223372036854775807n, -9007199254740993n, 0.1234567890123456, '9223372036854775807', 1e30]);
});

test('decoding is tried once more with exact integers only where the text has long digits', () => {
  const seen: unknown[] = [];
  const decode = (value: unknown): unknown => {
    seen.push(value);
    if (typeof value === 'number') throw new Error('too large');
    return value;
  };
  expect(withExactIntegers(parseJsonBody(Buffer.from('9223372036854775807'), limits), decode)).toBe(
    9223372036854775807n,
  );
  expect(() => withExactIntegers(parseJsonBody(Buffer.from('12'), limits), decode)).toThrow('too large');
  expect(seen).toHaveLength(3);
});

test('a large body nested too deep is refused before it is parsed, a string full of brackets is not', () => {
  const refused = (text: string): boolean => {
    try {
      parseJsonBody(Buffer.from(text), limits);
      return false;
    } catch (thrown) {
      return isIngotError(thrown, 'invalid-request') && thrown.message.includes('deeper');
    }
  };
  const deep = 100_000;
  expect(refused(`${'['.repeat(deep)}${' '.repeat(1_000_000)}${']'.repeat(deep)}`)).toBe(true);
  expect(refused(`["${'['.repeat(1_200_000)}\\""]`)).toBe(false);
  expect(refused(`[${'[1],'.repeat(300_000)}1]`)).toBe(false);
});

test('text that is no JSON says where it breaks', () => {
  expect(() => parseJsonBody(Buffer.from('[1, NaN]'), limits)).toThrow(/no JSON/);
  expect(() => parseJsonBody(Buffer.from(''), limits)).toThrow(/empty/);
});

test('__proto__ is a key like any other and pollutes nothing', () => {
  const { value } = parseJsonBody(Buffer.from('{"__proto__": {"polluted": true}}'), limits);
  expect(Object.hasOwn(Object(value), '__proto__')).toBe(true);
  expect('polluted' in {}).toBe(false);
  parseExactly('{"__proto__": {"polluted": 9223372036854775807}}');
  expect('polluted' in {}).toBe(false);
});
