import type { Datatype, Feature } from '@ingot/core/signature';

const SCALARS = {
  float: 'FP64',
  integer: 'INT64',
  boolean: 'BOOL',
  string: 'BYTES',
  categorical: 'BYTES',
  datetime: 'BYTES',
} as const;

/** The datatype in which a feature travels to the model; a tensor that does not say its own is FP64. */
export function datatypeOf(feature: Feature): Datatype {
  return feature.type === 'tensor' ? (feature.dtype ?? 'FP64') : SCALARS[feature.type];
}

/** The shape of a feature's tensor as the protocol states it: `[-1]` for scalars, one element a row. */
export function shapeOf(feature: Feature): readonly number[] {
  return feature.type === 'tensor' ? (feature.shape ?? [-1]) : [-1];
}
