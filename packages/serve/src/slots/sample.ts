import type { JsonValue } from '@ingot/core/json';
import type { PredictRequest, ServablePackage } from '@ingot/core/serving/runtime';
import type { BytesData, NumericData, Tensor } from '@ingot/core/serving/tensor';
import type { Datatype, Feature, Signature } from '@ingot/core/signature';

/**
 * A request to warm a version with: its first example row, else made up from its signature.
 * Undefined when nothing is known about the inputs.
 */
export function sampleRequest(
  signature: Signature | undefined,
  example: ServablePackage['example'],
): PredictRequest | undefined {
  if (signature === undefined || signature.inputs.length === 0) return undefined;
  const row = example?.inputs[0];
  return { inputs: signature.inputs.map((feature) => sampleTensor(feature, row?.[feature.name])) };
}

function sampleTensor(feature: Feature, given: JsonValue | undefined): Tensor {
  const { name } = feature;
  if (feature.type === 'tensor') return declaredTensor(feature, given);
  const value = given ?? madeUp(feature);
  if (feature.type === 'float') return { name, datatype: 'FP64', shape: [1], data: new Float64Array([number(value)]) };
  if (feature.type === 'integer') {
    return { name, datatype: 'INT64', shape: [1], data: new BigInt64Array([BigInt(Math.trunc(number(value) || 0))]) };
  }
  if (feature.type === 'boolean') return { name, datatype: 'BOOL', shape: [1], data: new Uint8Array([value ? 1 : 0]) };
  return { name, datatype: 'BYTES', shape: [1], data: [value === null ? null : String(value)] };
}

function number(value: JsonValue): number {
  return typeof value === 'number' ? value : Number.NaN;
}

function madeUp({ type, categories, min, max }: Feature): JsonValue {
  if (type === 'categorical') return categories?.[0] ?? '';
  if (type === 'string') return 'text';
  if (type === 'datetime') return '2024-01-01T00:00:00';
  if (type === 'boolean') return false;
  const low = min ?? Math.min(0, max ?? 0);
  return type === 'integer' ? Math.ceil(low) : low;
}

function declaredTensor({ name, dtype = 'FP32', shape = [-1] }: Feature, given: JsonValue | undefined): Tensor {
  const concrete = shape.map((size) => (size < 0 ? 1 : size));
  const count = concrete.reduce((product, size) => product * size, 1);
  const numbers = given === undefined ? [] : flatNumbers(given);
  const data = numbers.length === count && dtype !== 'BYTES' ? filled(dtype, numbers) : filled(dtype, zeros(count));
  return { name, datatype: dtype, shape: concrete, data };
}

function flatNumbers(value: JsonValue): readonly number[] {
  if (Array.isArray(value)) return value.flatMap(flatNumbers);
  return typeof value === 'number' ? [value] : [];
}

function zeros(count: number): readonly number[] {
  return new Array<number>(count).fill(0);
}

function filled(datatype: Datatype, values: readonly number[]): NumericData | BytesData {
  const make: Readonly<Record<Datatype, () => NumericData | BytesData>> = {
    BOOL: () => Uint8Array.from(values),
    UINT8: () => Uint8Array.from(values),
    UINT16: () => Uint16Array.from(values),
    UINT32: () => Uint32Array.from(values),
    UINT64: () => BigUint64Array.from(values, (value) => BigInt(Math.trunc(value))),
    INT8: () => Int8Array.from(values),
    INT16: () => Int16Array.from(values),
    INT32: () => Int32Array.from(values),
    INT64: () => BigInt64Array.from(values, (value) => BigInt(Math.trunc(value))),
    FP16: () => new Uint16Array(values.length),
    FP32: () => Float32Array.from(values),
    FP64: () => Float64Array.from(values),
    BYTES: () => values.map(() => ''),
  };
  return make[datatype]();
}
