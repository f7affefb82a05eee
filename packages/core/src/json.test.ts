import assert from 'node:assert/strict';
import { test } from 'vitest';
import { canonicalJson, parseJson } from './json.ts';

test('equal values give equal bytes, whatever the order of their keys and whatever these are called', () => {
  assert.equal(canonicalJson({ b: 1, a: [true, { d: null, c: undefined }] }), '{"a":[true,{"d":null}],"b":1}');
  const parsed: unknown = JSON.parse('{"z":1,"__proto__":{"y":2,"x":3},"Z":4}');
  assert.equal(canonicalJson(parsed), '{"Z":4,"__proto__":{"x":3,"y":2},"z":1}');
  assert.equal(canonicalJson([undefined, 'é']), '[null,"é"]');
});

test('a text that is no JSON is undefined, and one that is null is null', () => {
  assert.equal(parseJson('<html>'), undefined);
  assert.equal(parseJson(''), undefined);
  assert.equal(parseJson('null'), null);
  assert.deepEqual(parseJson('{"a":[1]}'), { a: [1] });
});
