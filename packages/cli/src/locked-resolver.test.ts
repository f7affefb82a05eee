import { parseDigest } from '@ingot/core/digest';
import { IngotError } from '@ingot/core/errors';
import { parseReference } from '@ingot/core/ref';
import type { ResolvedVersion, VersionResolver } from '@ingot/core/registry/registry';
import { describe, expect, test } from 'vitest';
import type { LockFile } from './lock-file.ts';
import { lockedResolver } from './locked-resolver.ts';

const digest = (letter: string) => parseDigest(`sha256:${letter.repeat(64)}`);
const LOCKED = {
  model: parseReference('churn').name,
  modelId: 'churn-1',
  number: 7,
  manifest: digest('a'),
  recipe: { digest: digest('b'), pack: 'p/0', offset: 0, length: 1 },
  seq: 12,
};
const lock: LockFile = { path: '/srv/ingot.lock', references: new Map([['churn@production', LOCKED]]) };
const production = parseReference('churn@production');

const answering = (change: Partial<ResolvedVersion> = {}): VersionResolver => ({
  resolve: async (reference) => ({ ...LOCKED, reference, seq: 20, ...change }),
});
const failing = (code: 'unavailable' | 'version-not-found' | 'forbidden'): VersionResolver => ({
  resolve: async () => {
    throw new IngotError(code, 'no');
  },
});

describe('a pinned reference', () => {
  test('is its version, whatever the alias names', async () => {
    const asked: string[] = [];
    const inner: VersionResolver = {
      resolve: async (reference) => {
        asked.push(JSON.stringify(reference.selector));
        return { ...LOCKED, reference };
      },
    };
    expect(await lockedResolver(inner, { lock }).resolve(production)).toMatchObject({
      number: 7,
      reference: production,
    });
    expect(asked).toEqual(['{"kind":"version","number":7}']);
  });

  test('is had from the lock alone while the store does not answer', async () => {
    expect(await lockedResolver(failing('unavailable'), { lock }).resolve(production)).toEqual({
      ...LOCKED,
      reference: production,
    });
  });

  test.each([
    ['another package under its number', answering({ manifest: digest('c') }), 'integrity'],
    ['a model that was made anew', answering({ modelId: 'churn-2' }), 'conflict'],
    ['no such version', failing('version-not-found'), 'conflict'],
    ['no leave to look', failing('forbidden'), 'forbidden'],
  ])('is refused when the store has %s', async (_, inner, code) => {
    await expect(lockedResolver(inner, { lock }).resolve(production)).rejects.toMatchObject({ code });
  });
});

describe('a reference that is not pinned', () => {
  test('is resolved as ever, and refused where only pinned ones are allowed', async () => {
    const other = parseReference('churn@staging');
    expect(await lockedResolver(answering({ number: 9 }), { lock }).resolve(other)).toMatchObject({ number: 9 });
    await expect(lockedResolver(answering(), { lock, strict: true }).resolve(other)).rejects.toMatchObject({
      code: 'conflict',
      hint: 'ingot lock churn@staging',
    });
  });
});
