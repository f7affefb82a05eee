import type { Datatype } from '../signature.ts';

/** Numbers of one datatype, row-major, little-endian in memory. FP16 travels as its raw 16-bit patterns. */
export type NumericData =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

/** Elements of a BYTES tensor: text, raw bytes, or null for a missing value. */
export type BytesData = readonly (string | Uint8Array | null)[];

/** A named n-dimensional array. BOOL is a Uint8Array of 0 and 1. The product of `shape` is the number of elements. */
export interface Tensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: NumericData | BytesData;
}
