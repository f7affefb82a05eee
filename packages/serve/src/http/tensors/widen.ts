import { DATATYPES, type Datatype } from '@ingot/core/signature';
import type { NumericData, Tensor } from '@ingot/core/serving/tensor';
import { fromHalf, fromHalves, toHalf } from './half.ts';
import { isBytes } from './to-json.ts';
import { layoutOf } from './layout.ts';

/** What each datatype's values fit into without loss; whole numbers into floats only where each value does. */
const WIDER: { readonly [datatype in Datatype]: readonly Datatype[] } = {
  BOOL: [],
  BYTES: [],
  UINT8: ['UINT16', 'UINT32', 'UINT64', 'INT16', 'INT32', 'INT64', 'FP16', 'FP32', 'FP64'],
  UINT16: ['UINT32', 'UINT64', 'INT32', 'INT64', 'FP32', 'FP64'],
  UINT32: ['UINT64', 'INT64', 'FP64', 'FP32'],
  UINT64: ['FP64', 'FP32', 'INT64'],
  INT8: ['INT16', 'INT32', 'INT64', 'FP16', 'FP32', 'FP64'],
  INT16: ['INT32', 'INT64', 'FP32', 'FP64'],
  INT32: ['INT64', 'FP64', 'FP32'],
  INT64: ['FP64', 'FP32'],
  FP16: ['FP32', 'FP64'],
  FP32: ['FP64'],
  FP64: [],
};

/** The datatypes that are accepted where `wanted` is declared, `wanted` first. */
export function acceptedFor(wanted: Datatype): readonly Datatype[] {
  return [wanted, ...DATATYPES.filter((datatype) => WIDER[datatype].includes(wanted))];
}

/** Gives the tensor with another datatype when that loses nothing, else undefined. The same datatype is no work. */
export function widen(tensor: Tensor, wanted: Datatype): Tensor | undefined {
  if (tensor.datatype === wanted) return tensor;
  if (wanted === 'BYTES' || isBytes(tensor.data) || !WIDER[tensor.datatype].includes(wanted)) return undefined;
  const source = tensor.datatype === 'FP16' ? fromHalves(tensor.data) : tensor.data;
  const data = layoutOf(wanted).create(tensor.data.length);
  return fill(data, source, wanted) ? { ...tensor, datatype: wanted, data } : undefined;
}

function fill(data: NumericData, source: ArrayLike<number | bigint>, wanted: Datatype): boolean {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (let index = 0; index < data.length; index += 1) {
      const value = BigInt(source[index] ?? 0);
      data[index] = value;
      if (data[index] !== value) return false;
    }
    return true;
  }
  const half = wanted === 'FP16';
  for (let index = 0; index < data.length; index += 1) {
    const value = source[index] ?? 0;
    const number = Number(value);
    data[index] = half ? toHalf(number) : number;
    const kept = half ? fromHalf(data[index] ?? 0) : data[index];
    if (typeof value === 'bigint' ? BigInt(kept ?? 0) !== value : !Object.is(kept, number)) return false;
  }
  return true;
}
