import type { PackageCache } from '@ingot/core/package/cache';
import type { CacheEntry } from '@ingot/core/package/cache-shelf';
import { openPackageCache } from '@ingot/core/package/cache';
import { cacheRoot } from '../address.ts';
import type { Context, Result } from '../context.ts';
import { plain } from '../output/terminal.ts';
import { count, formatBytes, parseBytes } from '../output/units.ts';

const DEFAULT_KEEP = '20GB';

/** `ingot cache prune`: removes the packages that were not used for longest. */
export async function run(context: Context): Promise<Result> {
  const maxBytes = parseBytes(context.arguments.text('keep') ?? DEFAULT_KEEP);
  const dryRun = context.arguments.isOn('dry-run');
  const cache = openPackageCache({ directory: cacheRoot(context.settings), clock: context.now });
  const removed = dryRun ? await wouldRemove(cache, maxBytes) : (await cache.prune({ maxBytes })).removed;
  const bytes = removed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const verb = dryRun ? 'would remove' : 'removed';
  return {
    json: { removed: removed.map((entry) => ({ ...entry, model: entry.model ?? null })), bytes, dryRun },
    quiet: removed.map((entry) => entry.path),
    human: () =>
      `${removed.map((entry) => `${verb} ${plain(entry.model ?? entry.digest)}  ${formatBytes(entry.sizeBytes)}\n`).join('')}${verb} ${count(removed.length, 'package')}, ${formatBytes(bytes)}\n`,
  };
}

/** What pruning takes first; packages that a server holds now it would leave. */
async function wouldRemove(cache: PackageCache, maxBytes: number): Promise<readonly CacheEntry[]> {
  const entries = await cache.list();
  let bytes = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const removed: CacheEntry[] = [];
  for (const entry of [...entries].reverse()) {
    if (bytes <= maxBytes) break;
    removed.push(entry);
    bytes -= entry.sizeBytes;
  }
  return removed;
}
