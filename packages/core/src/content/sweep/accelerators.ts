import type { BlobOptions, BlobStore } from '../../blob/blob-store.ts';
import { inParallel } from './in-parallel.ts';

/** Hints and canaries live for this long; then nobody looks for them any more. */
const HINT_AGE_MS = 60 * 60_000;

/** What may be trimmed: all of it only makes reading faster, and other copies stand. */
export interface TrimInput {
  /** Keys of heads of each log, oldest first; the newest two are left. */
  readonly heads: Iterable<readonly string[]>;
  /** By the storage's clock, in milliseconds since 1970. */
  readonly nowMs: number;
}

/** Removes heads, listings and hints that newer ones have replaced, and says how many. */
export async function trimAccelerators(
  blobs: Pick<BlobStore, 'list' | 'delete'>,
  { heads, nowMs }: TrimInput,
  options: BlobOptions = {},
): Promise<number> {
  const old = [...heads].flatMap((keys) => keys.slice(0, -2));
  const listings: string[] = [];
  for await (const { key } of blobs.list('index/models/', options)) listings.push(key);
  old.push(...listings.slice(0, -1));
  for await (const { key, modifiedAt } of blobs.list('changes/', options)) {
    if (nowMs - modifiedAt.getTime() > HINT_AGE_MS) old.push(key);
  }
  await inParallel(old, 16, (key) => blobs.delete(key, options));
  return old.length;
}
