import { openLogRegistry } from '@ingot/core/registry/open';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type TrialApp, trialApp } from '../http/testing/registry-app.ts';
import { playHistory } from '../index/testing/random-history.ts';
import type { FoundVersion } from './found-version.ts';
import { searchRegistry } from './search-registry.ts';
import { searchVersions } from './search-versions.ts';
import { chanceOf } from './testing/random.ts';

let trial: TrialApp;
let clock = Date.parse('2026-05-10T10:00:00.000Z');

beforeAll(async () => {
  // Each event has a time of its own.
  const now = (): Date => {
    clock += 1000;
    return new Date(clock);
  };
  trial = await trialApp({ protocols: [], now });
  await playHistory(trial.services.registry, 120, chanceOf(3).next);
});
afterAll(() => trial[Symbol.asyncDispose]());

const placeOf = ({ model, number, aliases, metrics, status }: FoundVersion) => ({
  model,
  number,
  aliases,
  metrics,
  status,
});

it.each([
  [''],
  ['name = churn'],
  ["metrics.auc > 0.5 OR tags.team = 'x'"],
  ['NOT alias IS NULL'],
  ["stage = 'Staging'"],
  ['status = retired'],
  ['label IS NOT NULL AND params.depth >= 3'],
  ['package:scikit-learn < 1.10 AND data = customers'],
  ['plain'],
  ["parent LIKE 'churn%' AND dirty = true"],
  ["name LIKE 'team/%' OR (name = digits AND size > 1)"],
])('finds in the logs what it finds in the index: %s', async (filter) => {
  const { blobs } = trial.services.store;
  await using logs = openLogRegistry({ blobs, actor: 'a' });
  const now = new Date(clock);
  for (const sort of ['name, version', '-metrics.auc, published', 'updated desc']) {
    const wanted = await searchVersions(trial.services.database, {
      filter,
      sort,
      limit: 1000,
      readable: undefined,
      now,
    });
    const { items, isCut } = await searchRegistry(logs, { filter, sort, now, filesOf: async () => [] });
    expect(isCut).toBe(false);
    // What no database holds stands in the logs as it was given, so descriptions may differ.
    expect(items.map(placeOf)).toEqual(wanted.items.map(placeOf));
    if (filter === '') expect(items.length).toBeGreaterThan(5);
  }
});

it('says that there is more than it was asked for', async () => {
  const { blobs } = trial.services.store;
  await using logs = openLogRegistry({ blobs, actor: 'a' });
  const found = await searchRegistry(logs, { limit: 2, now: new Date(), filesOf: async () => [] });
  expect(found).toMatchObject({ isCut: true, items: { length: 2 } });
});
