import type { BlobOptions, BlobStore } from '../../blob/blob-store.ts';
import { bodyOf } from '../../blob/bytes.ts';
import { IngotError } from '../../errors.ts';

/** A pack as a listing shows it. */
export interface FoundPack {
  readonly sizeBytes: number;
  /** By the storage's clock, in milliseconds since 1970. */
  readonly modifiedMs: number;
}

/** What lies under `packs/`. */
export interface PackSurvey {
  readonly packs: ReadonlyMap<string, FoundPack>;
  /** Packs that have a moved file, there or gone, and when it was written. */
  readonly moved: ReadonlyMap<string, number>;
  /** Keys that are neither. */
  readonly strays: readonly string[];
}

const PACKS_PREFIX = 'packs/';
const KEY = /^packs\/([a-z0-9][a-z0-9-]{0,63}\/(?:0|[1-9][0-9]{0,8}))\.(pack|moved)$/;

/** Lists all packs and moved files. One request per 1,000. */
export async function surveyPacks(blobs: Pick<BlobStore, 'list'>, options: BlobOptions = {}): Promise<PackSurvey> {
  const packs = new Map<string, FoundPack>();
  const moved = new Map<string, number>();
  const strays: string[] = [];
  for await (const { key, sizeBytes, modifiedAt } of blobs.list(PACKS_PREFIX, options)) {
    const [, pack, kind] = KEY.exec(key) ?? [];
    if (pack === undefined) strays.push(key);
    else if (kind === 'pack') packs.set(pack, { sizeBytes, modifiedMs: modifiedAt.getTime() });
    else moved.set(pack, modifiedAt.getTime());
  }
  return { packs, moved, strays };
}

/**
 * Asks the storage what time it is, by writing something; ages are compared with that, never with this machine's clock.
 * Three requests.
 * @throws IngotError `unavailable` when the storage does not show what was just written.
 */
export async function storageTime(
  blobs: Pick<BlobStore, 'write' | 'stat' | 'delete'>,
  id: string,
  options: BlobOptions = {},
): Promise<Date> {
  const key = `changes/clock/${id}`;
  await blobs.write(key, bodyOf('{}\n'), options);
  try {
    const stat = await blobs.stat(key, options);
    if (stat !== undefined) return stat.modifiedAt;
  } finally {
    await blobs.delete(key, options);
  }
  throw new IngotError('unavailable', 'the storage does not show what was just written to it');
}
