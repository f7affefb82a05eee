import { openPackageCache, type PackageCache } from '@ingot/core/package/cache';
import { cacheRoot } from './address.ts';
import { cachedEnvironments } from './cached-environments.ts';
import type { Settings } from './settings/settings.ts';

/**
 * Opens the cache that the settings name: packages, and the environments that were built for them, bounded together by
 * `cache-size`.
 */
export function openCache(settings: Settings, now: () => Date): PackageCache {
  const directory = cacheRoot(settings);
  const maxBytes = settings.number('cache-size');
  return openPackageCache({
    directory,
    neighbours: cachedEnvironments(directory),
    clock: now,
    ...(maxBytes !== undefined && { maxBytes }),
  });
}
