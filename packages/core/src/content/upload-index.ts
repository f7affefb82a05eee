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

  /** Finds a piece by the 32 bytes of its digest, unless it lies in an absent pack. */
  find(digest: Uint8Array): Place | undefined {
    const entry = this.#slots[this.#slotOf(wordsOf(digest))] ?? 0;
    if (entry === 0) return undefined;
    const [segment, at] = this.#at(entry - 1);
    const word = segment[at + DIGEST_WORDS] ?? 0;
    const number = word & (2 ** PACK_BITS - 1);
    if (this.#absent.has(number)) return undefined;
    const coding = this.#codings[(word >>> PACK_BITS) & 0x7f];
    return {
      pack: this.#packs[number] ?? '',
      offset: segment[at + DIGEST_WORDS + 1] ?? 0,
      length: segment[at + DIGEST_WORDS + 2] ?? 0,
      ...(coding ? { coding } : {}),
      own: (word & OWN) !== 0,
    };
  }

  /** Says whether this upload wrote a piece at some time, even into a pack that is absent now. */
  wasOwn(digest: Uint8Array): boolean {
    const entry = this.#slots[this.#slotOf(wordsOf(digest))] ?? 0;
    if (entry === 0) return false;
    const [segment, at] = this.#at(entry - 1);
    return ((segment[at + DIGEST_WORDS] ?? 0) & OWN) !== 0;
  }

  /** Notes where a piece lies; a place noted before stays, unless its pack is absent. */
  add(digest: Uint8Array, place: Place): void {
    // Such a place could be of a whole file that an old release stored as one piece; missing it costs bytes only.
    if (place.offset > LARGEST || place.length > LARGEST) return;
    const words = wordsOf(digest);
    const slot = this.#slotOf(words);
    const known = this.#slots[slot] ?? 0;
    if (known !== 0 && this.find(digest) !== undefined) return;
    const own = place.own || (known !== 0 && this.wasOwn(digest));
    const entry = known === 0 ? this.#size : known - 1;
    this.#write(entry, words, { ...place, own });
    if (known !== 0) return;
    this.#slots[slot] = entry + 1;
    this.#size += 1;
    if (this.#size * 2 > this.#slots.length) this.#grow();
  }

  /** Notes all pieces of a page of an earlier version. */
  addPage(pieces: readonly Piece[]): void {
    for (const { digest, ...place } of pieces) this.add(bytesOf(digest), { ...place, own: false });
  }

  /** From now on nothing is found in these packs. */
  forget(packs: Iterable<string>): void {
    for (const pack of packs) this.#absent.add(this.#numberOf(pack));
  }

  #write(entry: number, words: Uint32Array, { pack, offset, length, coding, own }: Place): void {
    if (this.#segments[Math.floor(entry / SEGMENT_ENTRIES)] === undefined)
      this.#segments.push(new Uint32Array(SEGMENT_ENTRIES * ENTRY_WORDS));
    const [segment, at] = this.#at(entry);
    segment.set(words, at);
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
  #slotOf(words: Uint32Array): number {
    const mask = this.#slots.length - 1;
    for (let slot = (words[0] ?? 0) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot] ?? 0;
      if (entry === 0) return slot;
      const [segment, at] = this.#at(entry - 1);
      let same = 0;
      while (same < DIGEST_WORDS && segment[at + same] === words[same]) same += 1;
      if (same === DIGEST_WORDS) return slot;
    }
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let entry = 0; entry < this.#size; entry += 1) {
      const [segment, at] = this.#at(entry);
      this.#slots[this.#slotOf(segment.subarray(at, at + DIGEST_WORDS))] = entry + 1;
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

const words = new Uint32Array(DIGEST_WORDS);
const wordBytes = new Uint8Array(words.buffer);

/** The words of a digest that the index keeps; valid until the next call. */
function wordsOf(digest: Uint8Array): Uint32Array {
  wordBytes.set(digest.subarray(0, wordBytes.length));
  return words;
}

/** The 32 bytes of a digest. */
export function bytesOf(digest: Digest): Uint8Array {
  return Buffer.from(digest.slice('sha256:'.length), 'hex');
}
