/**
 * A *layout* says how the elements of a datatype lie in memory. BOOL is one byte of 0 or 1; FP16 travels as its raw
 * 16-bit patterns; BYTES has no layout.
 */

import type { Datatype } from '@ingot/core/signature';
import type { NumericData } from '@ingot/core/serving/tensor';

/** Every datatype but BYTES. */
export type NumericDatatype = Exclude<Datatype, 'BYTES'>;

/** How a numeric datatype lies in memory. */
export interface Layout {
  readonly elementBytes: number;
  create(length: number): NumericData;
  /** Views `length` elements without copying; `offset` must be a multiple of `elementBytes`. */
  view(buffer: ArrayBufferLike, offset: number, length: number): NumericData;
}

const bytes: Layout = { elementBytes: 1, create: (n) => new Uint8Array(n), view: (b, o, n) => new Uint8Array(b, o, n) };
const halves: Layout = {
  elementBytes: 2,
  create: (n) => new Uint16Array(n),
  view: (b, o, n) => new Uint16Array(b, o, n),
};

const LAYOUTS: { readonly [datatype in NumericDatatype]: Layout } = {
  BOOL: bytes,
  UINT8: bytes,
  UINT16: halves,
  UINT32: { elementBytes: 4, create: (n) => new Uint32Array(n), view: (b, o, n) => new Uint32Array(b, o, n) },
  UINT64: { elementBytes: 8, create: (n) => new BigUint64Array(n), view: (b, o, n) => new BigUint64Array(b, o, n) },
  INT8: { elementBytes: 1, create: (n) => new Int8Array(n), view: (b, o, n) => new Int8Array(b, o, n) },
  INT16: { elementBytes: 2, create: (n) => new Int16Array(n), view: (b, o, n) => new Int16Array(b, o, n) },
  INT32: { elementBytes: 4, create: (n) => new Int32Array(n), view: (b, o, n) => new Int32Array(b, o, n) },
  INT64: { elementBytes: 8, create: (n) => new BigInt64Array(n), view: (b, o, n) => new BigInt64Array(b, o, n) },
  FP16: halves,
  FP32: { elementBytes: 4, create: (n) => new Float32Array(n), view: (b, o, n) => new Float32Array(b, o, n) },
  FP64: { elementBytes: 8, create: (n) => new Float64Array(n), view: (b, o, n) => new Float64Array(b, o, n) },
};

/** The layout of a numeric datatype. */
export function layoutOf(datatype: NumericDatatype): Layout {
  return LAYOUTS[datatype];
}
