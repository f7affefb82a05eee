import { IngotError } from '@ingot/core/errors';
import type { JsonValue } from '@ingot/core/json';
import type { Tensor } from '@ingot/core/serving/tensor';
import type { Feature } from '@ingot/core/signature';
import { describeValue } from '../describe-value.ts';
import { type ExampleSource, exampleRow } from '../signature/example-row.ts';
import { type WrongValue, signatureMismatch } from '../signature/mismatch.ts';
import { expectedValue } from '../signature/value.ts';
import { type ColumnDecoder, type RawRow, columnDecoder } from './column.ts';
import { guessedColumn, isGuessed, namedRows } from './guessed.ts';
import { tensorsWithoutSignature } from './untyped.ts';

/** Makes tensors of rows. The order of features in a row never matters. */
export type RowDecoder = (rows: readonly unknown[]) => readonly Tensor[];

/** Wrong values beyond about this many are not looked for: a request with a million of them must not cost a million messages. */
const COUNTED = 1000;

/** What a decoder is compiled from. */
export interface DecodedModel extends ExampleSource {
  /** The model's name, for messages. */
  readonly model: string;
}

/**
 * Compiles the decoder of a model's rows once: one typed array a feature, filled in one pass. A model with a single
 * tensor input also takes bare lists for rows, and so does one whose signature is a guess. Without a signature, datatypes
 * follow the values.
 * The decoder throws `signature-mismatch` with everything that is missing, extra or wrong, and one valid example.
 */
export function compileRowDecoder(source: DecodedModel): RowDecoder {
  const features = source.signature?.inputs ?? [];
  if (features.length === 0) return tensorsWithoutSignature;
  const guessed = isGuessed(source.signature);
  const columns = features.map(guessed ? guessedColumn : columnDecoder);
  const [first] = features;
  const single = features.length === 1 && first?.type === 'tensor' ? first.name : undefined;
  return (given) => {
    const named = guessed ? namedRows(given, features) : given;
    const rows = single === undefined ? named : named.map((row) => (isRow(row) ? row : { [single]: row }));
    return decodeColumns(columns, rows) ?? explain(source, columns, rows);
  };
}

function decodeColumns(columns: readonly ColumnDecoder[], rows: readonly unknown[]): readonly Tensor[] | undefined {
  if (!rows.every(isRow)) return undefined;
  const tensors: Tensor[] = [];
  for (const column of columns) {
    const tensor = column.decode(rows);
    if (tensor === undefined) return undefined;
    tensors.push(tensor);
  }
  // Every feature is there, so a row with as many keys has nothing else.
  for (const row of rows) if (Object.keys(row).length !== columns.length) return undefined;
  return tensors;
}

function isRow(value: unknown): value is RawRow {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function explain(source: DecodedModel, columns: readonly ColumnDecoder[], rows: readonly unknown[]): never {
  const example = exampleRow(source);
  const stranger = rows.findIndex((row) => !isRow(row));
  if (stranger !== -1) {
    throw new IngotError(
      'signature-mismatch',
      `row ${stranger} is ${describeValue(rows[stranger])}; ${source.model} takes rows as objects by feature name`,
      example === undefined ? {} : { details: { example } },
    );
  }
  throw mismatch(source, columns, rows.filter(isRow), example);
}

function mismatch(
  source: DecodedModel,
  columns: readonly ColumnDecoder[],
  rows: readonly RawRow[],
  example?: JsonValue,
): IngotError {
  const known = new Set(columns.map((column) => column.feature.name));
  const missing = [...known].filter((name) => rows.some((row) => !Object.hasOwn(row, name)));
  const extra = [...new Set(rows.flatMap((row) => Object.keys(row).filter((name) => !known.has(name))))];
  const wrong = wrongValues(columns, rows);
  const [batch] =
    wrong.length + missing.length + extra.length === 0
      ? columns.filter((column) => column.decode(rows) === undefined)
      : [];
  if (batch !== undefined) wrong.push(wrongStack(batch.feature, rows.length));
  return signatureMismatch(source.model, { missing, extra, wrong }, [...known], example, wrapperHint(source, extra));
}

const WRAPPERS: ReadonlySet<string> = new Set([
  'dataframe_split',
  'dataframe_records',
  'instances',
  'inputs',
  'data',
  'rows',
  'features',
]);

/** Rows that came in the envelope of another protocol. */
function wrapperHint({ model }: DecodedModel, extra: readonly string[]): string | undefined {
  const wrapper = extra.find((name) => WRAPPERS.has(name));
  if (wrapper === undefined) return undefined;
  const name = encodeURIComponent(model);
  return wrapper === 'data' || wrapper === 'rows' || wrapper === 'features'
    ? 'send the rows themselves: [{…}, …]'
    : `send the rows themselves: [{…}, …], or this body to /models/${name}/invocations`;
}

function wrongValues(columns: readonly ColumnDecoder[], rows: readonly RawRow[]): WrongValue[] {
  const wrong: WrongValue[] = [];
  for (const [index, row] of rows.entries()) {
    if (wrong.length >= COUNTED) break;
    for (const column of columns) wrong.push(...wrongValue(column, row, index));
  }
  return wrong;
}

function wrongValue({ feature, accepts }: ColumnDecoder, row: RawRow, index: number): WrongValue[] {
  if (!Object.hasOwn(row, feature.name) || accepts(row[feature.name])) return [];
  const wrong = {
    feature: feature.name,
    row: index,
    value: describeValue(row[feature.name]),
    expected: expectedValue(feature),
  };
  return [
    feature.type === 'categorical' && feature.categories !== undefined
      ? { ...wrong, allowed: feature.categories }
      : wrong,
  ];
}

/** Each row's tensor is fine, all together they are not: wrong number of rows, or rows of different shapes. */
function wrongStack(feature: Feature, rows: number): WrongValue {
  const batch = feature.shape?.[0] ?? -1;
  return {
    feature: feature.name,
    value: `given in ${rows} rows`,
    expected:
      batch === -1 || batch === rows
        ? 'rows of one shape'
        : `exactly ${batch} ${batch === 1 ? 'row' : 'rows'} a request`,
  };
}
