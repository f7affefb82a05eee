/**
 * A damaged pack is mended by moving it: all of it that is good, and good copies of the rest, go to a new pack; a moved
 * file says so; then the damaged pack is deleted. Until the last step it stands as it was, so that a mending that is cut
 * short loses nothing.
 */

import type { BlobOptions, BlobStore } from '../../blob/blob-store.ts';
import { bodyOf, readIfPresent } from '../../blob/bytes.ts';
import type { Digest } from '../../digest.ts';
import { isIngotError } from '../../errors.ts';
import { packKey } from '../locator.ts';
import { type PackEntry, type PackedEntry, packOf, readPackFooter } from '../pack.ts';
import { condemnedPacks } from '../roots.ts';
import { digestOfRow, type LiveRows } from '../sweep/live-index.ts';
import { type MovedRange, movedKey, parseMoved, writeMoved } from '../sweep/moved.ts';
import { collectionRootKey, writeCollectionRoot } from '../sweep/standing-roots.ts';
import { entryStream } from '../sweep/entry-stream.ts';
import type { EntryFinder, FoundEntry } from './find-entries.ts';
import type { EntryHasher } from './hash-entries.ts';

/** What became of a damaged or missing pack. */
export interface MendedPack {
  readonly pack: string;
  readonly mended: boolean;
  /** Entries that came from the other store, and their bytes. */
  readonly fetched: number;
  readonly bytes: number;
  /** The pack that holds its entries now. */
  readonly into?: string;
  /** Why it could not be mended. */
  readonly problem?: string;
}

/** What mending a pack needs. */
export interface MendContext extends BlobOptions {
  readonly blobs: BlobStore;
  readonly finder: EntryFinder;
  readonly hasher: EntryHasher;
  /** Id for the new packs; must never have been used. */
  readonly run: string;
  /** What versions need of the pack, with digests. */
  readonly rows: LiveRows;
  /** Whether all recipes and pages can be read, so that nothing else can be needed of it. */
  readonly knowsAll: boolean;
}

/** Mends one pack. Nothing changes when not all that is needed can be had. */
export async function mendPack(pack: string, context: MendContext): Promise<MendedPack> {
  const { blobs, finder, run, rows, knowsAll, signal } = context;
  const options = signal ? { signal } : {};
  const nothing = { pack, mended: false, fetched: 0, bytes: 0 };
  if ((await blobs.stat(movedKey(pack), options)) !== undefined)
    return { ...nothing, problem: 'it was moved already, and what was moved is damaged too' };
  const own = await ownFooter(blobs, pack, options);
  const listed = own ?? (await finder.footer(pack));
  const entries = listed ?? (knowsAll ? entriesOf(rows) : undefined);
  if (entries === undefined) return { ...nothing, problem: 'nobody can tell what lay in it: its footer is damaged' };
  const bad = await badOnes(pack, entries, context);
  const copies: Copy[] = [];
  for (const entry of entries) {
    if (!bad.has(entry)) {
      copies.push({ entry });
      continue;
    }
    const found = await finder.find(pack, entry);
    if (found !== undefined) copies.push({ entry, found });
    else if (!knowsAll || isNeeded(entry, rows))
      return { ...nothing, problem: `the other store has no good copy of ${entry.digest}` };
  }
  await writeCollectionRoot(blobs, run, [`${run}/0`, pack], options);
  if ((await condemnedPacks(blobs, options)).has(pack)) {
    await blobs.delete(collectionRootKey(run), options);
    return { ...nothing, problem: 'a collection has condemned it: run `ingot gc`, then check again' };
  }
  await blobs.write(packKey(`${run}/0`), packOf(copies.map((copy) => bodyOfCopy(pack, copy, context))), options);
  const written = await writeMoved(blobs, pack, rangesOf(copies, `${run}/0`), options);
  if (written === 'exists') return { ...nothing, problem: 'somebody else moved it at the same time' };
  await blobs.delete(packKey(pack), options);
  await blobs.delete(collectionRootKey(run), options);
  const fetched = copies.filter(({ found }) => found !== undefined);
  const bytes = fetched.reduce((sum, { entry }) => sum + entry.length, 0);
  return { pack, mended: true, fetched: fetched.length, bytes, into: `${run}/0` };
}

interface Copy {
  readonly entry: PackedEntry;
  /** Where a good copy is; else in the pack itself. */
  readonly found?: FoundEntry;
}

async function ownFooter(
  blobs: BlobStore,
  pack: string,
  options: BlobOptions,
): Promise<readonly PackedEntry[] | undefined> {
  try {
    return await readPackFooter(blobs, pack, options);
  } catch (error) {
    if (isIngotError(error, 'integrity', 'content-not-found')) return undefined;
    throw error;
  }
}

function entriesOf(rows: LiveRows): readonly PackedEntry[] {
  return [...rows.offsets].flatMap((offset, n) => {
    const digest: Digest | undefined = digestOfRow(rows, n);
    return digest === undefined ? [] : [{ digest, offset, length: rows.lengths[n] ?? 0 }];
  });
}

function isNeeded(entry: PackedEntry, { offsets, lengths }: LiveRows): boolean {
  return offsets.some((offset, n) => offset < entry.offset + entry.length && entry.offset < offset + (lengths[n] ?? 0));
}

async function badOnes(
  pack: string,
  entries: readonly PackedEntry[],
  { blobs, hasher, signal }: MendContext,
): Promise<ReadonlySet<PackedEntry>> {
  const stat = await blobs.stat(packKey(pack), signal ? { signal } : {});
  if (stat === undefined) return new Set(entries);
  return new Set(await hasher.badEntries(pack, entries, stat.sizeBytes));
}

function bodyOfCopy(pack: string, { entry, found }: Copy, { blobs, finder, signal }: MendContext): PackEntry {
  const { digest, length, coding, size } = entry;
  const own = () => entryStream(blobs, pack, entry, signal ? { signal } : {});
  return {
    digest,
    length,
    ...(coding === undefined ? {} : { coding, size }),
    open: () => (found === undefined ? own() : finder.open(found, entry)),
  };
}

function rangesOf(copies: readonly Copy[], pack: string): readonly MovedRange[] {
  let newOffset = 0;
  return copies.map(({ entry: { offset, length } }) => {
    const range = { offset, length, pack, newOffset };
    newOffset += length;
    return range;
  });
}

/** Puts back a moved file that is damaged, from a mirror that has it. Says whether that was possible. */
export async function mendMoved(
  blobs: BlobStore,
  source: BlobStore,
  pack: string,
  options: BlobOptions,
): Promise<boolean> {
  const key = movedKey(pack);
  const bytes = await readIfPresent(source, key, options);
  if (bytes === undefined) return false;
  try {
    parseMoved(bytes, key);
  } catch (error) {
    if (isIngotError(error, 'integrity')) return false;
    throw error;
  }
  await blobs.delete(key, options);
  await blobs.write(key, bodyOf(bytes), options);
  return true;
}
