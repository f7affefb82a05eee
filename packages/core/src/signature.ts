/**
 * What goes into a model and what comes out. A *feature* is one named input or output; a *signature* is all of them.
 * The same signature maps losslessly to V2 tensors, to an MLflow signature and to JSON Schema.
 */

import type { JsonValue } from './json.ts';

/** The types a feature may have, as `metadata.yaml` spells them. */
export const FEATURE_TYPES = ['float', 'integer', 'boolean', 'string', 'categorical', 'datetime', 'tensor'] as const;

/** A type of a feature. */
export type FeatureType = (typeof FEATURE_TYPES)[number];

/** The tensor datatypes of the Open Inference Protocol. */
export const DATATYPES = [
  'BOOL',
  'UINT8',
  'UINT16',
  'UINT32',
  'UINT64',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'FP16',
  'FP32',
  'FP64',
  'BYTES',
] as const;

/** A datatype of a tensor. */
export type Datatype = (typeof DATATYPES)[number];

/** One named input or output. */
export interface Feature {
  readonly name: string;
  readonly type: FeatureType;
  readonly description?: string;
  /** The allowed values of a `categorical` feature. */
  readonly categories?: readonly (string | number | boolean)[];
  /** The element type of a `tensor`. */
  readonly dtype?: Datatype;
  /** The shape of a `tensor` with its batch dimension first; -1 is a variable dimension. */
  readonly shape?: readonly number[];
  /** Whether a missing value is allowed. Undefined: not known. */
  readonly nullable?: boolean;
  readonly min?: number;
  readonly max?: number;
  /** How people read the value (`percentage`). Never rescales. */
  readonly format?: string;
  /** The zone of a `datetime` (`Europe/Berlin`): moments are given to the model in it, and times without an offset are in it. */
  readonly timezone?: string;
  /** For an output that is a class index: the name of each class. */
  readonly classes?: readonly (string | number | boolean)[];
}

/** The inputs and outputs of a model, in the order the model takes them. */
export interface Signature {
  readonly inputs: readonly Feature[];
  readonly outputs: readonly Feature[];
  /** Where it was read: written by hand, in the ONNX graph, or from the fitted model and its data. */
  readonly origin: 'metadata' | 'graph' | 'captured';
  /** The system that described the model so: `MLflow`. Default: a person, or Ingot. */
  readonly system?: string;
  /** True when only part of it is known (an estimator without training data). */
  readonly partial?: boolean;
}

/** One row of input, by feature name. */
export type Row = { readonly [feature: string]: JsonValue };
