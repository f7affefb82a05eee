import { IngotError } from '@ingot/core/errors';
import type { Lifecycle } from '../../tracking/tables.ts';
import type { Fields } from './fields.ts';

/** Reads how many results are wanted: throws `usage` when there are less than the least (1, unless it is said) or more than the most. */
export function maxResults(fields: Fields, most: number, usual: number, least = 1): number {
  const wanted = fields.optionalInteger('max_results') ?? usual;
  if (wanted >= least && wanted <= most) return wanted;
  if (wanted < least)
    throw new IngotError('usage', `Invalid value for max_results. It must be a positive integer, but got ${wanted}`);
  throw new IngotError(
    'usage',
    `Invalid value ${wanted} for parameter 'max_results' supplied: it must be at most ${most}.`,
  );
}

const VIEWS = ['ACTIVE_ONLY', 'DELETED_ONLY', 'ALL'] as const;

/** Reads whether deleted ones are wanted; undefined: all. */
export function lifecycleOf(fields: Fields, key: string): Lifecycle | undefined {
  const view = fields.choice(key, VIEWS) ?? 'ACTIVE_ONLY';
  if (view === 'ALL') return undefined;
  return view === 'ACTIVE_ONLY' ? 'active' : 'deleted';
}
