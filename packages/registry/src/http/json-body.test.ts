import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJsonBody } from './json-body.ts';

describe('a JSON body', () => {
  test('is what JSON.parse makes of it', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        if (/"__proto__":/.test(text)) return;
        expect(parseJsonBody(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    ['a key twice', '{"a":1,"a":2}', 'the key "a" twice'],
    ['a key twice, once escaped', '{"a":1,"\\u0061":2}', 'the key "a" twice'],
    ['a key twice in an inner object', '{"x":[{"b":{},"c":[1,2],"b":0}]}', 'the key "b" twice'],
    ['__proto__', '{"__proto__":{"admin":true}}', '"__proto__"'],
    ['__proto__ with escapes', '{"\\u005f_proto__":1}', '"__proto__"'],
    ['U+0000', '{"a":["b\\u0000c"]}', 'U+0000: "b\\u0000c"'],
    ['U+0000 in a key', '{"b\\u0000c":1}', 'U+0000'],
    ['half of a surrogate pair', '{"a":"\\uD83D"}', 'U+D83D: "\\ud83d"'],
    ['the other half', '"\\udc00\\ud83d"', 'U+DC00'],
    ['no JSON', '{"a":', 'no JSON'],
    ['nothing', '', 'no JSON'],
  ])('with %s is refused', (_, text, said) => {
    expect(() => parseJsonBody(text)).toThrow(said);
  });

  test('with 65 levels is refused, with 64 taken', () => {
    const nested = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;
    expect(() => parseJsonBody(nested(65))).toThrow('64 levels');
    expect(parseJsonBody(nested(64))).toBeDefined();
  });

  test('may say a character beyond U+FFFF by two escapes, and a backslash before what looks like one', () => {
    expect(parseJsonBody('["\\ud83d\\ude00","\\\\u0000"]')).toEqual(['😀', '\\u0000']);
  });

  test('may repeat a key in another object, and a value that is a key elsewhere', () => {
    expect(parseJsonBody('{"a":{"a":"a"},"b":["a","a",{"a":1}]}')).toEqual({ a: { a: 'a' }, b: ['a', 'a', { a: 1 }] });
  });
});
