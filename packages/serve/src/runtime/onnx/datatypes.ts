import { IngotError } from '@ingot/core/errors';
import type { BytesData, NumericData, Tensor } from '@ingot/core/serving/tensor';
import type { Datatype } from '@ingot/core/signature';

/** Element types of ONNX tensors, as onnxruntime spells them, and the datatypes of the protocol. */
export const DATATYPE_OF: Readonly<Record<string, Datatype>> = {
  bool: 'BOOL',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  float16: 'FP16',
  float32: 'FP32',
  float64: 'FP64',
  string: 'BYTES',
};

/** Makes an empty array of a numeric datatype. */
export function emptyArray(datatype: Exclude<Datatype, 'BYTES'>, length: number): NumericData {
  switch (datatype) {
    case 'BOOL':
    case 'UINT8':
      return new Uint8Array(length);
    case 'UINT16':
    case 'FP16':
      return new Uint16Array(length);
    case 'UINT32':
      return new Uint32Array(length);
    case 'UINT64':
      return new BigUint64Array(length);
    case 'INT8':
      return new Int8Array(length);
    case 'INT16':
      return new Int16Array(length);
    case 'INT32':
      return new Int32Array(length);
    case 'INT64':
      return new BigInt64Array(length);
    case 'FP32':
      return new Float32Array(length);
    case 'FP64':
      return new Float64Array(length);
  }
}

/**
 * The tensor's data with the element type that a graph takes; the same array when it is that already.
 * Numbers become any other number type; text stays text.
 */
export function convertData(tensor: Tensor, to: Datatype): NumericData | BytesData {
  if (tensor.datatype === to) return tensor.data;
  if (to === 'BYTES' || !isNumbers(tensor.data) || to === 'FP16' || tensor.datatype === 'FP16') {
    throw new IngotError('signature-mismatch', `input "${tensor.name}" must be ${to}, not ${tensor.datatype}`);
  }
  const result = emptyArray(to, tensor.data.length);
  copyInto(result, 0, 1, tensor.data);
  return result;
}

function isNumbers(data: NumericData | BytesData): data is NumericData {
  return ArrayBuffer.isView(data);
}

/** Writes `source` to every `stride`-th place of `target` from `start` on, converting each element. */
export function copyInto(target: NumericData, start: number, stride: number, source: NumericData): void {
  let at = start;
  if (target instanceof BigInt64Array || target instanceof BigUint64Array) {
    for (const value of source) {
      target[at] = typeof value === 'bigint' ? value : wholeNumber(value);
      at += stride;
    }
    return;
  }
  if (source instanceof BigInt64Array || source instanceof BigUint64Array) {
    for (const value of source) {
      target[at] = Number(value);
      at += stride;
    }
    return;
  }
  for (let index = 0; index < source.length; index++) {
    target[at] = source[index] ?? 0;
    at += stride;
  }
}

function wholeNumber(value: number): bigint {
  if (Number.isInteger(value)) return BigInt(value);
  throw new IngotError('signature-mismatch', `the model takes whole numbers, not ${value}`);
}
