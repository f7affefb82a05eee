/** What a pickle says of itself without being loaded: the names it would import. */
export interface PickleSummary {
  readonly protocol: number;
  /** `module` and `name` in the order of their first use. */
  readonly globals: readonly { readonly module: string; readonly name: string }[];
  /** The class of the outermost object, when it is an instance of one. */
  readonly root?: { readonly module: string; readonly name: string };
}

/** Opcodes whose operand is a line of text. */
const LINES: ReadonlySet<number> = new Set([...'FILSVPgp'].map((code) => code.charCodeAt(0)));
/** Opcodes with an operand of fixed size. */
const FIXED: ReadonlyMap<number, number> = new Map(
  [
    ['J', 4],
    ['K', 1],
    ['M', 2],
    ['G', 8],
    ['h', 1],
    ['j', 4],
    ['q', 1],
    ['r', 4],
    ['\x80', 1],
    ['\x82', 1],
    ['\x83', 2],
    ['\x84', 4],
    ['\x95', 8],
  ].map(([code, size]) => [String(code).charCodeAt(0), Number(size)]),
);
/** Opcodes whose operand starts with its length: bytes of the length field, and whether it is text. */
const COUNTED: ReadonlyMap<number, { readonly width: number; readonly isText: boolean }> = new Map([
  [0x54, { width: 4, isText: false }], // T BINSTRING
  [0x55, { width: 1, isText: true }], // U SHORT_BINSTRING
  [0x42, { width: 4, isText: false }], // B BINBYTES
  [0x43, { width: 1, isText: false }], // C SHORT_BINBYTES
  [0x58, { width: 4, isText: true }], // X BINUNICODE
  [0x8c, { width: 1, isText: true }], // SHORT_BINUNICODE
  [0x8d, { width: 8, isText: true }], // BINUNICODE8
  [0x8e, { width: 8, isText: false }], // BINBYTES8
  [0x96, { width: 8, isText: false }], // BYTEARRAY8
  [0x8a, { width: 1, isText: false }], // LONG1
  [0x8b, { width: 4, isText: false }], // LONG4
]);
/** All opcodes without operand. */
const BARE: ReadonlySet<number> = new Set(
  [...'(.012NQRabdeostu)lo}]\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98'].map((code) =>
    code.charCodeAt(0),
  ),
);

const MAX_PROTOCOL = 5;
const MAX_TEXT = 300;
const MAX_GLOBALS = 1000;

/**
 * Walks the opcodes at the start of a pickle and collects the globals it names; nothing is executed. Stops quietly at
 * the end of the bytes or at the first byte that is no opcode (joblib puts raw arrays between). Undefined: not a pickle.
 */
export function readPickle(bytes: Uint8Array): PickleSummary | undefined {
  const walker = new Walker(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const complete = walker.run();
  if (walker.operations < 2 || (!complete && walker.protocol < 2 && walker.globals.length === 0)) return undefined;
  return {
    protocol: walker.protocol,
    globals: walker.globals,
    ...(walker.root === undefined ? {} : { root: walker.root }),
  };
}

class Walker {
  readonly globals: { module: string; name: string }[] = [];
  protocol = 0;
  operations = 0;
  root: { module: string; name: string } | undefined;
  private readonly bytes: Buffer;
  private at = 0;
  private readonly seen = new Set<string>();
  /** The last two texts pushed, which STACK_GLOBAL takes. */
  private texts: string[] = [];
  private memo = new Map<number, string>();
  private memoSize = 0;
  /** Memos of the pickles around this one: joblib writes an array of objects as a pickle within the pickle. */
  private readonly outer: { readonly memo: Map<number, string>; readonly memoSize: number }[] = [];
  private last: string | undefined;
  private sawContainer = false;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** True when the pickle ended with STOP or with the bytes at hand. */
  run(): boolean {
    try {
      while (this.at < this.bytes.length && this.globals.length < MAX_GLOBALS) {
        const code = this.bytes[this.at++] ?? 0;
        this.operations++;
        if (code === 0x2e && this.outer.length === 0) return true;
        if (!(code === 0x2e ? this.leave() : this.step(code))) return false;
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
    return true;
  }

  private step(code: number): boolean {
    const counted = COUNTED.get(code);
    if (counted !== undefined) return this.counted(counted);
    if (code === 0x63 || code === 0x69) return this.found(this.line(), this.line());
    if (code === 0x93) return this.found(this.texts.at(-2) ?? '', this.texts.at(-1) ?? '');
    if (code === 0x94) return this.memoize(this.memoSize);
    if (LINES.has(code)) return this.lineOperand(code);
    const size = FIXED.get(code);
    if (size !== undefined) return this.fixedOperand(code, size);
    if (!BARE.has(code)) return false;
    if (code === 0x5d || code === 0x7d || code === 0x8f || code === 0x29)
      this.sawContainer ||= this.globals.length === 0;
    this.last = undefined;
    return true;
  }

  private counted({ width, isText }: { readonly width: number; readonly isText: boolean }): boolean {
    const length = width === 8 ? Number(this.bytes.readBigUInt64LE(this.at)) : this.bytes.readUIntLE(this.at, width);
    this.at += width;
    this.push(isText && length <= MAX_TEXT ? this.bytes.toString('utf8', this.at, this.at + length) : undefined);
    this.at += length;
    return true;
  }

  private lineOperand(code: number): boolean {
    const text = this.line();
    if (code === 0x70) return this.memoize(Number(text)); // PUT
    if (code === 0x67) return this.push(this.memo.get(Number(text))); // GET
    return this.push(code === 0x56 || code === 0x53 ? text.replace(/^(['"])(.*)\1$/, '$2') : undefined);
  }

  private fixedOperand(code: number, size: number): boolean {
    const value = size <= 4 ? this.bytes.readUIntLE(this.at, size) : 0;
    this.at += size;
    if (code === 0x80) return this.enter(value);
    if (code === 0x71 || code === 0x72) return this.memoize(value); // BINPUT
    if (code === 0x68 || code === 0x6a) return this.push(this.memo.get(value)); // BINGET
    if (code !== 0x95) this.last = undefined;
    return true;
  }

  /** PROTO begins a pickle, also one within another; each has a memo of its own. */
  private enter(protocol: number): boolean {
    if (protocol > MAX_PROTOCOL) return false;
    if (this.operations > 1) this.outer.push({ memo: this.memo, memoSize: this.memoSize });
    else this.protocol = protocol;
    this.memo = new Map();
    this.memoSize = 0;
    return true;
  }

  private leave(): boolean {
    const around = this.outer.pop();
    this.memo = around?.memo ?? new Map();
    this.memoSize = around?.memoSize ?? 0;
    this.last = undefined;
    return true;
  }

  private line(): string {
    const end = this.bytes.indexOf(0x0a, this.at);
    if (end < 0) throw new RangeError('the text ends beyond the bytes at hand');
    const text = this.bytes.toString('utf8', this.at, Math.min(end, this.at + MAX_TEXT));
    this.at = end + 1;
    return text;
  }

  private push(text: string | undefined): boolean {
    this.last = text;
    if (text !== undefined) this.texts = [...this.texts.slice(-1), text];
    return true;
  }

  private memoize(index: number): boolean {
    if (this.last !== undefined) this.memo.set(index, this.last);
    this.memoSize = Math.max(this.memoSize, index + 1);
    return true;
  }

  private found(module: string, name: string): boolean {
    this.last = undefined;
    if (!/^[\w.]+$/u.test(module) || name === '') return false;
    const helper = /^(?:copy_?reg|builtins|__builtin__)$/.test(module);
    if (!helper && this.root === undefined && !this.sawContainer) this.root = { module, name };
    if (helper && !/^(?:_reconstructor|__newobj__|__newobj_ex__|object)$/.test(name)) this.sawContainer = true;
    const key = `${module}:${name}`;
    if (!this.seen.has(key)) this.globals.push({ module, name });
    this.seen.add(key);
    return true;
  }
}
