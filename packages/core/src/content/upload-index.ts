import type { Digest } from '../digest.ts';
import type { Piece } from './recipe.ts';

/** Where a piece lies, as the index knows it. */
export interface Place {
  readonly pack: string;
  readonly offset: number;
  readonly length: number;
  readonly coding?: string;
  /** Whether this upload wrote it. */
  readonly own: boolean;
}

/** 24 bytes of the digest, then pack (with coding and owner), offset and length: nine words of four bytes. */
const DIGEST_WORDS = 6;
const ENTRY_WORDS = DIGEST_WORDS + 3;
const SEGMENT_ENTRIES = 16_384;
const PACK_BITS = 24;
const OWN = 1 << 31;
const LARGEST = 0xffffffff;

/**
 * Says where pieces lie, by digest: 44 bytes a piece, so that a model of 16 GiB takes 12 MiB and not ten times that.
 * A digest counts as the same when 192 of its bits are.
 */
export class PieceIndex {
  readonly #segments: Uint32Array[] = [];
  readonly #packs: string[] = [];
  readonly #packNumbers = new Map<string, number>();
  readonly #absent = new Set<number>();
  readonly #codings: string[] = [''];
  #slots = new Uint32Array(1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Finds a piece by the words of its digest, unless it lies in an absent pack. */
  find(digest: DigestWords): Place | undefined {
    const entry = this.#slots[this.#slotOf(digest)] ?? 0;
    return entry === 0 ? undefined : this.#placeOf(entry - 1);
  }

  /** Says whether this upload wrote a piece at some time, even into a pack that is absent now. */
  wasOwn(digest: DigestWords): boolean {
    const entry = this.#slots[this.#slotOf(digest)] ?? 0;
    return entry !== 0 && this.#isOwn(entry - 1);
  }

  /** Notes where a piece lies; a place noted before stays, unless its pack is absent. */
  add(digest: DigestWords, place: Place): void {
    // Such a place could be of a whole file that an old release stored as one piece; missing it costs bytes only.
    if (place.offset > LARGEST || place.length > LARGEST) return;
    const slot = this.#slotOf(digest);
    const known = this.#slots[slot] ?? 0;
    if (known !== 0 && this.#placeOf(known - 1) !== undefined) return;
    if (known === 0) {
      this.#append(slot, digest, place);
    } else {
      this.#write(known - 1, digest, { ...place, own: place.own || this.#isOwn(known - 1) });
    }
  }

  #append(slot: number, digest: DigestWords, place: Place): void {
    this.#write(this.#size, digest, place);
    this.#size += 1;
    this.#slots[slot] = this.#size;
    if (this.#size * 2 > this.#slots.length) this.#grow();
  }

  /** Notes all pieces of a page of an earlier version. */
  addPage(pieces: readonly Piece[]): void {
    for (const { digest, ...place } of pieces) this.add(wordsOf(digest), { ...place, own: false });
  }

  /** From now on nothing is found in these packs. */
  forget(packs: Iterable<string>): void {
    for (const pack of packs) this.#absent.add(this.#numberOf(pack));
  }

  #placeOf(entry: number): Place | undefined {
    const [segment, at] = this.#at(entry);
    const word = segment[at + DIGEST_WORDS] ?? 0;
    const number = word & (2 ** PACK_BITS - 1);
    if (this.#absent.has(number)) return undefined;
    const pack = this.#packs[number] ?? '';
    const offset = segment[at + DIGEST_WORDS + 1] ?? 0;
    const length = segment[at + DIGEST_WORDS + 2] ?? 0;
    const coding = this.#codings[(word >>> PACK_BITS) & 0x7f];
    const own = (word & OWN) !== 0;
    return coding ? { pack, offset, length, coding, own } : { pack, offset, length, own };
  }

  #isOwn(entry: number): boolean {
    const [segment, at] = this.#at(entry);
    return ((segment[at + DIGEST_WORDS] ?? 0) & OWN) !== 0;
  }

  #write(entry: number, { words, from }: DigestWords, { pack, offset, length, coding, own }: Place): void {
    if (this.#segments[Math.floor(entry / SEGMENT_ENTRIES)] === undefined)
      this.#segments.push(new Uint32Array(SEGMENT_ENTRIES * ENTRY_WORDS));
    const [segment, at] = this.#at(entry);
    for (let n = 0; n < DIGEST_WORDS; n += 1) segment[at + n] = words[from + n] ?? 0;
    const codingNumber = coding === undefined ? 0 : this.#codingNumberOf(coding);
    segment[at + DIGEST_WORDS] = (this.#numberOf(pack) | (codingNumber << PACK_BITS) | (own ? OWN : 0)) >>> 0;
    segment[at + DIGEST_WORDS + 1] = offset;
    segment[at + DIGEST_WORDS + 2] = length;
  }

  #at(entry: number): readonly [Uint32Array, number] {
    const segment = this.#segments[Math.floor(entry / SEGMENT_ENTRIES)];
    if (segment === undefined) throw new RangeError(`no entry ${entry}`);
    return [segment, (entry % SEGMENT_ENTRIES) * ENTRY_WORDS];
  }

  /** The slot that holds a digest, or the empty one where it belongs. */
  #slotOf({ words, from }: DigestWords): number {
    const mask = this.#slots.length - 1;
    for (let slot = (words[from] ?? 0) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot] ?? 0;
      if (entry === 0) return slot;
      const [segment, at] = this.#at(entry - 1);
      let same = 0;
      while (same < DIGEST_WORDS && segment[at + same] === words[from + same]) same += 1;
      if (same === DIGEST_WORDS) return slot;
    }
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let entry = 0; entry < this.#size; entry += 1) {
      const [words, from] = this.#at(entry);
      this.#slots[this.#slotOf({ words, from })] = entry + 1;
    }
  }

  #numberOf(pack: string): number {
    const known = this.#packNumbers.get(pack);
    if (known !== undefined) return known;
    this.#packs.push(pack);
    this.#packNumbers.set(pack, this.#packs.length - 1);
    return this.#packs.length - 1;
  }

  #codingNumberOf(coding: string): number {
    const known = this.#codings.indexOf(coding);
    return known >= 0 ? known : this.#codings.push(coding) - 1;
  }
}

/** A digest as words of four bytes, somewhere in a list of digests. */
export interface DigestWords {
  readonly words: Uint32Array;
  readonly from: number;
}

/** How many words a digest has. */
export const WORDS = 8;

/** The words of a digest. */
export function wordsOf(digest: Digest): DigestWords {
  const bytes = new Uint8Array(4 * WORDS);
  bytes.set(Buffer.from(digest.slice('sha256:'.length), 'hex'));
  return { words: new Uint32Array(bytes.buffer), from: 0 };
}
