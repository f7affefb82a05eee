/**
 * Which ranges of which packs a restore asks for. Neighbours in a pack become one range, also when bytes from elsewhere
 * lie between them in the file: so the pieces that a new version added come with a few requests, wherever they belong.
 */

import { type Piece, pieceSize } from './recipe.ts';

/** Where a piece lies, whatever its digest. */
export type PlacedPiece = Omit<Piece, 'digest'>;

/** Some bytes of a file: where they lie in the pack, and where in the file they belong. */
export interface RangePart<F> {
  readonly file: F;
  /** Position in the file. */
  readonly at: number;
  /** Position in the pack. */
  readonly offset: number;
  /** Length in the pack. */
  readonly length: number;
  /** How it lies in the pack; then `sizeBytes` is its length in the file. */
  readonly coding?: string;
  readonly sizeBytes?: number;
}

/** A range of a pack that is asked for at once. */
export interface PackRange<F> {
  readonly pack: string;
  readonly start: number;
  readonly end: number;
  /** In the order of their offsets. */
  readonly parts: readonly RangePart<F>[];
  /** Whether all of it is held in memory: its parts are small files, or must be decoded. Else it is written as it comes. */
  readonly held: boolean;
}

/** Limits of {@link RangePlanner}. */
export interface RangeLimits {
  /** Longest range that is written as it comes. Default: 16 MiB. */
  readonly streamBytes?: number;
  /** Longest range that is held in memory, unless one piece is longer. Default: 2 MiB. */
  readonly heldBytes?: number;
  /** Bytes that nobody wants and that are read all the same, rather than asking twice. Default: 16 KiB. */
  readonly gapBytes?: number;
  /** A range waits for more neighbours while this much else is planned. Default: 64 MiB. */
  readonly patienceBytes?: number;
}

const MIB = 1024 * 1024;
/** Ranges that are held in memory are hardly ever longer than this. */
export const HELD_BYTES = 2 * MIB;
const MAX_PARTS = 8192;

interface OpenRange<F> {
  readonly pack: string;
  readonly held: boolean;
  readonly start: number;
  end: number;
  readonly parts: RangePart<F>[];
  readonly bornAt: number;
}

/** Gathers pieces, given in the order of the files, into ranges. Pure: nothing is read. */
export class RangePlanner<F> {
  readonly #limits: Required<RangeLimits>;
  readonly #open = new Map<string, OpenRange<F>>();
  #planned = 0;

  constructor({
    streamBytes = 16 * MIB,
    heldBytes = HELD_BYTES,
    gapBytes = 16 * 1024,
    patienceBytes = 64 * MIB,
  }: RangeLimits = {}) {
    this.#limits = { streamBytes, heldBytes, gapBytes, patienceBytes };
  }

  /**
   * Adds a piece of a file and gives the ranges that are finished by it.
   * @param held whether the file is made from memory, as small ones are.
   */
  add(file: F, at: number, piece: PlacedPiece, held: boolean): PackRange<F>[] {
    const isHeld = held || piece.coding !== undefined;
    this.#planned += pieceSize(piece);
    if (isHeld) return [...this.#put(wholePart(file, at, piece), piece.pack, true), ...this.#impatient()];
    const finished: PackRange<F>[] = [];
    for (let done = 0; done < piece.length; ) {
      const offset = piece.offset + done;
      const room = this.#roomFor(piece.pack, offset);
      const length = Math.min(piece.length - done, room);
      finished.push(...this.#put({ file, at: at + done, offset, length }, piece.pack, false));
      done += length;
    }
    return [...finished, ...this.#impatient()];
  }

  /** Gives all ranges that are still open. */
  finish(): PackRange<F>[] {
    const ranges = [...this.#open.values()].map(closed);
    this.#open.clear();
    return ranges;
  }

  /** How much of a piece may be added at once, so that a huge one is asked for in ranges of the usual length. */
  #roomFor(pack: string, offset: number): number {
    const { streamBytes } = this.#limits;
    const open = this.#open.get(keyOf(pack, false));
    if (open === undefined || offset < open.start || offset > open.end + this.#limits.gapBytes) return streamBytes;
    const room = open.start + streamBytes - offset;
    return room > 0 ? room : streamBytes;
  }

  #put(part: RangePart<F>, pack: string, held: boolean): PackRange<F>[] {
    const key = keyOf(pack, held);
    const open = this.#open.get(key);
    if (open !== undefined && this.#fits(open, part)) {
      extend(open, part);
      return [];
    }
    const fresh = {
      pack,
      held,
      start: part.offset,
      end: part.offset + part.length,
      parts: [part],
      bornAt: this.#planned,
    };
    this.#open.delete(key);
    this.#open.set(key, fresh);
    return open === undefined ? [] : [closed(open)];
  }

  #fits(open: OpenRange<F>, part: RangePart<F>): boolean {
    const { streamBytes, heldBytes, gapBytes } = this.#limits;
    if (part.offset < open.start || part.offset > open.end + gapBytes || open.parts.length >= MAX_PARTS) return false;
    return Math.max(open.end, part.offset + part.length) - open.start <= (open.held ? heldBytes : streamBytes);
  }

  /** Ranges that have waited long enough, the oldest first. */
  #impatient(): PackRange<F>[] {
    const finished: PackRange<F>[] = [];
    for (const [key, range] of this.#open) {
      if (this.#planned - range.bornAt < this.#limits.patienceBytes) break;
      this.#open.delete(key);
      finished.push(closed(range));
    }
    return finished;
  }
}

function keyOf(pack: string, held: boolean): string {
  return `${held ? 'h' : 's'} ${pack}`;
}

function wholePart<F>(file: F, at: number, { offset, length, coding, sizeBytes }: PlacedPiece): RangePart<F> {
  const part = { file, at, offset, length };
  return coding === undefined ? part : { ...part, coding, sizeBytes: sizeBytes ?? length };
}

/** Adds a part; bytes that follow the last ones in pack and file alike only make it longer. */
function extend<F>(open: OpenRange<F>, part: RangePart<F>): void {
  const last = open.parts.at(-1);
  const follows =
    !open.held &&
    last?.file === part.file &&
    last.at + last.length === part.at &&
    last.offset + last.length === part.offset;
  if (follows) open.parts[open.parts.length - 1] = { ...last, length: last.length + part.length };
  else open.parts.push(part);
  open.end = Math.max(open.end, part.offset + part.length);
}

function closed<F>({ pack, start, end, parts, held }: OpenRange<F>): PackRange<F> {
  return { pack, start, end, parts: parts.sort((a, b) => a.offset - b.offset), held };
}
