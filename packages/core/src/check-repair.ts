import { randomBytes } from 'node:crypto';
import type { BlobOptions, BlobStore } from './blob/blob-store.ts';
import { check, type CheckOptions } from './check.ts';
import type { CheckResult, Damage } from './check-report.ts';
import { EntryFinder } from './content/check/find-entries.ts';
import { openEntryHasher } from './content/check/hash-entries.ts';
import { type MendedPack, mendMoved, mendPack } from './content/check/mend-pack.ts';
import { checkWritable, openStore, type StoreFormat } from './content/store-format.ts';
import { digestOfRow, LiveIndex } from './content/sweep/live-index.ts';
import { IngotError, isIngotError } from './errors.ts';
import { listLogs } from './registry/care-logs.ts';
import { mendEvent } from './registry/care-mend.ts';
import { numberedKey } from './registry/log-files.ts';
import type { Digest } from './digest.ts';

/** Options of {@link repair}. */
export interface RepairOptions extends Omit<CheckOptions, 'onNeeded'> {
  /** Where good copies are: a mirror, or any store that holds the same contents. */
  readonly from: BlobStore;
  /** Default: the system's random bytes. */
  readonly random?: (size: number) => Uint8Array;
}

/** What a repair did. */
export interface RepairResult {
  /** The store as it is now. */
  readonly after: CheckResult;
  readonly packs: readonly MendedPack[];
  /** Events that were put back from a mirror, by key. */
  readonly events: readonly string[];
  /** Caches that were damaged and are deleted. */
  readonly deleted: readonly string[];
}

/** Recipes first, then what they list: each round may show damage that nobody could see before. */
const MOST_ROUNDS = 5;

/**
 * Checks a store and mends what is damaged or missing with verified copies from another one. Nothing is overwritten;
 * what cannot be mended stays as it is. Events come from a mirror only, and such as the chain around them vouches for;
 * `ingot.json` is not mended: only a backup can say what it was.
 * @throws IngotError as {@link check} does, `refused` for a store that is governed or only read.
 */
export async function repair(options: RepairOptions): Promise<RepairResult> {
  const { blobs, from, signal } = options;
  const call: BlobOptions = signal ? { signal } : {};
  const format = await openStore(blobs, call);
  if (format.governed) checkWritable(format, blobs.address);
  if (blobs.capabilities.readOnly) throw new IngotError('refused', `${blobs.address} can only be read`);
  const packs = new Map<string, MendedPack>();
  const deleted: string[] = [];
  const events: string[] = [];
  const other = await formatOf(from, call);
  // Of two that were one once, and are no more, each has its own history behind where they parted.
  const isTwin = other?.id === format.id && other.detached === undefined && format.detached === undefined;
  for (let round = 1; ; round += 1) {
    let index = new LiveIndex(true);
    const found = await check({ ...options, onNeeded: (needed) => (index = needed) });
    const before = packs.size + deleted.length + events.length;
    if (round <= MOST_ROUNDS) await mend(found, index);
    if (packs.size + deleted.length + events.length === before)
      return { after: found, packs: [...packs.values()], events, deleted };
  }

  async function mend(found: CheckResult, index: LiveIndex): Promise<void> {
    for (const { key } of found.damage.filter(({ sort }) => sort === 'cache')) {
      await blobs.delete(key, call);
      deleted.push(key);
    }
    const broken = isTwin ? found.damage.filter(isLog).map(({ key }) => key) : [];
    // A mirror is never ahead of what it follows, unless that lost its newest events.
    if (isTwin && other.follows !== undefined) broken.push(...(await eventsBehind(blobs, from, call)));
    for (const key of broken) {
      if (!events.includes(key) && (await mendEvent(blobs, from, key, call))) events.push(key);
    }
    const finder = new EntryFinder(from, () => digestsOf(index), call);
    await using hasher = openEntryHasher(blobs, 0, call);
    const knowsAll = !found.versions.some(({ files }) => files.length === 0) && !found.damage.some(isLog);
    for (const { pack, key } of found.damage) {
      const moved = /^packs\/(.+)\.moved$/.exec(key)?.[1];
      if (moved !== undefined && !packs.has(key) && (await mendMoved(blobs, from, moved, call)))
        packs.set(key, { pack: moved, mended: true, fetched: 0, bytes: 0 });
      if (pack === undefined || packs.get(pack)?.mended === true) continue;
      const run = `mend-${Buffer.from((options.random ?? randomBytes)(12)).toString('hex')}`;
      const result = await mendPack(pack, { ...call, blobs, finder, hasher, run, knowsAll, rows: index.rows(pack) });
      if (result.mended) packs.set(pack, result);
      else if (!packs.has(pack)) packs.set(pack, result);
    }
  }
}

/** What another store says of itself; undefined when it is no store but a place with packs. */
async function formatOf(blobs: BlobStore, options: BlobOptions): Promise<StoreFormat | undefined> {
  try {
    return await openStore(blobs, options);
  } catch (error) {
    if (isIngotError(error, 'store-not-found', 'integrity')) return undefined;
    throw error;
  }
}

/** Keys of the events that a mirror has behind the newest of each log here. */
async function eventsBehind(blobs: BlobStore, mirror: BlobStore, options: BlobOptions): Promise<readonly string[]> {
  const { logs: there } = await listLogs(mirror, options);
  const { logs: here } = await listLogs(blobs, options);
  return [...there].flatMap(([id, { prefix, length }]) => {
    const own = here.get(id)?.length ?? 0;
    return Array.from({ length: Math.max(0, length - own) }, (_, n) => numberedKey(`${prefix}/log`, own + 1 + n));
  });
}

function isLog({ sort }: Damage): boolean {
  return sort === 'log';
}

function digestsOf(index: LiveIndex): ReadonlySet<Digest> {
  const digests = new Set<Digest>();
  for (const pack of index.packs()) {
    const rows = index.rows(pack);
    for (const n of rows.offsets.keys()) {
      const digest = digestOfRow(rows, n);
      if (digest !== undefined) digests.add(digest);
    }
  }
  return digests;
}
