import type { JsonValue } from '@ingot/core/json';
import type { Feature, Row, Signature } from '@ingot/core/signature';

/** Tensors with more elements a row than this get no synthetic example: nobody could read it. */
const LARGEST_EXAMPLE = 256;

/** What an example is made from. */
export interface ExampleSource {
  readonly signature?: Signature;
  readonly example?: { readonly inputs: readonly Row[] };
}

/**
 * One valid row for a model: the captured one, else one made from ranges and categories. Undefined when the signature
 * is unknown or its tensors are too large to show.
 */
export function exampleRow(source: ExampleSource): Row | undefined {
  const captured = source.example?.inputs[0];
  if (captured !== undefined) return captured;
  const features = source.signature?.inputs ?? [];
  if (features.length === 0) return undefined;
  const entries = features.map((feature) => [feature.name, exampleValue(feature)] as const);
  if (entries.some(([, value]) => value === undefined)) return undefined;
  return Object.fromEntries(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
}

/** A value that a feature takes; undefined for a tensor too large to show. */
export function exampleValue(feature: Feature): JsonValue | undefined {
  switch (feature.type) {
    case 'float':
      return middle(feature, 0.5);
    case 'integer':
      return Math.floor(middle(feature, 1));
    case 'boolean':
      return true;
    case 'string':
      return 'text';
    case 'categorical':
      return feature.categories?.[0] ?? 'text';
    case 'datetime':
      return '2024-05-01T12:00:00Z';
    case 'tensor':
      return exampleTensor(feature);
  }
}

function middle(feature: Feature, otherwise: number): number {
  const { min, max } = feature;
  if (min !== undefined && max !== undefined) return Number(((min + max) / 2).toPrecision(4));
  return min ?? max ?? otherwise;
}

function exampleTensor(feature: Feature): JsonValue | undefined {
  const inner = (feature.shape ?? [-1]).slice(1).map((size) => (size === -1 ? 1 : size));
  if (inner.reduce((product, size) => product * size, 1) > LARGEST_EXAMPLE) return undefined;
  const element = feature.dtype === 'BYTES' ? 'text' : feature.dtype === 'BOOL' ? true : 0;
  return inner.reduceRight<JsonValue>((value, size) => Array.from({ length: size }, () => value), element);
}
