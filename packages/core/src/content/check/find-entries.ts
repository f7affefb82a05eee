import type { BlobOptions, BlobStore } from '../../blob/blob-store.ts';
import type { Digest } from '../../digest.ts';
import { IngotError, isIngotError } from '../../errors.ts';
import { decodePiece, encodePiece } from '../coding.ts';
import { type PackedEntry, readPackFooter } from '../pack.ts';
import { inParallel } from '../sweep/in-parallel.ts';
import { checkEntry, entryStream } from '../sweep/entry-stream.ts';
import { surveyPacks } from '../sweep/survey.ts';

/** An entry of some pack in some store. */
export interface FoundEntry {
  readonly blobs: BlobStore;
  readonly pack: string;
  readonly entry: PackedEntry;
}

/** Finds good copies of entries in another store: at the same place, as a mirror has them, or anywhere by digest. */
export class EntryFinder {
  readonly #source: BlobStore;
  readonly #options: BlobOptions;
  readonly #wanted: () => ReadonlySet<Digest>;
  #byDigest: Promise<ReadonlyMap<Digest, readonly FoundEntry[]>> | undefined;

  /** @param wanted gives all digests that may be asked for, when the whole source must be searched. */
  constructor(source: BlobStore, wanted: () => ReadonlySet<Digest>, options: BlobOptions) {
    this.#source = source;
    this.#wanted = wanted;
    this.#options = options;
  }

  /** The footer of a pack of the same id; undefined when the source has none that is whole. */
  async footer(pack: string): Promise<readonly PackedEntry[] | undefined> {
    try {
      return await readPackFooter(this.#source, pack, this.#options);
    } catch (error) {
      if (isIngotError(error, 'content-not-found', 'integrity')) return undefined;
      throw error;
    }
  }

  /** Finds a good copy of an entry of a pack; it was read and checked. Undefined when the source has none. */
  async find(pack: string, entry: PackedEntry): Promise<FoundEntry | undefined> {
    const same = { blobs: this.#source, pack, entry };
    if (await this.#isGood(same, entry)) return same;
    this.#byDigest ??= this.#search();
    for (const found of (await this.#byDigest).get(entry.digest) ?? []) {
      if (await this.#isGood(found, entry)) return found;
    }
    return undefined;
  }

  /** Streams a copy as the entry must lie in its own pack, checked. Throws `integrity`, `content-not-found`. */
  async *open(found: FoundEntry, wanted: PackedEntry): AsyncIterable<Uint8Array> {
    const { blobs, pack, entry } = found;
    if (entry.coding === wanted.coding && entry.length === wanted.length)
      return yield* entryStream(blobs, pack, { ...wanted, offset: entry.offset }, this.#options);
    const pieces: Uint8Array[] = [];
    for await (const piece of entryStream(blobs, pack, entry, this.#options)) pieces.push(piece);
    const stored = Buffer.concat(pieces);
    const plain = entry.coding === undefined ? stored : decodePiece(entry.coding, stored, entry.size ?? 0);
    const coded = wanted.coding === undefined ? { coding: undefined, bytes: plain } : encodePiece(plain);
    if (coded === undefined || coded.coding !== wanted.coding || coded.bytes.byteLength !== wanted.length)
      throw new IngotError('integrity', `${wanted.digest} cannot be coded as it was in pack ${pack}`);
    checkEntry(pack, wanted, coded.bytes);
    yield coded.bytes;
  }

  async #isGood(found: FoundEntry, wanted: PackedEntry): Promise<boolean> {
    try {
      for await (const _ of this.open(found, wanted));
      return true;
    } catch (error) {
      if (isIngotError(error, 'integrity', 'content-not-found', 'refused')) return false;
      throw error;
    }
  }

  async #search(): Promise<ReadonlyMap<Digest, readonly FoundEntry[]>> {
    const wanted = this.#wanted();
    const found = new Map<Digest, FoundEntry[]>();
    const { packs } = await surveyPacks(this.#source, this.#options);
    await inParallel(packs.keys(), 8, async (pack) => {
      for (const entry of (await this.footer(pack)) ?? []) {
        if (!wanted.has(entry.digest)) continue;
        found.set(entry.digest, [...(found.get(entry.digest) ?? []), { blobs: this.#source, pack, entry }]);
      }
    });
    return found;
  }
}
