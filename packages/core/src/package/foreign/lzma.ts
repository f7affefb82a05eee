import { broken } from './byte-stream.ts';

/**
 * Decodes LZMA2 chunks, the compression inside `.xz`. Memory is the dictionary and one chunk (at most 2 MiB); the bit
 * model is the one of the LZMA specification (literal, match and repeat coders over one range coder).
 */
export interface LzmaDecoder {
  /** Sets the properties byte of a chunk that brings one: `(pb * 5 + lp) * 9 + lc`. Starts all probabilities anew. */
  setProperties(byte: number): void;
  /** Starts all probabilities anew and keeps the properties. */
  resetState(): void;
  /** Forgets what was decoded, and the properties: the next compressed chunk brings its own. */
  resetDictionary(): void;
  /** Decodes one compressed chunk into exactly `sizeBytes` bytes, valid until the next call. */
  decode(chunk: Uint8Array, sizeBytes: number): Uint8Array;
  /** Takes a chunk that was stored as it is. */
  store(chunk: Uint8Array): Uint8Array;
}

const MAX_CHUNK = 2 * 1024 * 1024;
const STATES = 12;
const HALF = 1024;

/** Makes a decoder; `dictionaryBytes` is how far back a match may reach, `what` names the archive in errors. */
export function createLzmaDecoder(dictionaryBytes: number, what: string): LzmaDecoder {
  return new Decoder(dictionaryBytes, what);
}

class Decoder implements LzmaDecoder {
  readonly #what: string;
  readonly #history: number;
  /** The dictionary and behind it the chunk that is written; moved to the front when it is full. */
  readonly #window: Uint8Array;
  #at = 0;
  #start = 0;
  #lc = 0;
  #lpMask = 0;
  #pbMask = 0;
  #ready = false;
  #state = 0;
  #reps: [number, number, number, number] = [0, 0, 0, 0];
  #literal = new Uint16Array(0);
  readonly #isMatch = new Uint16Array(STATES << 4);
  readonly #isRep = new Uint16Array(STATES);
  readonly #isRepG0 = new Uint16Array(STATES);
  readonly #isRepG1 = new Uint16Array(STATES);
  readonly #isRepG2 = new Uint16Array(STATES);
  readonly #isRep0Long = new Uint16Array(STATES << 4);
  readonly #slots = new Uint16Array(4 * 64);
  readonly #special = new Uint16Array(128);
  readonly #align = new Uint16Array(16);
  readonly #matchLength = new LengthModel();
  readonly #repLength = new LengthModel();
  // The range coder of the current chunk.
  #input: Uint8Array = new Uint8Array(0);
  #next = 0;
  #range = 0;
  #code = 0;

  constructor(dictionaryBytes: number, what: string) {
    this.#what = what;
    this.#history = Math.max(4096, dictionaryBytes);
    this.#window = new Uint8Array(2 * this.#history + MAX_CHUNK + 16);
  }

  setProperties(byte: number): void {
    if (byte >= 225) throw broken(this.#what, 'its compression has unknown properties');
    const lc = byte % 9;
    const lp = Math.floor(byte / 9) % 5;
    if (lc + lp > 4) throw broken(this.#what, 'its compression has unknown properties');
    this.#lc = lc;
    this.#lpMask = (1 << lp) - 1;
    this.#pbMask = (1 << Math.floor(byte / 45)) - 1;
    this.#literal = new Uint16Array(0x300 << (lc + lp));
    this.#ready = true;
    this.resetState();
  }

  resetState(): void {
    const all = [this.#literal, this.#isMatch, this.#isRep, this.#isRepG0, this.#isRepG1, this.#isRepG2];
    for (const model of [...all, this.#isRep0Long, this.#slots, this.#special, this.#align]) model.fill(HALF);
    this.#matchLength.reset();
    this.#repLength.reset();
    this.#state = 0;
    this.#reps = [0, 0, 0, 0];
  }

  resetDictionary(): void {
    this.#start = this.#at;
    this.#ready = false;
  }

  store(chunk: Uint8Array): Uint8Array {
    this.#makeRoom(chunk.length);
    this.#window.set(chunk, this.#at);
    this.#at += chunk.length;
    return chunk;
  }

  decode(chunk: Uint8Array, sizeBytes: number): Uint8Array {
    if (!this.#ready) throw broken(this.#what, 'its first chunk has no properties');
    this.#makeRoom(sizeBytes);
    this.#input = chunk;
    this.#next = 5;
    this.#range = 0xffffffff;
    this.#code = 0;
    for (let index = 1; index < 5; index += 1) this.#code = ((this.#code << 8) | (chunk[index] ?? 0)) >>> 0;
    const from = this.#at;
    const end = from + sizeBytes;
    while (this.#at < end) this.#step(end);
    if (this.#next > chunk.length) throw broken(this.#what, 'a chunk is longer than it says');
    return this.#window.subarray(from, end);
  }

  #makeRoom(sizeBytes: number): void {
    if (this.#at + sizeBytes <= this.#window.length) return;
    const all = this.#at - this.#start;
    const least = Math.min(all, this.#history);
    // What is forgotten is a multiple of 16 bytes: the place of a byte, modulo at most that, is part of the model.
    const keep = least + ((all - least) % 16);
    this.#window.copyWithin(0, this.#at - keep, this.#at);
    this.#start = 0;
    this.#at = keep;
  }

  #step(end: number): void {
    const position = this.#at - this.#start;
    const posState = position & this.#pbMask;
    if (this.#bit(this.#isMatch, (this.#state << 4) + posState) === 0) {
      this.#literalStep(position);
      return;
    }
    let length: number;
    if (this.#bit(this.#isRep, this.#state) === 0) {
      length = this.#length(this.#matchLength, posState);
      this.#state = this.#state < 7 ? 7 : 10;
      const [rep0, rep1, rep2] = this.#reps;
      this.#reps = [this.#distance(length), rep0, rep1, rep2];
      if (this.#reps[0] === 0xffffffff) throw broken(this.#what, 'it ends before its size says');
    } else if (this.#isShortRep(posState)) {
      length = 1;
      this.#state = this.#state < 7 ? 9 : 11;
    } else {
      length = this.#length(this.#repLength, posState);
      this.#state = this.#state < 7 ? 8 : 11;
    }
    this.#copy(this.#reps[0] + 1, length, end);
  }

  /** Reads which repeated distance is meant and puts it first; true for a single byte of the last one. */
  #isShortRep(posState: number): boolean {
    const [rep0, rep1, rep2, rep3] = this.#reps;
    if (this.#bit(this.#isRepG0, this.#state) === 0)
      return this.#bit(this.#isRep0Long, (this.#state << 4) + posState) === 0;
    if (this.#bit(this.#isRepG1, this.#state) === 0) this.#reps = [rep1, rep0, rep2, rep3];
    else if (this.#bit(this.#isRepG2, this.#state) === 0) this.#reps = [rep2, rep0, rep1, rep3];
    else this.#reps = [rep3, rep0, rep1, rep2];
    return false;
  }

  #copy(distance: number, length: number, end: number): void {
    if (distance > this.#at - this.#start || distance > this.#history + MAX_CHUNK)
      throw broken(this.#what, 'a match reaches before its beginning');
    if (this.#at + length > end) throw broken(this.#what, 'a match crosses the end of its chunk');
    const window = this.#window;
    for (let left = length; left > 0; left -= 1) {
      window[this.#at] = window[this.#at - distance] ?? 0;
      this.#at += 1;
    }
  }

  #literalStep(position: number): void {
    const previous = position > 0 ? (this.#window[this.#at - 1] ?? 0) : 0;
    const context = ((position & this.#lpMask) << this.#lc) + (previous >> (8 - this.#lc));
    const base = 0x300 * context;
    let symbol = 1;
    if (this.#state >= 7) {
      const distance = this.#reps[0] + 1;
      if (distance > position) throw broken(this.#what, 'a match reaches before its beginning');
      let match = this.#window[this.#at - distance] ?? 0;
      while (symbol < 0x100) {
        const matchBit = (match >> 7) & 1;
        match <<= 1;
        const bit = this.#bit(this.#literal, base + ((1 + matchBit) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (matchBit !== bit) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(this.#literal, base + symbol);
    this.#window[this.#at] = symbol;
    this.#at += 1;
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6;
  }

  #length(model: LengthModel, posState: number): number {
    if (this.#bit(model.choice, 0) === 0) return 2 + this.#tree(model.low, posState << 3, 3);
    if (this.#bit(model.choice, 1) === 0) return 10 + this.#tree(model.middle, posState << 3, 3);
    return 18 + this.#tree(model.high, 0, 8);
  }

  #distance(length: number): number {
    const slot = this.#tree(this.#slots, Math.min(length - 2, 3) << 6, 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const base = ((2 | (slot & 1)) << bits) >>> 0;
    if (slot < 14) return base + this.#reverseTree(this.#special, base - slot, bits);
    const high = this.#direct(bits - 4) * 16;
    return base + high + this.#reverseTree(this.#align, 0, 4);
  }

  #tree(model: Uint16Array, base: number, bits: number): number {
    let symbol = 1;
    for (let left = bits; left > 0; left -= 1) symbol = (symbol << 1) | this.#bit(model, base + symbol);
    return symbol - (1 << bits);
  }

  #reverseTree(model: Uint16Array, base: number, bits: number): number {
    let symbol = 1;
    let value = 0;
    for (let index = 0; index < bits; index += 1) {
      const bit = this.#bit(model, base + symbol);
      symbol = (symbol << 1) | bit;
      value |= bit << index;
    }
    return value;
  }

  #direct(bits: number): number {
    let value = 0;
    for (let left = bits; left > 0; left -= 1) {
      this.#range >>>= 1;
      const bit = this.#code >= this.#range ? 1 : 0;
      if (bit === 1) this.#code -= this.#range;
      this.#normalize();
      value = value * 2 + bit;
    }
    return value;
  }

  #bit(model: Uint16Array, index: number): 0 | 1 {
    const probability = model[index] ?? HALF;
    const bound = (this.#range >>> 11) * probability;
    let bit: 0 | 1;
    if (this.#code < bound) {
      this.#range = bound;
      model[index] = probability + ((2048 - probability) >> 5);
      bit = 0;
    } else {
      this.#range -= bound;
      this.#code -= bound;
      model[index] = probability - (probability >> 5);
      bit = 1;
    }
    this.#normalize();
    return bit;
  }

  #normalize(): void {
    if (this.#range >= 0x1000000) return;
    this.#range = (this.#range << 8) >>> 0;
    this.#code = ((this.#code << 8) | (this.#input[this.#next] ?? 0)) >>> 0;
    this.#next += 1;
  }
}

class LengthModel {
  readonly choice = new Uint16Array(2);
  readonly low = new Uint16Array(16 << 3);
  readonly middle = new Uint16Array(16 << 3);
  readonly high = new Uint16Array(256);

  constructor() {
    this.reset();
  }

  reset(): void {
    for (const model of [this.choice, this.low, this.middle, this.high]) model.fill(HALF);
  }
}
