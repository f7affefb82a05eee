import { IngotError } from '@ingot/core/errors';
import type { Feature } from '@ingot/core/signature';
import { parse } from 'csv-parse/sync';

/**
 * Reads CSV with a header line as rows, each cell as its feature's type wants it: an empty cell is missing, except for
 * text without nullable. Cells that do not fit stay text, so that the row decoder names them.
 * @throws IngotError `invalid-request` when it is no CSV.
 */
export function csvRows(text: string, features: readonly Feature[]): readonly Readonly<Record<string, unknown>>[] {
  const [header, ...lines] = parseLines(text);
  if (header === undefined)
    throw new IngotError('invalid-request', 'the CSV is empty; its first line must name the columns');
  assertCommas(header);
  if (new Set(header).size !== header.length) throw new IngotError('invalid-request', 'the CSV names a column twice');
  const byName = new Map(features.map((feature) => [feature.name, feature]));
  // A header without any known name belongs to a model that knows no names: cells are read as what they look like.
  const typed = header.some((name) => byName.has(name));
  const readers = header.map((name) => cellReader(byName.get(name), typed));
  return lines.map((cells) =>
    Object.fromEntries(cells.map((cell, index) => [header[index] ?? '', readers[index]?.(cell)])),
  );
}

function parseLines(text: string): string[][] {
  try {
    return parse(text, { bom: true, skip_empty_lines: true, record_delimiter: ['\r\n', '\n', '\r'] });
  } catch (cause) {
    throw new IngotError(
      'invalid-request',
      `the body is no CSV: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

/** A header of one column that holds other separators was meant to be several columns. */
function assertCommas(header: readonly string[]): void {
  const [only = ''] = header;
  const separator = header.length === 1 ? /[;\t|]/.exec(only)?.[0] : undefined;
  if (separator === undefined) return;
  throw new IngotError(
    'invalid-request',
    `the CSV has one column, "${only.slice(0, 80)}"; columns are separated by commas, not by ${JSON.stringify(separator)}`,
  );
}

const TRUE = new Set(['true', '1', 'yes']);
const FALSE = new Set(['false', '0', 'no']);

function cellReader(feature: Feature | undefined, typed: boolean): (cell: string) => unknown {
  switch (feature?.type) {
    case 'float':
      return (cell) => (cell.trim() === '' || cell.trim().toLowerCase() === 'nan' ? null : numberOr(cell));
    case 'integer':
      return (cell) => (cell.trim() === '' ? null : integerOr(cell.trim()));
    case 'boolean':
      return (cell) => (cell.trim() === '' ? null : booleanOr(cell));
    case 'categorical':
      return categoryReader(feature);
    case 'string':
    case 'datetime':
      return (cell) => (cell === '' && feature.nullable === true ? null : cell);
    case 'tensor':
      return jsonOr;
    default:
      return typed ? (cell) => cell : (cell) => (cell.trim() === '' ? null : numberOr(cell));
  }
}

function numberOr(cell: string): unknown {
  const number = cell.trim() === '' ? Number.NaN : Number(cell);
  return Number.isNaN(number) ? cell : number;
}

function integerOr(cell: string): unknown {
  const number = Number(cell);
  if (Number.isSafeInteger(number)) return number;
  return /^[+-]?\d{1,40}$/.test(cell) ? BigInt(cell) : cell;
}

function booleanOr(cell: string): unknown {
  const word = cell.trim().toLowerCase();
  return TRUE.has(word) ? true : FALSE.has(word) ? false : cell;
}

function categoryReader(feature: Feature): (cell: string) => unknown {
  const byText = new Map((feature.categories ?? []).map((category) => [String(category), category]));
  return (cell) => byText.get(cell) ?? (cell === '' ? null : cell);
}

function jsonOr(cell: string): unknown {
  try {
    return JSON.parse(cell);
  } catch {
    return cell;
  }
}
