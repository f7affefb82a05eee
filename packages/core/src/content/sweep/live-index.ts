/**
 * A *live row* is a range of a pack that something still needs: a piece, a page or a recipe. There may be millions, so
 * they are kept as numbers, pack by pack.
 */

import { type Digest, isDigest } from '../../digest.ts';
import type { Locator } from '../content-store.ts';

/** The live rows of one pack: each range once, by offset. */
export interface LiveRows {
  readonly offsets: Float64Array;
  readonly lengths: Float64Array;
  /** 32 bytes a row; empty unless the index keeps digests. */
  readonly digests: Uint8Array;
  /** Bytes of all rows. */
  readonly bytes: number;
}

/** Which ranges of which packs are needed. */
export class LiveIndex {
  readonly #packs = new Map<string, RowList>();
  readonly #keepsDigests: boolean;

  /** @param keepsDigests whether rows carry the digests of what should lie there, which takes three times the memory. */
  constructor(keepsDigests = false) {
    this.#keepsDigests = keepsDigests;
  }

  /** Adds a range; adding it again changes nothing. */
  add({ pack, offset, length }: Locator, digest?: string): void {
    let rows = this.#packs.get(pack);
    if (rows === undefined) {
      rows = new RowList(this.#keepsDigests);
      this.#packs.set(pack, rows);
    }
    rows.add(offset, length, digest);
  }

  /** All packs that have live rows. */
  packs(): Iterable<string> {
    return this.#packs.keys();
  }

  has(pack: string): boolean {
    return this.#packs.has(pack);
  }

  /** The live rows of a pack. */
  rows(pack: string): LiveRows {
    return this.#packs.get(pack)?.settled() ?? NO_ROWS;
  }
}

/** The digest of a row; undefined where the index keeps none. */
export function digestOfRow({ digests }: LiveRows, n: number): Digest | undefined {
  if (digests.byteLength === 0) return undefined;
  const digest = `sha256:${Buffer.from(digests.subarray(n * DIGEST_BYTES, (n + 1) * DIGEST_BYTES)).toString('hex')}`;
  return isDigest(digest) ? digest : undefined;
}

const NO_ROWS: LiveRows = {
  offsets: new Float64Array(0),
  lengths: new Float64Array(0),
  digests: new Uint8Array(0),
  bytes: 0,
};

const DIGEST_BYTES = 32;

class RowList {
  readonly #keepsDigests: boolean;
  #offsets = new Float64Array(4);
  #lengths = new Float64Array(4);
  #digests: Uint8Array;
  #count = 0;
  #settled: LiveRows | undefined;

  constructor(keepsDigests: boolean) {
    this.#keepsDigests = keepsDigests;
    this.#digests = new Uint8Array(keepsDigests ? 4 * DIGEST_BYTES : 0);
  }

  add(offset: number, length: number, digest: string | undefined): void {
    this.#settled = undefined;
    if (this.#count === this.#offsets.length) this.#grow(this.#count * 2);
    this.#offsets[this.#count] = offset;
    this.#lengths[this.#count] = length;
    if (this.#keepsDigests && digest !== undefined) {
      const bytes = Buffer.from(this.#digests.buffer, this.#digests.byteOffset, this.#digests.byteLength);
      bytes.write(digest.slice(digest.indexOf(':') + 1), this.#count * DIGEST_BYTES, 'hex');
    }
    this.#count += 1;
  }

  settled(): LiveRows {
    this.#settled ??= this.#settle();
    return this.#settled;
  }

  #settle(): LiveRows {
    const order = this.#order();
    const offsets = new Float64Array(order.length);
    const lengths = new Float64Array(order.length);
    const digests = new Uint8Array(this.#keepsDigests ? order.length * DIGEST_BYTES : 0);
    let bytes = 0;
    for (const [to, from] of order.entries()) {
      offsets[to] = this.#offsets[from] ?? 0;
      lengths[to] = this.#lengths[from] ?? 0;
      bytes += lengths[to] ?? 0;
      if (this.#keepsDigests)
        digests.set(this.#digests.subarray(from * DIGEST_BYTES, (from + 1) * DIGEST_BYTES), to * DIGEST_BYTES);
    }
    this.#offsets = offsets;
    this.#lengths = lengths;
    this.#digests = digests;
    this.#count = order.length;
    // What is added later must not change what was given out.
    this.#grow(Math.max(4, order.length));
    return { offsets, lengths, digests, bytes };
  }

  /** Places of all rows by offset, each range (and digest) once. */
  #order(): Uint32Array {
    const places = Uint32Array.from({ length: this.#count }, (_, n) => n);
    const offsets = this.#offsets;
    const lengths = this.#lengths;
    places.sort((a, b) => (offsets[a] ?? 0) - (offsets[b] ?? 0) || (lengths[a] ?? 0) - (lengths[b] ?? 0));
    return places.filter((place, n) => n === 0 || !this.#isSame(place, places[n - 1] ?? 0));
  }

  #isSame(a: number, b: number): boolean {
    if (this.#offsets[a] !== this.#offsets[b] || this.#lengths[a] !== this.#lengths[b]) return false;
    if (!this.#keepsDigests) return true;
    const digest = (n: number) => this.#digests.subarray(n * DIGEST_BYTES, (n + 1) * DIGEST_BYTES);
    return Buffer.compare(digest(a), digest(b)) === 0;
  }

  #grow(size: number): void {
    const offsets = new Float64Array(size);
    const lengths = new Float64Array(size);
    offsets.set(this.#offsets.subarray(0, this.#count));
    lengths.set(this.#lengths.subarray(0, this.#count));
    this.#offsets = offsets;
    this.#lengths = lengths;
    if (!this.#keepsDigests) return;
    const digests = new Uint8Array(size * DIGEST_BYTES);
    digests.set(this.#digests.subarray(0, this.#count * DIGEST_BYTES));
    this.#digests = digests;
  }
}
