import type { Datatype } from '@ingot/core/signature';
import type { BytesData, NumericData } from '@ingot/core/serving/tensor';
import { toHalf } from './half.ts';
import { layoutOf } from './layout.ts';

/** Collects JSON values as elements of one datatype. */
export interface ElementSink {
  /** Takes a value for element `index`; false when the datatype cannot hold it. */
  put(index: number, value: unknown): boolean;
  readonly data: NumericData | BytesData;
}

/**
 * Opens a sink for `length` elements. Whole numbers may be written `3.0`; beyond 2^53 they must come as BigInt, which
 * {@link parseExactly} gives. JSON null is a missing value: NaN in a float tensor, null in a BYTES tensor.
 */
export function elementSink(datatype: Datatype, length: number): ElementSink {
  switch (datatype) {
    case 'BYTES':
      return bytesSink(length);
    case 'BOOL':
      return booleanSink(length);
    case 'FP16':
    case 'FP32':
    case 'FP64':
      return floatSink(datatype, length);
    case 'INT64':
      return wideSink(new BigInt64Array(length), -(2n ** 63n), 2n ** 63n - 1n);
    case 'UINT64':
      return wideSink(new BigUint64Array(length), 0n, 2n ** 64n - 1n);
    default:
      return integerSink(datatype, length);
  }
}

function bytesSink(length: number): ElementSink {
  const data = new Array<string | null>(length);
  return {
    data,
    put(index, value) {
      if (typeof value !== 'string' && value !== null) return false;
      data[index] = value;
      return true;
    },
  };
}

function booleanSink(length: number): ElementSink {
  const data = new Uint8Array(length);
  return {
    data,
    put(index, value) {
      if (value !== true && value !== false && value !== 0 && value !== 1) return false;
      data[index] = value ? 1 : 0;
      return true;
    },
  };
}

const LARGEST_FLOAT = { FP16: 65504, FP32: 3.4028234663852886e38, FP64: Number.MAX_VALUE } as const;

function floatSink(datatype: 'FP16' | 'FP32' | 'FP64', length: number): ElementSink {
  const data =
    datatype === 'FP16'
      ? new Uint16Array(length)
      : datatype === 'FP32'
        ? new Float32Array(length)
        : new Float64Array(length);
  const largest = LARGEST_FLOAT[datatype];
  const half = datatype === 'FP16';
  return {
    data,
    put(index, value) {
      const number = value === null ? Number.NaN : typeof value === 'bigint' ? Number(value) : value;
      if (typeof number !== 'number' || number > largest || number < -largest) return false;
      data[index] = half ? toHalf(number) : number;
      return true;
    },
  };
}

const INTEGER_RANGE = {
  INT8: [-0x80, 0x7f],
  INT16: [-0x8000, 0x7fff],
  INT32: [-0x80000000, 0x7fffffff],
  UINT8: [0, 0xff],
  UINT16: [0, 0xffff],
  UINT32: [0, 0xffffffff],
} as const;

function integerSink(datatype: keyof typeof INTEGER_RANGE, length: number): ElementSink {
  const data = layoutOf(datatype).create(length);
  const [lowest, highest] = INTEGER_RANGE[datatype];
  return {
    data,
    put(index, value) {
      if (typeof value !== 'number' || !Number.isInteger(value) || value < lowest || value > highest) return false;
      data[index] = value;
      return true;
    },
  };
}

function wideSink(data: BigInt64Array | BigUint64Array, lowest: bigint, highest: bigint): ElementSink {
  return {
    data,
    put(index, value) {
      if (typeof value !== 'bigint' && !(typeof value === 'number' && Number.isSafeInteger(value))) return false;
      const whole = BigInt(value);
      if (whole < lowest || whole > highest) return false;
      data[index] = whole;
      return true;
    },
  };
}
