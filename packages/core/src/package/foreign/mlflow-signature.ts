import { isJsonObject, type JsonObject, type JsonValue } from '../../json.ts';
import { parseDatatype } from '../metadata-features.ts';
import { parseJson } from './foreign-folder.ts';
import { mapOf } from './foreign.ts';

/** A signature of MLflow, as the features that `metadata.yaml` lists. */
export interface MlflowSignature {
  readonly inputs: readonly JsonObject[];
  readonly outputs: readonly JsonObject[];
  /** What predict takes: a table of columns, or arrays; undefined when no inputs are named. */
  readonly takes?: 'dataframe' | 'tensors';
  /** A name that several inputs, or several outputs, have; then neither side is known. */
  readonly twice?: string;
}

/** What MLflow's column types are here. Nested ones travel as JSON text. */
const COLUMN_TYPES: Readonly<Record<string, JsonObject>> = {
  boolean: { type: 'boolean' },
  integer: { type: 'integer' },
  long: { type: 'integer' },
  float: { type: 'float' },
  double: { type: 'float' },
  string: { type: 'string' },
  binary: { type: 'string', format: 'base64' },
  datetime: { type: 'datetime' },
};
const NESTED: JsonObject = { type: 'string', format: 'json' };

/** Reads `signature` of an MLmodel file: columns of every type, and tensors. */
export function readMlflowSignature(signature: JsonValue | undefined): MlflowSignature {
  const { inputs, outputs } = mapOf(signature);
  const specs = specsOf(inputs);
  const takes =
    specs.length === 0 ? {} : { takes: specs.some(isTensor) ? ('tensors' as const) : ('dataframe' as const) };
  const features = {
    inputs: specs.map((spec, index) => featureOf(spec, index, specs.length, 'input')),
    outputs: specsOf(outputs).map((spec, index, all) => featureOf(spec, index, all.length, 'prediction')),
  };
  const twice = repeatedIn(features.inputs) ?? repeatedIn(features.outputs);
  return twice === undefined ? { ...features, ...takes } : { inputs: [], outputs: [], ...takes, twice };
}

function repeatedIn(features: readonly JsonObject[]): string | undefined {
  const names = features.map(({ name }) => String(name));
  return names.find((name, index) => names.indexOf(name) !== index);
}

/** Both sides are JSON inside a text. */
function specsOf(side: JsonValue | undefined): JsonObject[] {
  const value = typeof side === 'string' ? parseJson(side) : side;
  return Array.isArray(value) ? value.flatMap((one: JsonValue) => (isJsonObject(one) ? [one] : [])) : [];
}

function isTensor(spec: JsonObject): boolean {
  return spec.type === 'tensor';
}

function featureOf(spec: JsonObject, index: number, count: number, unnamed: string): JsonObject {
  const name = typeof spec.name === 'string' ? spec.name : count === 1 ? unnamed : `${unnamed}_${index}`;
  const nullable: JsonObject = spec.required === false ? { nullable: true } : {};
  if (!isTensor(spec)) {
    const type = typeof spec.type === 'string' ? COLUMN_TYPES[spec.type] : undefined;
    return { name, ...(type ?? NESTED), ...nullable };
  }
  const { dtype, shape } = mapOf(spec['tensor-spec']);
  const dimensions = Array.isArray(shape) ? shape.filter((size: JsonValue) => typeof size === 'number') : [];
  const datatype = typeof dtype === 'string' ? parseDatatype(dtype) : undefined;
  const scalar =
    unnamed === 'prediction' && dimensions.length === 1 && datatype !== undefined ? scalarOf(datatype) : undefined;
  if (scalar !== undefined) return { name, type: scalar, ...nullable };
  return {
    name,
    type: 'tensor',
    ...(datatype === undefined ? { format: String(dtype) } : { dtype: datatype }),
    ...(dimensions.length === 0 ? {} : { shape: dimensions }),
    ...nullable,
  };
}

/** One value a row is a column here. */
function scalarOf(datatype: string): string {
  if (datatype === 'BOOL') return 'boolean';
  if (datatype === 'BYTES') return 'string';
  return datatype.startsWith('FP') ? 'float' : 'integer';
}
