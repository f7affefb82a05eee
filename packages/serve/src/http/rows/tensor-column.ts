import type { Tensor } from '@ingot/core/serving/tensor';
import type { Feature } from '@ingot/core/signature';
import { datatypeOf, shapeOf } from '../signature/datatype.ts';
import { type ElementSink, elementSink } from '../tensors/element.ts';
import type { ColumnDecoder } from './column.ts';

/** Stacks the nested lists of rows into one tensor, the rows as its first dimension. */
export function tensorColumn(feature: Feature): ColumnDecoder {
  const { name } = feature;
  const datatype = datatypeOf(feature);
  const declared = shapeOf(feature);
  const inner = declared.slice(1);

  const stack = (values: readonly unknown[]): Tensor | undefined => {
    const shape = settledShape(values[0], inner);
    if (shape === undefined || !fitsBatch(values.length, declared)) return undefined;
    const size = shape.reduce((product, length) => product * length, 1);
    if (!values.every((value) => hasShape(value, shape, 0))) return undefined;
    const sink = elementSink(datatype, values.length * size);
    if (!values.every((value, row) => put(sink, value, row * size, shape, 0))) return undefined;
    return { name, datatype, shape: declared.length === 0 ? [] : [values.length, ...shape], data: sink.data };
  };

  return {
    feature,
    accepts: (value) => stackable(value, inner, datatype),
    decode: (rows) => stack(rows.map((row) => row[name])),
  };
}

function stackable(value: unknown, inner: readonly number[], datatype: Tensor['datatype']): boolean {
  const shape = settledShape(value, inner);
  if (shape === undefined || !hasShape(value, shape, 0)) return false;
  const size = shape.reduce((product, length) => product * length, 1);
  return put(elementSink(datatype, size), value, 0, shape, 0);
}

function fitsBatch(rows: number, declared: readonly number[]): boolean {
  const batch = declared[0] ?? 1;
  return batch === -1 || batch === rows;
}

/** Replaces each -1 of a declared shape by the length that the first row has there. */
function settledShape(value: unknown, inner: readonly number[]): readonly number[] | undefined {
  const shape: number[] = [];
  let level = value;
  for (const length of inner) {
    if (!Array.isArray(level)) return undefined;
    shape.push(length === -1 ? level.length : length);
    level = level[0];
  }
  return shape;
}

function hasShape(value: unknown, shape: readonly number[], axis: number): boolean {
  if (axis === shape.length) return !Array.isArray(value);
  if (!Array.isArray(value) || value.length !== shape[axis]) return false;
  return axis + 1 === shape.length || value.every((inner) => hasShape(inner, shape, axis + 1));
}

function put(sink: ElementSink, value: unknown, start: number, shape: readonly number[], axis: number): boolean {
  if (axis === shape.length) return sink.put(start, value);
  if (!Array.isArray(value)) return false;
  const step = shape.slice(axis + 1).reduce((product, length) => product * length, 1);
  return value.every((inner, index) => put(sink, inner, start + index * step, shape, axis + 1));
}
