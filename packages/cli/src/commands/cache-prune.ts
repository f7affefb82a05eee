import { DEFAULT_CACHE_BYTES } from '@ingot/core/package/cache';
import { cacheRoot } from '../address.ts';
import { isCachedLayer } from '../cached-layers.ts';
import type { Context, Result } from '../context.ts';
import { openCache } from '../open-cache.ts';
import { plain } from '../output/terminal.ts';
import { count, formatBytes, parseBytes } from '../output/units.ts';

/** `ingot cache prune`: removes the packages and environments that were not used for longest; what is in use stays. */
export async function run(context: Context): Promise<Result> {
  const keep = context.arguments.text('keep');
  const maxBytes =
    keep === undefined ? (context.settings.number('cache-size') ?? DEFAULT_CACHE_BYTES) : parseBytes(keep);
  const dryRun = context.arguments.isOn('dry-run');
  await using cache = openCache(context.settings, context.now);
  const { removed, neighbours, inUse } = await cache.prune({ maxBytes, dryRun });
  const root = cacheRoot(context.settings);
  const layers = neighbours.filter((one) => isCachedLayer(root, one));
  const environments = neighbours.filter((one) => !isCachedLayer(root, one));
  const all = [...removed, ...neighbours];
  const bytes = all.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const verb = dryRun ? 'would remove' : 'removed';
  const lines = [
    ...removed.map((entry) => `${verb} ${plain(entry.model ?? entry.digest)}  ${formatBytes(entry.sizeBytes)}\n`),
    ...environments.map((entry) => `${verb} environment ${plain(entry.path)}  ${formatBytes(entry.sizeBytes)}\n`),
    ...layers.map((entry) => `${verb} layer ${plain(entry.path)}  ${formatBytes(entry.sizeBytes)}\n`),
  ];
  const parts = [
    count(removed.length, 'package'),
    count(environments.length, 'environment'),
    ...(layers.length === 0 ? [] : [count(layers.length, 'layer')]),
  ];
  return {
    json: {
      removed: removed.map((entry) => ({ ...entry, model: entry.model ?? null })),
      environments,
      layers,
      bytes,
      inUse,
      dryRun,
    },
    quiet: all.map((entry) => entry.path),
    human: () =>
      `${lines.join('')}${verb} ${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}, ${formatBytes(bytes)}\n`,
    notes: inUse === 0 ? [] : [`${inUse} more would go, and stay: they were used within the last 15 minutes`],
  };
}
