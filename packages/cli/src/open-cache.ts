import { openPackageCache, type PackageCache } from '@ingot/core/package/cache';
import { cacheRoot } from './address.ts';
import type { CacheNeighbours } from '@ingot/core/package/cache-prune';
import { cachedEnvironments } from './cached-environments.ts';
import { cachedLayers, isCachedLayer } from './cached-layers.ts';
import type { Settings } from './settings/settings.ts';

/**
 * Opens the cache that the settings name: packages, the environments that were built for them, and what baking keeps,
 * bounded together by `cache-size`.
 */
export function openCache(settings: Settings, now: () => Date): PackageCache {
  const directory = cacheRoot(settings);
  const maxBytes = settings.number('cache-size');
  return openPackageCache({
    directory,
    neighbours: neighboursIn(directory),
    clock: now,
    ...(maxBytes !== undefined && { maxBytes }),
  });
}

function neighboursIn(directory: string): CacheNeighbours {
  const [environments, layers] = [cachedEnvironments(directory), cachedLayers(directory)];
  return {
    list: async () => [...(await environments.list()), ...(await layers.list())],
    remove: (one) => (isCachedLayer(directory, one) ? layers : environments).remove(one),
  };
}
