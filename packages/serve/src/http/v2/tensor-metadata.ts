import type { Datatype, Feature } from '@ingot/core/signature';
import { datatypeOf, shapeOf } from '../signature/datatype.ts';

/** An input or output as the protocol's model metadata describes it. */
export interface TensorMetadata {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

/** Describes features as tensors. */
export function tensorMetadata(features: readonly Feature[]): readonly TensorMetadata[] {
  return features.map((feature) => ({ name: feature.name, datatype: datatypeOf(feature), shape: shapeOf(feature) }));
}
