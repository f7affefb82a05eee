import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isIngotError } from '../errors.ts';
import { captureBytes, parseCapture, readCapture } from './captured.ts';

test('every part of a captured document may be missing, and unknown parts are dropped', () => {
  expect(parseCapture({})).toEqual({});
  expect(parseCapture({ flavor: 'sklearn', later: { x: 1 }, params: null })).toEqual({ flavor: 'sklearn' });
});

test('a whole document is read as it is and gives the same bytes whatever the order of its keys', () => {
  const document = {
    flavor: 'sklearn',
    signature: {
      inputs: [
        { name: 'x', type: 'categorical', categories: ['a', 1, true] },
        { name: 'when', type: 'datetime', timezone: 'Europe/Berlin' },
      ],
      outputs: [{ name: 'y', type: 'tensor', dtype: 'FP32', shape: [-1, 2] }],
      origin: 'captured',
      partial: true,
    },
    example: { inputs: [{ x: 'a' }], predictions: [[0.1, null]] },
    params: { nested: { list: [1, 'a', null] } },
    metrics: { auc: 0.97 },
    tags: { a: 'b' },
    lineage: { git: { commit: 'abc', dirty: true, branch: 'main' }, data: [{ name: 'd' }], parents: ['churn:6'] },
    environment: { python: '3.11.7', requirements: ['a==1'] },
    serializer: { name: 'pickle', executesCode: true },
    model: { class: 'sklearn.X' },
  };
  expect(parseCapture(document)).toEqual(document);
  const reversed = Object.fromEntries(Object.entries(document).reverse());
  expect(captureBytes(parseCapture(reversed))).toEqual(captureBytes(parseCapture(document)));
});

test.each([
  ['[]', 'captured should be an object'],
  ['{"metrics": {"auc": "high"}}', 'captured.metrics.auc should be a number, not "high"'],
  [
    '{"signature": {"inputs": [{"name": "x", "type": "int"}], "outputs": []}}',
    'captured.signature.inputs[0].type should be one of float',
  ],
  ['{"lineage": {"git": {"commit": 1, "dirty": false}}}', 'captured.lineage.git.commit should be a text'],
  ['{', 'is not JSON'],
])('%s is refused, naming the field and its value', (source, message) => {
  expect(() => readCapture(source)).toThrow(
    expect.objectContaining({ code: 'usage', message: expect.stringContaining(message) }),
  );
});

test('any JSON value is either read or refused with usage, and pollutes no prototype', () => {
  fc.assert(
    fc.property(fc.json(), (source) => {
      try {
        readCapture(source);
      } catch (error) {
        expect(isIngotError(error, 'usage')).toBe(true);
      }
    }),
    { numRuns: 300 },
  );
  readCapture('{"__proto__": {"polluted": 1}, "tags": {"__proto__": "x"}}');
  expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
});
