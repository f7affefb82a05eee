/**
 * Repacking writes what is needed of *thin* packs into new ones. Its order makes it safe: a root that names the new
 * packs, then these, then a moved file beside each old pack, then the root goes. The old packs go with a later collection.
 */

import type { BlobBody, BlobOptions, BlobStore } from '../../blob/blob-store.ts';
import { collect } from '../../blob/bytes.ts';
import { isIngotError } from '../../errors.ts';
import { packKey } from '../locator.ts';
import { type PackEntry, type PackedEntry, packOf, readPackFooter } from '../pack.ts';
import { checkEntry, entryStream } from './entry-stream.ts';
import type { LiveRows } from './live-index.ts';
import { type MovedRange, writeMoved } from './moved.ts';
import { collectionRootKey, writeCollectionRoot } from './standing-roots.ts';

/** A thin pack and what is needed of it. */
export interface ThinPack {
  readonly pack: string;
  readonly sizeBytes: number;
  readonly rows: LiveRows;
}

/** What became of a thin pack. */
export interface RepackedPack {
  readonly pack: string;
  readonly sizeBytes: number;
  readonly liveBytes: number;
  /** The packs that hold its entries now; none when it could not be moved. */
  readonly into: readonly string[];
  /** Why it could not be moved. */
  readonly problem?: string;
}

/** Options of {@link repack}. */
export interface RepackOptions extends BlobOptions {
  /** Id of the run; names the new packs and must never have been used. */
  readonly run: string;
  /** A new pack is closed before it grows past this. Default: 16 MiB. */
  readonly packBytes?: number;
}

const PACK_BYTES = 16 * 1024 * 1024;
const RUN_BYTES = 8 * 1024 * 1024;

/** Copies what is needed of some packs, each entry verified on the way, and says where it lies now. */
export async function repack(
  blobs: BlobStore,
  thin: readonly ThinPack[],
  options: RepackOptions,
): Promise<readonly RepackedPack[]> {
  const sources = await Promise.all(thin.map((pack) => openSource(blobs, pack, options)));
  const plan = planPacks(sources, options);
  await writeCollectionRoot(
    blobs,
    options.run,
    plan.map(({ id }) => id),
    options,
  );
  for (const pack of plan) await writePack(blobs, pack, options);
  const results: RepackedPack[] = [];
  for (const source of sources) results.push(await finish(blobs, source, plan, options));
  await blobs.delete(collectionRootKey(options.run), options);
  return results;
}

interface Source extends ThinPack {
  readonly entries: readonly PackedEntry[];
  problem?: string;
}

interface NewPack {
  readonly id: string;
  readonly copies: { readonly source: Source; readonly entry: PackedEntry; readonly newOffset: number }[];
  bytes: number;
}

async function openSource(blobs: BlobStore, thin: ThinPack, options: BlobOptions): Promise<Source> {
  try {
    const entries = await readPackFooter(blobs, thin.pack, options);
    const needed = neededEntries(entries, thin.rows);
    return needed === undefined
      ? { ...thin, entries: [], problem: 'its footer does not list all that versions need of it' }
      : { ...thin, entries: needed };
  } catch (error) {
    if (!isIngotError(error, 'integrity', 'content-not-found')) throw error;
    return { ...thin, entries: [], problem: error.message };
  }
}

/** The entries that hold live rows; undefined when some row lies in none. Both are sorted by offset. */
function neededEntries(entries: readonly PackedEntry[], { offsets, lengths }: LiveRows): PackedEntry[] | undefined {
  const needed: PackedEntry[] = [];
  let at = 0;
  for (const [n, offset] of offsets.entries()) {
    const end = offset + (lengths[n] ?? 0);
    while (at < entries.length && endOf(entries[at]) <= offset) at += 1;
    const entry = entries[at];
    if (entry === undefined || entry.offset > offset || endOf(entry) < end) return undefined;
    if (needed.at(-1) !== entry) needed.push(entry);
  }
  return needed;
}

function endOf(entry: PackedEntry | undefined): number {
  return entry === undefined ? 0 : entry.offset + entry.length;
}

function planPacks(sources: readonly Source[], { run, packBytes = PACK_BYTES }: RepackOptions): readonly NewPack[] {
  const packs: NewPack[] = [];
  for (const source of sources) {
    for (const entry of source.entries) {
      let pack = packs.at(-1);
      if (pack === undefined || (pack.bytes > 0 && pack.bytes + entry.length > packBytes)) {
        pack = { id: `${run}/${packs.length}`, copies: [], bytes: 0 };
        packs.push(pack);
      }
      pack.copies.push({ source, entry, newOffset: pack.bytes });
      pack.bytes += entry.length;
    }
  }
  return packs;
}

async function writePack(blobs: BlobStore, pack: NewPack, options: BlobOptions): Promise<void> {
  const sources = new Set(pack.copies.map(({ source }) => source));
  // What is copied from a pack of which something is damaged already is not worth a new pack.
  if ([...sources].some(({ problem }) => problem !== undefined)) return spoil(sources);
  try {
    await blobs.write(packKey(pack.id), bodyOfCopies(blobs, pack, options), options);
  } catch (error) {
    if (!isIngotError(error, 'integrity', 'content-not-found')) throw error;
    spoil(sources, error.message);
  }
}

function spoil(sources: ReadonlySet<Source>, problem = 'it was to share a new pack with one that is damaged'): void {
  for (const source of sources) source.problem ??= problem;
}

function bodyOfCopies(blobs: BlobStore, pack: NewPack, options: BlobOptions): BlobBody {
  const copier = new Copier(blobs, options);
  return packOf(
    pack.copies.map(
      ({ source, entry }): PackEntry => ({
        digest: entry.digest,
        length: entry.length,
        ...(entry.coding === undefined ? {} : { coding: entry.coding, size: entry.size }),
        open: () => copier.open(source, entry),
      }),
    ),
  );
}

async function finish(
  blobs: BlobStore,
  source: Source,
  plan: readonly NewPack[],
  options: RepackOptions,
): Promise<RepackedPack> {
  const { pack, sizeBytes, problem } = source;
  const told = { pack, sizeBytes, liveBytes: source.rows.bytes };
  if (problem !== undefined) return { ...told, into: [], problem };
  // Whoever slept for so long that its root was dropped must not lead readers to packs that may be gone.
  if ((await blobs.stat(collectionRootKey(options.run), options)) === undefined)
    return { ...told, into: [], problem: 'this collection stood still for too long' };
  const ranges = plan.flatMap(({ id, copies }) =>
    copies.flatMap((copy): MovedRange[] =>
      copy.source === source
        ? [{ offset: copy.entry.offset, length: copy.entry.length, pack: id, newOffset: copy.newOffset }]
        : [],
    ),
  );
  if ((await writeMoved(blobs, pack, ranges, options)) === 'exists')
    return { ...told, into: [], problem: 'another collection moved it at the same time' };
  return { ...told, into: [...new Set(ranges.map((range) => range.pack))] };
}

/** Reads entries of packs, neighbours with one request, each checked against its digest before any of it is given. */
class Copier {
  readonly #blobs: BlobStore;
  readonly #options: BlobOptions;
  #held: { readonly pack: string; readonly start: number; readonly bytes: Buffer } | undefined;

  constructor(blobs: BlobStore, { signal }: BlobOptions) {
    this.#blobs = blobs;
    this.#options = signal ? { signal } : {};
  }

  async *open(source: Source, entry: PackedEntry): AsyncIterable<Uint8Array> {
    if (entry.length > RUN_BYTES && entry.coding === undefined)
      yield* entryStream(this.#blobs, source.pack, entry, this.#options);
    else yield await this.#small(source, entry);
  }

  async #small(source: Source, entry: PackedEntry): Promise<Uint8Array> {
    const { pack } = source;
    let held = this.#held;
    const isHeld =
      held?.pack === pack && held.start <= entry.offset && endOf(entry) <= held.start + held.bytes.byteLength;
    if (!isHeld || held === undefined) {
      const range = { start: entry.offset, end: runEnd(source.entries, entry) };
      const bytes = await collect(this.#blobs.read(packKey(pack), { ...this.#options, range }));
      held = { pack, start: entry.offset, bytes };
      this.#held = held;
    }
    const at = entry.offset - held.start;
    const stored = held.bytes.subarray(at, at + entry.length);
    checkEntry(pack, entry, stored);
    return stored;
  }
}

function runEnd(entries: readonly PackedEntry[], first: PackedEntry): number {
  let end = endOf(first);
  for (let at = entries.indexOf(first) + 1; at < entries.length; at += 1) {
    const next = entries[at];
    if (next?.offset !== end || endOf(next) - first.offset > RUN_BYTES) break;
    end = endOf(next);
  }
  return end;
}
