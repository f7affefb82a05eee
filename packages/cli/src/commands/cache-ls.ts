import { DEFAULT_CACHE_BYTES } from '@ingot/core/package/cache';
import { cacheRoot } from '../address.ts';
import { listEnvironments } from '../cached-environments.ts';
import type { Context, Result } from '../context.ts';
import { openCache } from '../open-cache.ts';
import { formatTable } from '../output/table.ts';
import { plain } from '../output/terminal.ts';
import { formatAge, formatBytes } from '../output/units.ts';

/** `ingot cache ls`: lists cached packages and environments, the most recently used first. */
export async function run(context: Context): Promise<Result> {
  const directory = cacheRoot(context.settings);
  const packages = await openCache(context.settings, context.now).list();
  const environments = await listEnvironments(directory);
  const limit = context.settings.number('cache-size') ?? DEFAULT_CACHE_BYTES;
  const bytes = [...packages, ...environments].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const { out } = context.terminal;
  const rows = (): string[][] => [
    ...packages.map((entry) => [
      'package',
      plain(entry.model ?? ''),
      formatBytes(entry.sizeBytes),
      formatAge(entry.usedAt, context.now()),
      formatAge(entry.verifiedAt, context.now()),
      entry.path,
    ]),
    ...environments.map((entry) => [
      'environment',
      entry.python === undefined ? '' : `Python ${entry.python}`,
      formatBytes(entry.sizeBytes),
      formatAge(entry.usedAt, context.now()),
      '',
      entry.path,
    ]),
  ];
  const columns = [
    { title: 'KIND' },
    { title: 'MODEL' },
    { title: 'SIZE', align: 'right' as const },
    { title: 'USED' },
    { title: 'VERIFIED' },
    { title: 'PATH' },
  ];
  return {
    json: {
      packages: packages.map((entry) => ({ ...entry, model: entry.model ?? null })),
      environments,
      bytes,
      limitBytes: limit,
    },
    quiet: [...packages, ...environments].map((entry) => entry.path),
    human: () => {
      const total = `${formatBytes(bytes)} of ${formatBytes(limit)} in ${directory}\n`;
      if (packages.length + environments.length === 0) return total;
      return formatTable(columns, rows(), { width: Number.POSITIVE_INFINITY, colors: out.colors }) + total;
    },
  };
}
