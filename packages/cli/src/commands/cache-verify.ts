import { IngotError } from '@ingot/core/errors';
import type { VerifiedEntry } from '@ingot/core/package/cache';
import type { Context, Result } from '../context.ts';
import { openCache } from '../open-cache.ts';
import { plain } from '../output/terminal.ts';
import { count, formatBytes } from '../output/units.ts';

const DAY_MS = 24 * 60 * 60_000;

/** `ingot cache verify`: reads cached packages, and removes those that are not what arrived. */
export async function run(context: Context): Promise<Result> {
  const before = dueBefore(context);
  await using cache = openCache(context.settings, context.now);
  const { signal, progress } = context;
  const packages = await cache.verify({ signal, onProgress: progress.onProgress, ...(before && { before }) });
  const bytes = packages.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const damaged = packages.filter((entry) => entry.damaged.length > 0);
  return {
    json: {
      packages: packages.map((entry) => ({ ...entry, model: entry.model ?? null })),
      bytes,
      damaged: damaged.length,
    },
    quiet: damaged.map((entry) => entry.path),
    human: () =>
      `${damaged.map(describe).join('')}${count(packages.length, 'package')} read, ${formatBytes(bytes)}: ${
        damaged.length === 0 ? 'all as they arrived' : `${damaged.length} damaged and removed`
      }\n`,
    ...(damaged.length === 0 ? {} : { failure: failureOf(damaged) }),
  };
}

function describe({ model, digest, damaged }: VerifiedEntry): string {
  const more = damaged.length > 3 ? ` and ${damaged.length - 3} more` : '';
  return `damaged  ${plain(model ?? digest)}  ${damaged.slice(0, 3).map(plain).join(', ')}${more}\n`;
}

function failureOf(damaged: readonly VerifiedEntry[]): IngotError {
  const names = damaged.map(({ model, digest }) => model ?? digest);
  return new IngotError(
    'integrity',
    `${count(damaged.length, 'cached package')} had other bytes: ${names.join(', ')}`,
    {
      operation: 'cache.verify',
      hint: 'they are fetched again when they are needed; a disk that does this should be looked at',
      details: { packages: damaged.map(({ digest }) => digest) },
    },
  );
}

function dueBefore(context: Context): Date | undefined {
  const text = context.arguments.text('older-than');
  if (text === undefined) return undefined;
  const days = Number(text.replace(/d$/, ''));
  if (text.trim() === '' || !Number.isFinite(days) || days < 0)
    throw new IngotError('usage', `"${text}" is not a number of days: write 30`);
  return new Date(context.now().getTime() - days * DAY_MS);
}
