/**
 * The gear scan as WebAssembly, written by hand: one imported memory with the gear table at its start, one function.
 * Each hash needs the one before, and that wait is most of the time when bytes are taken one by one. So four are taken
 * together: what each adds is computed from the bytes alone, `a = g(0)`, `b = 2a + g(1)`, `c = 2b + g(2)`, `d = 2c + g(3)`,
 * and the four hashes are `2h + a`, `4h + b`, `8h + c`, `16h + d`. In the text format it is
 *
 *     (func (export "scan") (param $at i32) (param $to i32) (param $threshold i32) (result i32) (local $h … $d i32)
 *       (local.set $h (global.get $hash))
 *       (block $tail
 *         (loop $four
 *           (br_if $tail (i32.lt_u (i32.sub (local.get $to) (local.get $at)) (i32.const 4)))
 *           (local.set $a …) (local.set $b …) (local.set $c …) (local.set $d …)
 *           (if (i32.lt_u (local.tee $a (i32.add (i32.shl (local.get $h) (i32.const 1)) (local.get $a))) (local.get $threshold))
 *             (then (global.set $hash (local.get $a)) (return (i32.add (local.get $at) (i32.const 1)))))
 *           … the same for $b and $c …
 *           (local.set $h (i32.add (i32.shl (local.get $h) (i32.const 4)) (local.get $d)))
 *           (local.set $at (i32.add (local.get $at) (i32.const 4)))
 *           (br_if $four (i32.ge_u (local.get $h) (local.get $threshold)))
 *           (global.set $hash (local.get $h)) (return (local.get $at))))
 *       … the up to three bytes that are left, one by one …
 *       (global.set $hash (local.get $h))
 *       (i32.const -1))
 */

import { GEAR, type GearScan } from './chunker-gear.ts';

/** Bytes at the start of the memory that the gear table takes. */
export const GEAR_BYTES = GEAR.byteLength;

const I32 = 0x7f;
const EMPTY_BLOCK = 0x40;

/** Unsigned LEB128, as WebAssembly writes all counts. */
function count(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...count(value >>> 7)];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...count(items.length), ...items.flat()];
}

function section(id: number, body: readonly number[]): number[] {
  return [id, ...count(body.length), ...body];
}

function text(value: string): number[] {
  return [...count(value.length), ...Buffer.from(value)];
}

const op = {
  block: [0x02, EMPTY_BLOCK],
  loop: [0x03, EMPTY_BLOCK],
  if: [0x04, EMPTY_BLOCK],
  end: [0x0b],
  branchIf: (depth: number) => [0x0d, ...count(depth)],
  return: [0x0f],
  get: (local: number) => [0x20, ...count(local)],
  set: (local: number) => [0x21, ...count(local)],
  tee: (local: number) => [0x22, ...count(local)],
  getGlobal: (global: number) => [0x23, ...count(global)],
  setGlobal: (global: number) => [0x24, ...count(global)],
  load: [0x28, 2, 0],
  loadByte: (offset: number) => [0x2d, 0, ...count(offset)],
  const: (value: number) => [0x41, value & 0x7f],
  lessThan: [0x49],
  notLessThan: [0x4f],
  add: [0x6a],
  subtract: [0x6b],
  shiftLeft: [0x74],
};

const [AT, TO, THRESHOLD, HASH_NOW] = [0, 1, 2, 3];
/** What each of four bytes adds to the hash before the first of them. */
const [FIRST, SECOND, THIRD, FOURTH] = [4, 5, 6, 7];
const ADDED = [FIRST, SECOND, THIRD, FOURTH];
const HASH = 0;

const shifted = (local: number, bits: number): number[] => [...op.get(local), ...op.const(bits), ...op.shiftLeft];
const gearAt = (offset: number): number[] => [
  ...op.get(AT),
  ...op.loadByte(offset),
  ...op.const(2),
  ...op.shiftLeft,
  ...op.load,
];

/** Computes what the byte at this offset adds, together with those before it. */
function adds(added: number, n: number): number[] {
  const before = ADDED[n - 1];
  if (before === undefined) return [...gearAt(n), ...op.set(added)];
  return [...shifted(before, 1), ...gearAt(n), ...op.add, ...op.set(added)];
}

/** Computes the hash at one of the first three bytes, and ends when it is below the threshold. */
function looks(added: number, n: number): number[] {
  return [
    ...[...shifted(HASH_NOW, n + 1), ...op.get(added), ...op.add, ...op.tee(added)],
    ...[...op.get(THRESHOLD), ...op.lessThan, ...op.if],
    ...[...op.get(added), ...op.setGlobal(HASH), ...op.get(AT), ...op.const(n + 1), ...op.add, ...op.return],
    ...op.end,
  ];
}

const found = [...op.get(HASH_NOW), ...op.setGlobal(HASH), ...op.get(AT), ...op.return];

const fourByFour: readonly number[] = [
  op.block,
  op.loop,
  [...op.get(TO), ...op.get(AT), ...op.subtract, ...op.const(4), ...op.lessThan, ...op.branchIf(1)],
  ...ADDED.map(adds),
  ...[FIRST, SECOND, THIRD].map(looks),
  [...shifted(HASH_NOW, 4), ...op.get(FOURTH), ...op.add, ...op.set(HASH_NOW)],
  [...op.get(AT), ...op.const(4), ...op.add, ...op.set(AT)],
  [...op.get(HASH_NOW), ...op.get(THRESHOLD), ...op.notLessThan, ...op.branchIf(0)],
  found,
  op.end,
  op.end,
].flat();

const oneByOne: readonly number[] = [
  op.block,
  [...op.get(AT), ...op.get(TO), ...op.notLessThan, ...op.branchIf(0)],
  op.loop,
  [...shifted(HASH_NOW, 1), ...gearAt(0), ...op.add, ...op.set(HASH_NOW)],
  [...op.get(AT), ...op.const(1), ...op.add, ...op.set(AT)],
  [...op.get(HASH_NOW), ...op.get(THRESHOLD), ...op.lessThan],
  [...op.if, ...found, ...op.end],
  [...op.get(AT), ...op.get(TO), ...op.lessThan, ...op.branchIf(0)],
  op.end,
  op.end,
].flat();

const body: readonly number[] = [
  ...[...op.getGlobal(HASH), ...op.set(HASH_NOW)],
  ...fourByFour,
  ...oneByOne,
  ...[...op.get(HASH_NOW), ...op.setGlobal(HASH), ...op.const(-1)],
  ...op.end,
];

/** Gives the bytes of the module, for a shared memory of exactly `pages` pages of 64 KiB. */
function gearModule(pages: number): Uint8Array<ArrayBuffer> {
  const SHARED_WITH_MAXIMUM = 3;
  const locals = vector([[1 + ADDED.length, I32]]);
  const code = [...locals, ...body];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector([[0x60, ...vector([[I32], [I32], [I32]]), ...vector([[I32]])]])),
    ...section(
      2,
      vector([[...text('host'), ...text('memory'), 2, SHARED_WITH_MAXIMUM, ...count(pages), ...count(pages)]]),
    ),
    ...section(3, vector([[0]])),
    ...section(6, vector([[I32, 1, ...op.const(0), ...op.end]])),
    ...section(
      7,
      vector([
        [...text('scan'), 0, 0],
        [...text('hash'), 3, 0],
      ]),
    ),
    ...section(10, vector([[...count(code.length), ...code]])),
  ]);
}

/** What this file uses of WebAssembly: Node has it, its type declarations do not. */
declare const WebAssembly: {
  readonly Memory: new (limits: {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: true;
  }) => { readonly buffer: SharedArrayBuffer };
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: Readonly<Record<string, unknown>> };
  readonly Global: new (type: { readonly value: 'i32' }) => { value: number };
};

/** Memory that all threads of a push share, with the gear table at its start. Both parts may be posted to a thread. */
export interface GearMemory {
  readonly memory: { readonly buffer: SharedArrayBuffer };
  readonly module: object;
}

/** Makes a shared memory of this many pages of 64 KiB. Throws where WebAssembly, or sharing memory, is not to be had. */
export function createGearMemory(pages: number): GearMemory {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  new Uint32Array(memory.buffer, 0, GEAR.length).set(GEAR);
  return { memory, module: new WebAssembly.Module(gearModule(pages)) };
}

/**
 * Makes the scan over such a memory; offsets are those of the memory. Its text also runs in worker threads: it uses
 * nothing but its argument.
 */
export function createWasmScan({ memory, module }: GearMemory): GearScan {
  const { scan, hash } = new WebAssembly.Instance(module, { host: { memory } }).exports;
  if (typeof scan !== 'function' || !(hash instanceof WebAssembly.Global)) throw new TypeError('not the gear module');
  return {
    reset: () => {
      hash.value = 0;
    },
    scan: (from, to, threshold) => Number(scan(from, to, threshold)),
  };
}
