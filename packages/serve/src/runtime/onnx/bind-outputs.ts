import type { Tensor } from '@ingot/core/serving/tensor';
import type { Feature } from '@ingot/core/signature';
import type { GraphValue } from './bind-inputs.ts';

/** Which outputs of the graph are asked for and how they are named. */
export interface BoundOutputs {
  /** The features that the version answers with. */
  readonly features: readonly Feature[];
  /** Names in the graph, in the order of `features`. */
  readonly fetch: readonly string[];
  /** True when what the package declares does not fit the graph, so that the graph's own outputs are given. */
  readonly unmatched: boolean;
}

/** Matches declared outputs with the graph's: by name, else by place when there are as many, else by kind. */
export function bindOutputs(graph: readonly GraphValue[], declared: readonly Feature[]): BoundOutputs {
  const own = {
    features: graph.map(graphFeature),
    fetch: graph.map(({ name }) => name),
    unmatched: declared.length > 0,
  };
  if (declared.length === 0) return own;
  const names = new Set(graph.map(({ name }) => name));
  const fits =
    (declared.every(({ name }) => names.has(name)) && declared.map(({ name }) => name)) ||
    (declared.length === graph.length && graph.map(({ name }) => name)) ||
    byKind(graph, declared);
  return fits ? { features: declared, fetch: fits, unmatched: false } : own;
}

function byKind(graph: readonly GraphValue[], declared: readonly Feature[]): readonly string[] | undefined {
  const [feature] = declared;
  if (feature === undefined || declared.length > 1) return undefined;
  const found = graph.filter((value) => suits(value, feature));
  return found.length === 1 ? found.map(({ name }) => name) : undefined;
}

function suits({ datatype, shape }: GraphValue, { type }: Feature): boolean {
  if (type !== 'tensor' && shape.length > 1 && shape.slice(1).some((size) => size !== 1)) return false;
  if (type === 'float') return datatype.startsWith('FP');
  if (type === 'integer') return /^U?INT/.test(datatype);
  if (type === 'boolean') return datatype === 'BOOL';
  return type === 'tensor' || datatype === 'BYTES' || (type === 'categorical' && /^U?INT/.test(datatype));
}

/** The feature that a graph's input or output is, when nobody declared one. */
export function graphFeature({ name, datatype, shape }: GraphValue): Feature {
  return { name, type: 'tensor', dtype: datatype, shape };
}

/** Gives an output its declared name and, for one value a row, the shape `[rows]`. */
export function declaredTensor(tensor: Tensor, feature: Feature): Tensor {
  const scalar = feature.type !== 'tensor' && tensor.shape.slice(1).every((size) => size === 1);
  return { ...tensor, name: feature.name, shape: scalar ? tensor.shape.slice(0, 1) : tensor.shape };
}
