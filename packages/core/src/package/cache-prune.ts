import { type CacheEntry, discardFromCache } from './cache-shelf.ts';

/** What lies in the cache beside packages, and counts against the same bound: environments, for example. */
export interface CacheNeighbour {
  readonly sizeBytes: number;
  /** ISO 8601. */
  readonly usedAt: string;
  readonly path: string;
}

/** Lists and removes neighbours of one kind. Those that are in use are told by a file `used`, as for packages. */
export interface CacheNeighbours {
  list(): Promise<readonly CacheNeighbour[]>;
  /** Removes one, by one rename, so that nobody sees half of it. */
  remove(neighbour: CacheNeighbour): Promise<void>;
}

/** What pruning did, or would do. */
export interface PruneResult {
  readonly removed: readonly CacheEntry[];
  readonly kept: readonly CacheEntry[];
  /** Neighbours that went. */
  readonly neighbours: readonly CacheNeighbour[];
  /** How many stay above the bound because they are, or lately were, in use. */
  readonly inUse: number;
}

/** What pruning needs of a cache. */
export interface PruneOptions {
  readonly root: string;
  readonly entries: readonly CacheEntry[];
  readonly neighbours: CacheNeighbours | undefined;
  readonly maxBytes: number;
  /** Only says what would go. */
  readonly dryRun: boolean;
  readonly isHeld: (path: string) => Promise<boolean>;
}

/** Removes what was not used for longest, whatever it is, until `maxBytes` are left; what is in use stays. */
export async function pruneCache(options: PruneOptions): Promise<PruneResult> {
  const { root, entries, neighbours, maxBytes, dryRun, isHeld } = options;
  const others = (await neighbours?.list()) ?? [];
  const shelf = [
    ...entries.map((entry) => ({ entry, at: entry.usedAt, bytes: entry.sizeBytes, path: entry.path })),
    ...others.map((neighbour) => ({
      neighbour,
      at: neighbour.usedAt,
      bytes: neighbour.sizeBytes,
      path: neighbour.path,
    })),
  ].sort((a, b) => (a.at < b.at ? -1 : 1));
  let bytes = shelf.reduce((sum, item) => sum + item.bytes, 0);
  const removed: CacheEntry[] = [];
  const gone: CacheNeighbour[] = [];
  let inUse = 0;
  for (const item of shelf) {
    if (bytes <= maxBytes) break;
    if (await isHeld(item.path)) {
      inUse += 1;
      continue;
    }
    if ('entry' in item) {
      if (!dryRun) await discardFromCache(root, item.path);
      removed.push(item.entry);
    } else {
      if (!dryRun) await neighbours?.remove(item.neighbour);
      gone.push(item.neighbour);
    }
    bytes -= item.bytes;
  }
  return { removed, kept: entries.filter((entry) => !removed.includes(entry)), neighbours: gone, inUse };
}
