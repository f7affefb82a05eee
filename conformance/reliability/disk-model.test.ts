import { describe, expect, it } from 'vitest';
import { randomOf } from '@ingot/core/seeded-random';
import { type Change, type Cut, DiskModel, type Tree } from './disk-model.ts';

const write = (path: string, text: string): Change => ({
  op: 'write',
  path,
  at: 0,
  data: Buffer.from(text).toString('base64'),
});

/** A file is written under a temporary name, then named. */
const CHANGES: readonly Change[] = [
  { op: 'mkdir', path: '/r/d' },
  { op: 'create', path: '/r/tmp' },
  write('/r/tmp', 'hello'),
  { op: 'link', from: '/r/tmp', to: '/r/d/a' },
  { op: 'unlink', path: '/r/tmp' },
];
const FLUSHED: readonly Change[] = [
  ...CHANGES.slice(0, 3),
  { op: 'sync', path: '/r/tmp', covers: 3 },
  { op: 'sync', path: '/r', covers: 3 },
  ...CHANGES.slice(3),
  { op: 'sync', path: '/r/d', covers: 7 },
];

function left(changes: readonly Change[], cut: Partial<Cut>, base: Tree = new Map()): Record<string, string> {
  const model = new DiskModel('/r', base, changes);
  const tree = model.after({ at: changes.length, model: 'anything', keep: 0, random: () => 0.5, ...cut });
  return Object.fromEntries([...tree].map(([path, bytes]) => [path, bytes === undefined ? '/' : bytes.toString()]));
}

describe('a power cut', () => {
  it('leaves everything when all is kept, and what was there before when nothing was flushed', () => {
    expect(left(CHANGES, { keep: 1 })).toEqual({ d: '/', 'd/a': 'hello' });
    expect(left(CHANGES, { keep: 1, at: 3 })).toEqual({ d: '/', tmp: 'hello' });
    expect(left(CHANGES, {})).toEqual({});
    expect(left(CHANGES, {}, new Map([['old', Buffer.from('x')]]))).toEqual({ old: 'x' });
  });

  it('leaves what was flushed, under the names that were flushed', () => {
    expect(left(FLUSHED, {})).toEqual({ d: '/', 'd/a': 'hello', tmp: 'hello' });
    expect(left(FLUSHED, { at: 7 })).toEqual({ d: '/', tmp: 'hello' });
    expect(left(FLUSHED, { at: 4 })).toEqual({});
  });

  it('leaves what is in a directory whose maker said so late, as flushed as it was', () => {
    const [made, ...rest] = FLUSHED;
    if (made === undefined) throw new Error('nothing was recorded');
    const late = [
      { op: 'mkdir', path: '/r/d/inner' } as const,
      made,
      ...rest.map((change) => (change.op === 'sync' ? { ...change, covers: change.covers + 1 } : change)),
    ];
    expect(left(late, { keep: 1 })).toEqual({ d: '/', 'd/inner': '/', 'd/a': 'hello' });
    expect(left(late, {})).toEqual({ d: '/', 'd/inner': '/', 'd/a': 'hello', tmp: 'hello' });
  });

  it('may leave a name without its contents, or a part of them', () => {
    const random = randomOf(1);
    const seen = new Set(Array.from({ length: 200 }, () => left(CHANGES, { keep: 0.5, random })['d/a']));
    expect([...seen]).toEqual(expect.arrayContaining(['', 'hello', 'h', '\0\0\0\0\0', undefined]));
  });

  it('leaves names in their order where there is a journal', () => {
    const random = randomOf(1);
    const seen = Array.from({ length: 200 }, () =>
      Object.keys(left(CHANGES, { model: 'journal', keep: 0.9, random })).join(' '),
    );
    expect(new Set(seen)).toEqual(new Set(['', 'd', 'd tmp', 'd tmp d/a', 'd d/a']));
  });
});
