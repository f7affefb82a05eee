import type { JsonValue } from '../../json.ts';

/**
 * Reads the start of a UBJSON document, XGBoost's own model format: objects and lists hold what lies before the end of
 * the bytes. Undefined: the first byte begins no object. Numbers of 64 bits are read as doubles.
 */
export function readUbjson(bytes: Buffer): JsonValue | undefined {
  if (bytes[0] !== 0x7b) return undefined;
  const reader = new Reader(bytes, 0);
  return reader.value();
}

/** Reads the value that follows the last occurrence of a key, as at the end of a file whose middle is not at hand. */
export function lastUbjsonValue(bytes: Buffer, key: string): JsonValue | undefined {
  const at = bytes.lastIndexOf(`${key}`, undefined, 'latin1');
  return at < 0 ? undefined : new Reader(bytes, at + key.length).value();
}

const MAX_DEPTH = 32;
/** Markers of numbers, and their bytes. */
const NUMBERS: Readonly<Record<string, (bytes: Buffer, at: number) => readonly [number, number]>> = {
  i: (bytes, at) => [bytes.readInt8(at), 1],
  U: (bytes, at) => [bytes.readUInt8(at), 1],
  I: (bytes, at) => [bytes.readInt16BE(at), 2],
  l: (bytes, at) => [bytes.readInt32BE(at), 4],
  L: (bytes, at) => [Number(bytes.readBigInt64BE(at)), 8],
  d: (bytes, at) => [bytes.readFloatBE(at), 4],
  D: (bytes, at) => [bytes.readDoubleBE(at), 8],
};

class Reader {
  private readonly bytes: Buffer;
  private at: number;
  private depth = 0;
  private ended = false;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  value(): JsonValue | undefined {
    try {
      return this.typed(this.marker());
    } catch (error) {
      return this.stop(error);
    }
  }

  private typed(marker: string): JsonValue {
    const number = NUMBERS[marker];
    if (number !== undefined) {
      const [value, size] = number(this.bytes, this.at);
      this.at += size;
      return value;
    }
    if (marker === 'S') return this.text();
    if (marker === 'T' || marker === 'F') return marker === 'T';
    if (marker === 'Z') return null;
    if (marker !== '{' && marker !== '[') throw new RangeError(`no value begins with ${JSON.stringify(marker)}`);
    if (++this.depth > MAX_DEPTH) throw new RangeError('values nest too deeply');
    const container = marker === '{' ? this.object() : this.list();
    this.depth--;
    return container;
  }

  private object(): JsonValue {
    const entries = new Map<string, JsonValue>();
    try {
      while (!this.ended && this.bytes[this.at] !== 0x7d) entries.set(this.text(), this.typed(this.marker()));
      this.at++;
    } catch (error) {
      this.stop(error);
    }
    return Object.fromEntries(entries);
  }

  private list(): JsonValue {
    const values: JsonValue[] = [];
    const type = this.peek('$') ? this.marker() : undefined;
    const count = this.peek('#') ? this.size() : undefined;
    // Values that take no byte would fill the memory with as many as a count says.
    if (type !== undefined && 'TFZN'.includes(type)) throw new RangeError('a list of values without bytes');
    try {
      while (!this.ended && (count === undefined ? this.bytes[this.at] !== 0x5d : values.length < count))
        values.push(this.typed(type ?? this.marker()));
      if (count === undefined) this.at++;
    } catch (error) {
      this.stop(error);
    }
    return values;
  }

  private peek(marker: string): boolean {
    if (this.bytes[this.at] !== marker.charCodeAt(0)) return false;
    this.at++;
    return true;
  }

  private text(): string {
    const size = this.size();
    if (size < 0 || this.at + size > this.bytes.length) throw new RangeError('a text ends after the bytes');
    this.at += size;
    return this.bytes.toString('utf8', this.at - size, this.at);
  }

  private size(): number {
    const size = this.typed(this.marker());
    if (typeof size !== 'number') throw new RangeError('a length is no number');
    return size;
  }

  private marker(): string {
    if (this.at >= this.bytes.length) throw new RangeError('the bytes end');
    return String.fromCharCode(this.bytes[this.at++] ?? 0);
  }

  /** The end of the bytes ends everything that is open. */
  private stop(error: unknown): undefined {
    if (!(error instanceof RangeError)) throw error;
    this.ended = true;
    return undefined;
  }
}
