/**
 * A *moved file* stands beside a pack, as `<pack>.moved`, and says where the pack's entries lie now. It is written when
 * all of them stand in their new packs, and it is never changed. Readers follow it when the pack is gone; a new pack may
 * have been moved in its turn.
 */

import type { BlobOptions, BlobStore } from '../../blob/blob-store.ts';
import { bodyOf, readIfPresent } from '../../blob/bytes.ts';
import { IngotError, isIngotError } from '../../errors.ts';
import { canonicalJson } from '../../json.ts';
import { contradictsSum, withSum } from '../../sum.ts';
import { isCount, parseObject } from '../checked-json.ts';
import type { Locator } from '../content-store.ts';
import { isPackId, packKey } from '../locator.ts';

/** Bytes of an old pack, and where they lie now. */
export interface MovedRange {
  /** Offset in the old pack. */
  readonly offset: number;
  readonly length: number;
  /** The new pack, and the offset in it. */
  readonly pack: string;
  readonly newOffset: number;
}

/** Where the entries of a pack have gone, by old offset. What is not in it was needed by nobody when it was written. */
export interface MovedPack {
  readonly ranges: readonly MovedRange[];
}

/** How often a pack may have been moved before a reader takes its moved files for a circle. */
const MOST_MOVES = 64;

/** Key of the moved file of a pack. */
export function movedKey(pack: string): string {
  return `packs/${pack}.moved`;
}

/** Writes a moved file. Neighbours that stay neighbours become one range. */
export function encodeMoved(ranges: readonly MovedRange[]): Buffer {
  const merged = mergeRanges(ranges);
  const packs = [...new Set(merged.map(({ pack }) => pack))];
  const numbers = new Map(packs.map((pack, number) => [pack, number]));
  const entries = merged.map(({ offset, length, pack, newOffset }) => [
    offset,
    length,
    numbers.get(pack) ?? 0,
    newOffset,
  ]);
  return Buffer.from(`${canonicalJson(withSum({ format: 1, packs, entries }))}\n`);
}

function mergeRanges(ranges: readonly MovedRange[]): readonly MovedRange[] {
  const merged: MovedRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.offset - b.offset)) {
    const last = merged.at(-1);
    const stays =
      last !== undefined &&
      last.pack === range.pack &&
      last.offset + last.length === range.offset &&
      last.newOffset + last.length === range.newOffset;
    if (stays) merged[merged.length - 1] = { ...last, length: last.length + range.length };
    else merged.push(range);
  }
  return merged;
}

/** Reads the bytes of a moved file. Throws `integrity`. */
export function parseMoved(bytes: Uint8Array, what: string): MovedPack {
  const fields = parseObject(bytes, what);
  if (!fields.has('sum') || contradictsSum(fields.raw)) throw new IngotError('integrity', `${what} is damaged`);
  const format = fields.count('format');
  if (format !== 1) throw new IngotError('refused', `${what} has format ${format}; this release reads format 1`);
  const packs = fields.texts('packs');
  const ranges = fields.list('entries').map((row) => parseRange(row, packs, what));
  checkOrder(ranges, what);
  return { ranges };
}

function parseRange(row: unknown, packs: readonly string[], what: string): MovedRange {
  const [offset, length, number, newOffset]: readonly unknown[] = Array.isArray(row) ? row : [];
  const pack = isCount(number) ? packs[number] : undefined;
  const whole = isCount(offset) && isCount(length) && isCount(newOffset) && length > 0;
  if (whole && pack !== undefined && isPackId(pack)) return { offset, length, pack, newOffset };
  throw new IngotError('integrity', `${what} holds something that is no entry`);
}

function checkOrder(ranges: readonly MovedRange[], what: string): void {
  let end = 0;
  for (const { offset, length } of ranges) {
    if (offset < end) throw new IngotError('integrity', `${what}: its entries overlap`);
    end = offset + length;
  }
}

/** Reads the moved file of a pack; undefined when it was not moved. One request. Throws `integrity`. */
export async function readMoved(
  blobs: Pick<BlobStore, 'read'>,
  pack: string,
  options: BlobOptions = {},
): Promise<MovedPack | undefined> {
  const bytes = await readIfPresent(blobs, movedKey(pack), options);
  return bytes && parseMoved(bytes, movedKey(pack));
}

/** Writes the moved file of a pack, unless somebody else did. */
export function writeMoved(
  blobs: Pick<BlobStore, 'write'>,
  pack: string,
  ranges: readonly MovedRange[],
  options: BlobOptions = {},
): Promise<'created' | 'exists'> {
  return blobs.write(movedKey(pack), bodyOf(encodeMoved(ranges)), options);
}

/** Says where some bytes of a moved pack lie now; undefined when they were not moved. */
export function relocated(moved: MovedPack, { offset, length }: Omit<Locator, 'pack'>): Locator | undefined {
  const { ranges } = moved;
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle]?.offset ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  const range = ranges[low - 1];
  if (range === undefined || offset + length > range.offset + range.length) return undefined;
  return { pack: range.pack, offset: range.newOffset + (offset - range.offset), length };
}

/**
 * Follows some bytes of a pack that is gone to a pack that is there; undefined when they are nowhere. Two requests a move.
 * @throws IngotError `integrity` when a moved file is damaged.
 */
export async function followMoved(
  blobs: Pick<BlobStore, 'read' | 'stat'>,
  lost: Locator,
  options: BlobOptions = {},
): Promise<Locator | undefined> {
  let place = lost;
  for (let moves = 0; moves < MOST_MOVES; moves += 1) {
    const moved = await readMoved(blobs, place.pack, options);
    const next = moved && relocated(moved, place);
    if (next === undefined) return undefined;
    if ((await blobs.stat(packKey(next.pack), options)) !== undefined) return next;
    place = next;
  }
  throw new IngotError('integrity', `pack ${lost.pack} was moved in a circle`, { details: { pack: lost.pack } });
}

/**
 * Reads some bytes of a pack where they lie, following them as often as they are moved meanwhile.
 * @param read throws `content-not-found` when the pack is not there.
 * @throws what `read` throws, for the place the bytes were looked for first when they are nowhere; `integrity` when a
 * moved file is damaged.
 */
export async function readFollowing<T>(
  blobs: Pick<BlobStore, 'read' | 'stat'>,
  place: Locator,
  read: (place: Locator) => Promise<T>,
  options: BlobOptions = {},
): Promise<T> {
  let at = place;
  let lost: unknown;
  for (let moves = 0; moves < MOST_MOVES; moves += 1) {
    try {
      return await read(at);
    } catch (error) {
      if (!isIngotError(error, 'content-not-found')) throw error;
      lost ??= error;
    }
    const next = await followMoved(blobs, at, options);
    if (next === undefined) break;
    at = next;
  }
  throw lost;
}
