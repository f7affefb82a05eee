import type { JsonObject } from '@ingot/core/json';
import type { Datatype, Feature, Signature } from '@ingot/core/signature';

/** What MLflow calls the types of columns. */
const COLUMNS: Readonly<Record<Exclude<Feature['type'], 'tensor' | 'categorical'>, string>> = {
  float: 'double',
  integer: 'long',
  boolean: 'boolean',
  string: 'string',
  datetime: 'datetime',
};

/** What numpy calls the datatypes of tensors. */
const DTYPES: Readonly<Record<Datatype, string>> = {
  BOOL: 'bool',
  UINT8: 'uint8',
  UINT16: 'uint16',
  UINT32: 'uint32',
  UINT64: 'uint64',
  INT8: 'int8',
  INT16: 'int16',
  INT32: 'int32',
  INT64: 'int64',
  FP16: 'float16',
  FP32: 'float32',
  FP64: 'float64',
  BYTES: 'str',
};

/** A signature as an MLmodel file has it; undefined where too little is known for MLflow to hold inputs against it. */
export function mlflowSignature(signature: Signature | undefined): JsonObject | undefined {
  if (signature === undefined || signature.partial === true || signature.inputs.length === 0) return undefined;
  const { inputs, outputs } = signature;
  return {
    inputs: JSON.stringify(schemaOf(inputs)),
    outputs: outputs.length === 0 ? null : JSON.stringify(schemaOf(outputs)),
    params: null,
  };
}

/** MLflow has tables or tensors, never both: beside a tensor, columns are tensors of one value a row. */
function schemaOf(features: readonly Feature[]): readonly JsonObject[] {
  if (features.some(({ type }) => type === 'tensor')) return features.map(tensorOf);
  return features.map((feature) => ({
    type: columnType(feature),
    name: feature.name,
    required: feature.nullable !== true,
  }));
}

function columnType(feature: Feature): string {
  const { type, categories = [], nullable } = feature;
  if (type === 'tensor') return 'string';
  if (type === 'categorical') {
    if (categories.length > 0 && categories.every((value) => typeof value === 'number'))
      return categories.every(Number.isInteger) ? 'long' : 'double';
    return categories.length > 0 && categories.every((value) => typeof value === 'boolean') ? 'boolean' : 'string';
  }
  // A column of whole numbers with gaps is one of floats.
  return type === 'integer' && nullable === true ? 'double' : COLUMNS[type];
}

function tensorOf({ name, type, dtype, shape = [-1] }: Feature): JsonObject {
  const scalars: Readonly<Record<string, string>> = { float: 'float64', integer: 'int64', boolean: 'bool' };
  const numpy = type === 'tensor' ? DTYPES[dtype ?? 'FP32'] : (scalars[type] ?? 'str');
  return { name, type: 'tensor', 'tensor-spec': { dtype: numpy, shape: [...shape] } };
}
