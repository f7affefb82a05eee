/**
 * *Marks* say which packs something names, and why: what roots and versions name, and, where such a pack was moved, the
 * packs its entries lie in now. A pack that a root names is *pinned*: all of it is needed, whatever versions say.
 */

import type { BlobOptions, BlobStore } from '../../blob/blob-store.ts';
import { readIfPresent } from '../../blob/bytes.ts';
import type { Locator } from '../content-store.ts';
import { packKey } from '../locator.ts';
import { inParallel } from './in-parallel.ts';
import { digestOfRow, type LiveIndex } from './live-index.ts';
import { type MovedPack, movedKey, parseMoved, relocated } from './moved.ts';

/** Which packs are named, with a reason for people. */
export interface Marks {
  readonly named: ReadonlyMap<string, string>;
  readonly pinned: ReadonlySet<string>;
}

/** Names given so far: of versions and of roots. */
export interface GivenNames {
  /** Pack to reason. */
  readonly versions: ReadonlyMap<string, string>;
  readonly roots: ReadonlyMap<string, string>;
}

const READ_AT_ONCE = 16;

/** Moved files as they are read; they never change, so each is read once. */
export class MovedFiles {
  readonly #blobs: Pick<BlobStore, 'read'>;
  readonly #read = new Map<string, MovedPack>();

  constructor(blobs: Pick<BlobStore, 'read'>) {
    this.#blobs = blobs;
  }

  /** Reads the moved files of some packs, if they have any. Throws `integrity`. */
  async load(packs: Iterable<string>, options: BlobOptions): Promise<void> {
    const unread = [...packs].filter((pack) => !this.#read.has(pack));
    await inParallel(unread, READ_AT_ONCE, async (pack) => {
      const bytes = await readIfPresent(this.#blobs, movedKey(pack), options);
      if (bytes !== undefined) this.#read.set(pack, parseMoved(bytes, movedKey(pack)));
    });
  }

  get(pack: string): MovedPack | undefined {
    return this.#read.get(pack);
  }
}

/** Adds to the names those of the packs that named packs were moved to, however often. */
export function marksOf({ versions, roots }: GivenNames, moved: MovedFiles): Marks {
  const pinned = reached(roots, moved);
  const named = reached(new Map([...roots, ...versions]), moved);
  return { named, pinned: new Set(pinned.keys()) };
}

function reached(given: ReadonlyMap<string, string>, moved: MovedFiles): Map<string, string> {
  const all = new Map(given);
  // A Map's iteration also visits what is added on the way.
  for (const [pack] of all) {
    for (const range of moved.get(pack)?.ranges ?? []) {
      if (!all.has(range.pack)) all.set(range.pack, `holds what was moved from ${pack}`);
    }
  }
  return all;
}

/** Adds to the index where the live rows of moved packs lie now, on every stop of their way. */
export function addMovedRows(index: LiveIndex, moved: MovedFiles): void {
  for (const pack of [...index.packs()]) {
    if (moved.get(pack) === undefined) continue;
    const rows = index.rows(pack);
    for (const [n, offset] of rows.offsets.entries()) {
      const place = { pack, offset, length: rows.lengths[n] ?? 0 };
      for (const stop of stops(place, moved)) index.add(stop, digestOfRow(rows, n));
    }
  }
}

/** The places that some bytes were moved to, one after another. */
export function* stops(place: Locator, moved: MovedFiles): Iterable<Locator> {
  const visited = new Set([place.pack]);
  for (let at = place; ; ) {
    const file = moved.get(at.pack);
    const next = file && relocated(file, at);
    if (next === undefined || visited.has(next.pack)) return;
    visited.add(next.pack);
    yield next;
    at = next;
  }
}

/** What must hold for a pack to be given up although versions name it. */
export interface SupersededInput {
  readonly index: LiveIndex;
  readonly marks: Marks;
  readonly moved: MovedFiles;
  /** Packs whose moved file stood before the standing lists were read. */
  readonly movedBefore: ReadonlySet<string>;
  /** Whether a pack is there; looked at after the standing lists were read. */
  readonly isThere: (pack: string) => boolean;
  /** Whether another list than the one in question condemns a pack. */
  readonly isCondemned: (pack: string) => boolean;
}

/**
 * Says whether all that versions need of a pack can be read elsewhere, in packs that will stay: then it may go though it
 * is named. Not so while a root pins it: nobody knows yet which of its entries that will need.
 */
export function isSuperseded(pack: string, input: SupersededInput): boolean {
  const { index, marks, moved, movedBefore, isThere, isCondemned } = input;
  if (marks.pinned.has(pack) || !movedBefore.has(pack)) return false;
  const { offsets, lengths } = index.rows(pack);
  return offsets.every((offset, n) => {
    for (const stop of stops({ pack, offset, length: lengths[n] ?? 0 }, moved)) {
      if (isCondemned(stop.pack)) return false;
      if (isThere(stop.pack)) return true;
      if (!movedBefore.has(stop.pack)) return false;
    }
    return false;
  });
}

/** Key of the blobs that a doomed pack has: its bytes, and its moved file unless that is still followed. */
export function doomedKeys(pack: string, keepsMoved: boolean): readonly string[] {
  return keepsMoved ? [packKey(pack)] : [packKey(pack), movedKey(pack)];
}
