import { describe, expect, test } from 'vitest';
import { parseDigest } from '../digest.ts';
import { type CacheNeighbour, pruneCache } from './cache-prune.ts';
import type { CacheEntry } from './cache-shelf.ts';

const entry = (day: number, sizeBytes: number): CacheEntry => ({
  digest: parseDigest(`sha256:${String(day).padStart(64, '0')}`),
  model: `m${day}`,
  sizeBytes,
  usedAt: `2026-01-0${day}T00:00:00.000Z`,
  verifiedAt: '2026-01-01T00:00:00.000Z',
  path: `/cache/packages/${day}`,
});

function shelf(held: readonly string[] = []) {
  const removed: string[] = [];
  const environments: CacheNeighbour[] = [
    { path: '/cache/environments/old', sizeBytes: 100, usedAt: '2026-01-02T00:00:00.000Z' },
    { path: '/cache/environments/new', sizeBytes: 100, usedAt: '2026-01-04T00:00:00.000Z' },
  ];
  return {
    removed,
    options: {
      root: '/cache/packages',
      entries: [entry(5, 10), entry(3, 10), entry(1, 10)],
      neighbours: {
        list: async () => environments,
        remove: async ({ path }: CacheNeighbour) => void removed.push(path),
      },
      isHeld: async (path: string) => held.includes(path),
    },
  };
}

describe('what a full cache gives up', () => {
  test('is what was used longest ago, package or environment', async () => {
    const { options, removed } = shelf();
    const pruned = await pruneCache({ ...options, maxBytes: 125, dryRun: true });
    expect(pruned.removed.map(({ model }) => model)).toEqual(['m1']);
    expect(pruned.neighbours.map(({ path }) => path)).toEqual(['/cache/environments/old']);
    expect(removed).toEqual([]);
  });

  test('is never what is in use, which is counted', async () => {
    const { options, removed } = shelf([
      '/cache/packages/1',
      '/cache/environments/old',
      '/cache/packages/3',
      '/cache/packages/5',
    ]);
    const pruned = await pruneCache({ ...options, maxBytes: 0, dryRun: false });
    expect(pruned).toMatchObject({ removed: [], inUse: 4 });
    expect(removed).toEqual(['/cache/environments/new']);
  });

  test('is nothing as long as all fits', async () => {
    const { options } = shelf();
    expect(await pruneCache({ ...options, maxBytes: 230, dryRun: false })).toMatchObject({
      removed: [],
      neighbours: [],
      inUse: 0,
    });
  });
});
