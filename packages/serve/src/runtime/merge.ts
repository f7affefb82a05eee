/**
 * Merging: requests that wait for the same model become one call of `predict`, and the answer is cut apart again. Only for
 * models whose rows do not depend on each other.
 */

import { IngotError } from '@ingot/core/errors';
import type { PredictRequest, PredictResult } from '@ingot/core/serving/runtime';
import type { BytesData, NumericData, Tensor } from '@ingot/core/serving/tensor';

/** The number of rows of a request: the first dimension of its first tensor. */
export function rowsOf(request: PredictRequest): number {
  return request.inputs[0]?.shape[0] ?? 1;
}

/** Says whether two requests can become one: same method, same tensors, same shapes but for the rows. */
export function mergeable(a: PredictRequest, b: PredictRequest): boolean {
  if (a.method !== b.method || a.inputs.length !== b.inputs.length || !hasRows(b)) return false;
  return a.inputs.every((tensor, index) => {
    const other = b.inputs[index];
    return (
      other !== undefined &&
      tensor.name === other.name &&
      tensor.datatype === other.datatype &&
      tensor.shape.length === other.shape.length &&
      tensor.shape.every((size, dimension) => dimension === 0 || size === other.shape[dimension])
    );
  });
}

function hasRows(request: PredictRequest): boolean {
  const rows = rowsOf(request);
  return request.inputs.length > 0 && request.inputs.every((tensor) => tensor.shape[0] === rows);
}

/** Puts the rows of mergeable requests below each other. */
export function merge(requests: readonly [PredictRequest, ...PredictRequest[]]): PredictRequest {
  const [first] = requests;
  if (requests.length === 1) return first;
  const inputs = first.inputs.map((tensor, index) => stack(requests.map(({ inputs }) => inputs[index] ?? tensor)));
  return first.method === undefined ? { inputs } : { inputs, method: first.method };
}

function stack(tensors: readonly Tensor[]): Tensor {
  const [first] = tensors;
  if (first === undefined) throw new IngotError('unexpected', 'nothing to merge');
  const rows = tensors.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  return { ...first, shape: [rows, ...first.shape.slice(1)], data: concatenate(tensors.map(({ data }) => data)) };
}

function concatenate(parts: readonly Tensor['data'][]): Tensor['data'] {
  const texts: (string | Uint8Array | null)[] = [];
  const views: NumericData[] = [];
  for (const part of parts) {
    if (ArrayBuffer.isView(part)) views.push(part);
    else texts.push(...part);
  }
  const [first] = views;
  if (first === undefined) return texts;
  const bytes = new Uint8Array(views.reduce((sum, view) => sum + view.byteLength, 0));
  let start = 0;
  for (const view of views) {
    bytes.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), start);
    start += view.byteLength;
  }
  return sameArray(first, bytes.buffer);
}

function sameArray(like: NumericData, buffer: ArrayBuffer): NumericData {
  if (like instanceof Float64Array) return new Float64Array(buffer);
  if (like instanceof Float32Array) return new Float32Array(buffer);
  if (like instanceof BigInt64Array) return new BigInt64Array(buffer);
  if (like instanceof BigUint64Array) return new BigUint64Array(buffer);
  if (like instanceof Int32Array) return new Int32Array(buffer);
  if (like instanceof Uint32Array) return new Uint32Array(buffer);
  if (like instanceof Int16Array) return new Int16Array(buffer);
  if (like instanceof Uint16Array) return new Uint16Array(buffer);
  if (like instanceof Int8Array) return new Int8Array(buffer);
  return new Uint8Array(buffer);
}

/**
 * Cuts an answer into the rows of each request; undefined when an output does not have one entry a row (then the requests
 * have to be asked one by one).
 */
export function split(result: PredictResult, rows: readonly number[]): readonly PredictResult[] | undefined {
  const total = rows.reduce((sum, count) => sum + count, 0);
  if (!result.outputs.every(({ shape }) => shape[0] === total)) return undefined;
  let start = 0;
  return rows.map((count) => {
    const outputs = result.outputs.map((tensor) => cut(tensor, start, count));
    start += count;
    return { outputs };
  });
}

function cut(tensor: Tensor, start: number, count: number): Tensor {
  const width = tensor.shape.slice(1).reduce((product, size) => product * size, 1);
  const data: NumericData | BytesData = tensor.data.slice(start * width, (start + count) * width);
  return { ...tensor, shape: [count, ...tensor.shape.slice(1)], data };
}
