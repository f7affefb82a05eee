import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJsonBody, textOfJson } from './json-body.ts';

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

  test.each([
    ['of another charset', Buffer.from('"\u00e4"', 'latin1'), 'application/json; charset=latin1', 'not as latin1'],
    ['of another charset in quotes', Buffer.from('{}'), 'application/json;charset="UTF-16"', 'not as UTF-16'],
    ['that says nothing and is no UTF-8', Buffer.from('"\u00e4"', 'latin1'), 'application/json', 'not UTF-8'],
    ['that ends within a letter', Buffer.from('"\u00e4').subarray(0, 2), undefined, 'not UTF-8'],
    ['with half of a surrogate pair', Buffer.from([0x22, 0xed, 0xa0, 0xbd, 0x22]), undefined, 'not UTF-8'],
  ])('%s is refused, not stored with other letters', (_, bytes, type, said) => {
    expect(() => textOfJson(bytes, type)).toThrow(said);
  });

  test('is UTF-8, whether it says so or not', () => {
    for (const type of ['application/json', 'application/json; charset=utf-8', 'application/json; Charset="UTF8"'])
      expect(textOfJson(Buffer.from('"\u00e4 \u6a21 \ud83d\ude00"'), type)).toBe('"\u00e4 \u6a21 \ud83d\ude00"');
  });
});
