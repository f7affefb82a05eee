import { IngotError } from '@ingot/core/errors';
import type { PredictRequest } from '@ingot/core/serving/runtime';
import type { Signature } from '@ingot/core/signature';
import type { Log } from '../../log.ts';
import { type BindInputs, bindInputs, type GraphValue } from './bind-inputs.ts';
import { type BoundOutputs, bindOutputs, graphFeature } from './bind-outputs.ts';

/** What a graph takes and gives. */
export interface Graph {
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  /** Outputs that are sequences or maps. */
  readonly skipped: readonly string[];
}

/** How requests become what a graph is fed, and its outputs answers. */
export interface BoundGraph {
  readonly bind: BindInputs;
  readonly bound: BoundOutputs;
  /** What the version takes and gives. */
  readonly signature: Signature;
}

/**
 * Decides once, when a graph is loaded, how it is asked: as the package declares it, else as the graph says itself.
 * @throws IngotError `invalid-package` when the declared inputs fit in no way, or the graph gives no tensor.
 */
export function bindGraph({ inputs, outputs, skipped }: Graph, declared: Signature | undefined, log: Log): BoundGraph {
  const signature: Signature =
    declared !== undefined && declared.inputs.length > 0
      ? declared
      : { inputs: inputs.map(graphFeature), outputs: declared?.outputs ?? [], origin: 'graph' };
  const bound = boundOutputs(outputs, signature, skipped, log);
  return { bind: bindInputs(inputs, signature), bound, signature: { ...signature, outputs: bound.features } };
}

/** Refuses every method but `predict`. */
export function checkMethod({ method = 'predict' }: PredictRequest): void {
  if (method === 'predict') return;
  throw new IngotError('invalid-request', `an ONNX model has no method "${method}"; it has predict`);
}

/** The code of what onnxruntime said when it refused a request: the caller's, where the shape or type is wrong. */
export function failureCode(said: string): 'signature-mismatch' | 'model-failed' {
  return /invalid (dimensions|rank)|unexpected input data type/i.test(said) ? 'signature-mismatch' : 'model-failed';
}

const ZIPMAP_HINT = 'convert with options={"zipmap": False}, so that probabilities are a tensor';

function boundOutputs(
  outputs: readonly GraphValue[],
  signature: Signature,
  skipped: readonly string[],
  log: Log,
): BoundOutputs {
  if (outputs.length === 0) {
    throw new IngotError('invalid-package', `the graph gives no tensor, only ${skipped.join(', ')}`, {
      hint: ZIPMAP_HINT,
    });
  }
  if (skipped.length > 0) log('warn', `not served, because they are no tensors: ${skipped.join(', ')}; ${ZIPMAP_HINT}`);
  const bound = bindOutputs(outputs, signature.outputs);
  if (bound.unmatched) {
    const declared = signature.outputs.map(({ name }) => name).join(', ');
    log('warn', `the declared outputs (${declared}) do not fit the graph's; serving ${bound.fetch.join(', ')}`);
  }
  return bound;
}
