/** What a mirroring copies besides events and the packs they need. */

import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { bodyOf, readIfPresent } from './blob/bytes.ts';
import { isPackId } from './content/locator.ts';
import { parseRoot, ROOTS_PREFIX } from './content/roots.ts';
import type { StorePair } from './mirror-logs.ts';
import type { ListedLog } from './registry/care-logs.ts';

/** A root that stands for something lasting, with the packs it names. */
export interface LastingRoot {
  readonly key: string;
  readonly bytes: Buffer;
  readonly packs: readonly string[];
}

/** Kinds of roots that belong to work in flight in one store. */
const PASSING = /^roots\/(?:uploads|collections|mirrors)\//;

/**
 * Reads all roots that belong to no work in flight.
 * @throws IngotError `integrity` when one is damaged.
 */
export async function readLastingRoots(source: BlobStore, options: BlobOptions): Promise<readonly LastingRoot[]> {
  const found: LastingRoot[] = [];
  for await (const { key } of source.list(ROOTS_PREFIX, options)) {
    const bytes = PASSING.test(key) ? undefined : await readIfPresent(source, key, options);
    if (bytes !== undefined) found.push({ key, bytes, packs: parseRoot(bytes, key).filter(isPackId) });
  }
  return found;
}

/** Copies a log's segments and its newest head, of a length up to `upTo` events, but for those the mirror has. */
export async function copyCaches(
  { source, destination }: StorePair,
  { ours, theirs, upTo }: { readonly ours: ListedLog; readonly theirs?: ListedLog; readonly upTo: number },
  options: BlobOptions,
): Promise<void> {
  // They only save reading: without the newest of them a long log would be read event by event.
  const have = new Set([...(theirs?.heads ?? []), ...(theirs?.segments ?? [])]);
  const fits = (key: string): boolean => Number(/(\d{10})\.json$/.exec(key)?.[1]) <= upTo;
  for (const key of [...ours.segments.filter(fits), ...ours.heads.filter(fits).slice(-1)]) {
    if (have.has(key)) continue;
    const bytes = await readIfPresent(source, key, options);
    if (bytes !== undefined) await destination.write(key, bodyOf(bytes), options);
  }
}
