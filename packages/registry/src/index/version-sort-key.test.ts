import assert from 'node:assert/strict';
import { test } from 'vitest';
import { versionSortKey } from './version-sort-key.ts';

test('versions sort as Python sorts them', () => {
  const sorted = [
    '0.9', '1.0.dev1', '1.0a1.dev2', '1.0a1', '1.0a2', '1.0b1', '1.0rc1', '1.0', '1.0+abc', '1.0+1', '1.0+10',
    '1.0.post1.dev1', '1.0.post1', '1.0.1', '1.2', '1.10', '1.10.3', '2.0', '10', '2024.1', '20240101', '1!0.1',
  ]; // biome-ignore format: one line a group
  const keys = sorted.map((version) => versionSortKey(version) ?? assert.fail(version));
  assert.deepEqual([...keys].sort(), keys);
});

test('spellings of one version have one key, and other texts none', () => {
  const same = [
    ['1.0', '1', '1.0.0', 'v1.0'],
    ['1.0rc1', '1.0-c.1', '1.0pre1'],
    ['1.0.post1', '1.0-1', '1.0rev1'],
    ['0', '0.0'],
  ];
  for (const group of same) assert.equal(new Set(group.map(versionSortKey)).size, 1, group.join(' '));
  for (const text of ['', 'latest', '1.x', '1..2', '>=1', '1.0 2.0', '9'.repeat(300)])
    assert.equal(versionSortKey(text), undefined, text);
});
