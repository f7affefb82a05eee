/**
 * A *column decoder* fills the tensor of one feature from a list of rows in one pass. It gives undefined at the first
 * value that does not fit; the rows are then looked through once more for an explanation.
 */

import type { BytesData, Tensor } from '@ingot/core/serving/tensor';
import type { Feature } from '@ingot/core/signature';
import { isDatetime, mayBeMissing } from '../signature/value.ts';
import { tensorColumn } from './tensor-column.ts';

/** A row as it came: not yet known to hold the right features. */
export type RawRow = { readonly [feature: string]: unknown };

/** Decodes one feature. */
export interface ColumnDecoder {
  readonly feature: Feature;
  /** All rows' values of the feature as one tensor, or undefined when one of them does not fit or is absent. */
  decode(rows: readonly RawRow[]): Tensor | undefined;
  /** Whether a single value fits. */
  accepts(value: unknown): boolean;
}

/** Makes the decoder of a feature. */
export function columnDecoder(feature: Feature): ColumnDecoder {
  switch (feature.type) {
    case 'float':
      return floatColumn(feature);
    case 'integer':
      return integerColumn(feature);
    case 'boolean':
      return booleanColumn(feature);
    case 'tensor':
      return tensorColumn(feature);
    default:
      return textColumn(feature);
  }
}

function floatColumn(feature: Feature): ColumnDecoder {
  const { name } = feature;
  const missing = mayBeMissing(feature);
  const accepts = (value: unknown): boolean =>
    typeof value === 'number' ? Number.isFinite(value) : typeof value === 'bigint' || (value === null && missing);
  return {
    feature,
    accepts,
    decode(rows) {
      const data = new Float64Array(rows.length);
      for (let row = 0; row < rows.length; row += 1) {
        const value = rows[row]?.[name];
        if (typeof value === 'number' && Number.isFinite(value)) data[row] = value;
        else if (!accepts(value)) return undefined;
        else data[row] = value === null ? Number.NaN : Number(value);
      }
      return { name, datatype: 'FP64', shape: [rows.length], data };
    },
  };
}

function integerColumn(feature: Feature): ColumnDecoder {
  const { name } = feature;
  const missing = mayBeMissing(feature);
  const accepts = (value: unknown): boolean => isInt64(value) || (value === null && missing);
  return {
    feature,
    accepts,
    decode(rows) {
      const data = new BigInt64Array(rows.length);
      const halves = new Int32Array(data.buffer);
      for (let row = 0; row < rows.length; row += 1) {
        const value = rows[row]?.[name];
        if (typeof value === 'number' && Number.isSafeInteger(value)) {
          // Two 32-bit halves are written because making a BigInt of each number costs ten times as much.
          halves[2 * row] = value | 0;
          halves[2 * row + 1] = Math.floor(value / 0x100000000);
        } else if (typeof value === 'bigint' && isInt64(value)) data[row] = value;
        else return value === null && missing ? withGaps(feature, rows, accepts) : undefined;
      }
      return { name, datatype: 'INT64', shape: [rows.length], data };
    },
  };
}

function booleanColumn(feature: Feature): ColumnDecoder {
  const { name } = feature;
  const missing = mayBeMissing(feature);
  const accepts = (value: unknown): boolean => typeof value === 'boolean' || (value === null && missing);
  return {
    feature,
    accepts,
    decode(rows) {
      const data = new Uint8Array(rows.length);
      for (let row = 0; row < rows.length; row += 1) {
        const value = rows[row]?.[name];
        if (typeof value === 'boolean') data[row] = value ? 1 : 0;
        else return value === null && missing ? withGaps(feature, rows, accepts) : undefined;
      }
      return { name, datatype: 'BOOL', shape: [rows.length], data };
    },
  };
}

/** Whole numbers and booleans have no way to say "missing": a column with gaps travels as FP64 with NaN, as pandas does it. */
function withGaps(feature: Feature, rows: readonly RawRow[], accepts: (value: unknown) => boolean): Tensor | undefined {
  const values = rows.map((row) => row[feature.name]);
  if (!values.every(accepts)) return undefined;
  const data = Float64Array.from(values, (value) => (value === null ? Number.NaN : Number(value)));
  return { name: feature.name, datatype: 'FP64', shape: [rows.length], data };
}

function textColumn(feature: Feature): ColumnDecoder {
  const { name } = feature;
  const read = textReader(feature);
  return {
    feature,
    accepts: (value) => read(value) !== undefined,
    decode(rows) {
      const data: (string | null)[] = [];
      for (const row of rows) {
        const text = read(row[name]);
        if (text === undefined) return undefined;
        data.push(text);
      }
      return { name, datatype: 'BYTES', shape: [rows.length], data: data satisfies BytesData };
    },
  };
}

/** Gives the text in which a value of a text-like feature travels, null for a missing one, undefined for a wrong one. */
function textReader(feature: Feature): (value: unknown) => string | null | undefined {
  const missing = mayBeMissing(feature) ? null : undefined;
  const categories = feature.categories ?? [];
  if (feature.type === 'categorical' && categories.length > 0) {
    const texts = new Map<unknown, string>(categories.map((category) => [category, String(category)]));
    return (value) => (value === null ? (texts.get(null) ?? missing) : texts.get(value));
  }
  const fits = feature.type === 'datetime' ? isDatetime : () => true;
  return (value) => (typeof value === 'string' && fits(value) ? value : value === null ? missing : undefined);
}

function isInt64(value: unknown): boolean {
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value;
  return typeof value === 'number' && Number.isSafeInteger(value);
}
