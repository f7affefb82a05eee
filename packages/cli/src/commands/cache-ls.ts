import { openPackageCache } from '@ingot/core/package/cache';
import { cacheRoot } from '../address.ts';
import { listEnvironments } from '../cached-environments.ts';
import type { Context, Result } from '../context.ts';
import { formatTable } from '../output/table.ts';
import { plain } from '../output/terminal.ts';
import { formatAge, formatBytes } from '../output/units.ts';

/** `ingot cache ls`: lists cached packages and environments, the most recently used first. */
export async function run(context: Context): Promise<Result> {
  const directory = cacheRoot(context.settings);
  const packages = await openPackageCache({ directory, clock: context.now }).list();
  const environments = await listEnvironments(directory);
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
      '',
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
    json: { packages: packages.map((entry) => ({ ...entry, model: entry.model ?? null })), environments, bytes },
    quiet: [...packages, ...environments].map((entry) => entry.path),
    human: () => {
      const total = `${formatBytes(bytes)} in ${directory}\n`;
      if (packages.length + environments.length === 0) return total;
      return formatTable(columns, rows(), { width: Number.POSITIVE_INFINITY, colors: out.colors }) + total;
    },
  };
}
