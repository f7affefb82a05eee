import { IngotError } from '@ingot/core/errors';
import type { Tensor } from '@ingot/core/serving/tensor';
import type { Feature, FeatureType } from '@ingot/core/signature';
import { describeValue } from '../describe-value.ts';
import { type RawRow, columnDecoder } from './column.ts';
import { tensorColumn } from './tensor-column.ts';

/** The one tensor of a model that takes lists and has no signature. */
const UNNAMED = 'input';

/**
 * Makes tensors of rows for a model whose signature nobody wrote down: datatypes follow the values, features keep the
 * order of the first row. Lists become one tensor.
 * @throws IngotError `invalid-request` when rows disagree with each other.
 */
export function tensorsWithoutSignature(rows: readonly unknown[]): readonly Tensor[] {
  const [first] = rows;
  if (typeof first !== 'object' || first === null || Array.isArray(first)) return [stackLists(rows)];
  const names = Object.keys(first);
  if (names.length === 0) throw new IngotError('invalid-request', 'row 0 is an empty object');
  const objects = rows.map((row, index) => asRowLike(row, index, names));
  return names.map((name) => inferredColumn(name, objects));
}

function asRowLike(row: unknown, index: number, names: readonly string[]): RawRow {
  const same =
    typeof row === 'object' &&
    row !== null &&
    Object.keys(row).length === names.length &&
    names.every((name) => Object.hasOwn(row, name));
  if (!same)
    throw new IngotError(
      'invalid-request',
      `row ${index} has other features than row 0 (${names.slice(0, 20).join(', ')})`,
    );
  return Object.fromEntries(Object.entries(row));
}

/** Decodes a feature by its values. Throws `invalid-request` when they are of several kinds. */
export function inferredColumn(name: string, rows: readonly RawRow[]): Tensor {
  const values = rows.map((row) => row[name]);
  const list = values.find(Array.isArray);
  const tensor =
    list === undefined
      ? columnDecoder({ name, type: typeOf(values), nullable: true }).decode(rows)
      : stack(name, values);
  if (tensor === undefined)
    throw new IngotError(
      'invalid-request',
      `feature "${name}" mixes kinds of values: ${values.slice(0, 3).map(describeValue).join(', ')}`,
    );
  return tensor;
}

function typeOf(values: readonly unknown[]): FeatureType {
  const known = values.filter((value) => value !== null);
  if (known.length > 0 && known.every((value) => typeof value === 'boolean')) return 'boolean';
  if (known.some((value) => typeof value === 'string')) return 'string';
  return known.length > 0 && known.every(Number.isSafeInteger) ? 'integer' : 'float';
}

function stackLists(rows: readonly unknown[]): Tensor {
  const tensor = stack(UNNAMED, rows);
  if (tensor === undefined) throw new IngotError('invalid-request', 'the rows are no lists of one shape and kind');
  return tensor;
}

function stack(name: string, values: readonly unknown[]): Tensor | undefined {
  const shape: number[] = [-1];
  let level = values[0];
  while (Array.isArray(level) && shape.length < 32) {
    shape.push(level.length);
    level = level[0];
  }
  const dtype = typeof level === 'string' ? 'BYTES' : typeof level === 'boolean' ? 'BOOL' : 'FP64';
  const feature: Feature = { name, type: 'tensor', dtype, shape };
  return tensorColumn(feature).decode(values.map((value) => ({ [name]: value })));
}
