import assert from 'node:assert/strict';
import { test } from 'vitest';
import { publishedWords } from './published-words.ts';

const words = (config: unknown, annotations = {}) =>
  publishedWords({ annotations }, Buffer.from(typeof config === 'string' ? config : JSON.stringify(config)));

test('what a publisher has written stands in the config, else in the annotations', () => {
  const annotations = {
    'org.opencontainers.image.description': 'noted',
    'org.opencontainers.image.authors': 'Ben',
  };
  const kit = { package: { description: 'a kit', authors: ['Ana', 'Ben'] }, model: { description: 'weights' } };
  assert.deepEqual(words(kit, annotations), { description: 'a kit', author: 'Ana, Ben' });
  assert.deepEqual(words({ package: {}, model: { description: 'weights' } }), { description: 'weights' });
  assert.deepEqual(words({ descriptor: { authors: ['Ana'] } }, annotations), { description: 'noted', author: 'Ana' });
  assert.deepEqual(words('no JSON', annotations), { description: 'noted', author: 'Ben' });
});

test('what is no text, or none that can be kept, is left out', () => {
  assert.deepEqual(words({ descriptor: { description: 7, authors: [{}, ''] } }), {});
  assert.deepEqual(words({ descriptor: { description: 'a\0b' }, package: ['x'] }), {});
  assert.equal(words({ descriptor: { description: 'x'.repeat(9000) } }).description?.length, 4000);
});
