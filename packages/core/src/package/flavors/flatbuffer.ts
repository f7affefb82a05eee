/** More entries than this are not read. */
const MAX_ENTRIES = 100_000;

/** How many bytes of text may still be read from one buffer: fields may point to the same one. */
interface Budget {
  left: number;
}

/**
 * A table of a FlatBuffer: fields by their order in the schema. Positions that lie outside the bytes are a RangeError,
 * as Node's own readers raise it.
 */
export class FlatTable {
  private readonly bytes: Buffer;
  private readonly at: number;

  private readonly budget: Budget;

  private constructor(bytes: Buffer, at: number, budget: Budget) {
    this.bytes = bytes;
    this.at = at;
    this.budget = budget;
  }

  /** The root table of a buffer that begins at `start`. */
  static root(bytes: Buffer, start: number): FlatTable {
    return new FlatTable(bytes, start + bytes.readUInt32LE(start), { left: 2 * bytes.length });
  }

  /** A 32-bit integer; undefined where the field has its default. */
  integer(field: number): number | undefined {
    const at = this.place(field);
    return at === undefined ? undefined : this.bytes.readInt32LE(at);
  }

  /** A text. */
  text(field: number): string | undefined {
    const at = this.target(field);
    if (at === undefined) return undefined;
    const size = this.bytes.readUInt32LE(at);
    if (at + 4 + size > this.bytes.length) throw new RangeError('a text ends after the bytes');
    this.budget.left -= size;
    if (this.budget.left < 0) throw new RangeError('many fields share one long text');
    return this.bytes.toString('utf8', at + 4, at + 4 + size);
  }

  /** A table. */
  table(field: number): FlatTable | undefined {
    const at = this.target(field);
    return at === undefined ? undefined : new FlatTable(this.bytes, at, this.budget);
  }

  /** A list of tables; empty where there is none. */
  tables(field: number): readonly FlatTable[] {
    const at = this.target(field);
    if (at === undefined) return [];
    const count = this.bytes.readUInt32LE(at);
    if (count > MAX_ENTRIES) throw new RangeError('a list is too long');
    return Array.from({ length: count }, (_, index) => {
      const entry = at + 4 + 4 * index;
      return new FlatTable(this.bytes, entry + this.bytes.readUInt32LE(entry), this.budget);
    });
  }

  private target(field: number): number | undefined {
    const at = this.place(field);
    return at === undefined ? undefined : at + this.bytes.readUInt32LE(at);
  }

  private place(field: number): number | undefined {
    const fields = this.at - this.bytes.readInt32LE(this.at);
    const entry = 4 + 2 * field;
    const offset = entry < this.bytes.readUInt16LE(fields) ? this.bytes.readUInt16LE(fields + entry) : 0;
    return offset === 0 ? undefined : this.at + offset;
  }
}
