import { isJsonObject, type JsonValue } from '../../json.ts';
import type { Row } from '../../signature.ts';
import { parseJson } from './foreign-folder.ts';

const MAX_ROWS = 10;

/** The first ten rows of a small CSV (comma, quotes doubled inside quotes) or of a JSON list of rows. */
export function readRows(text: string, file: string): readonly Row[] {
  if (file.endsWith('.json')) {
    const value = parseJson(text);
    return Array.isArray(value)
      ? value.slice(0, MAX_ROWS).flatMap((row: JsonValue) => (isJsonObject(row) ? [row] : []))
      : [];
  }
  const [header, ...lines] = cells(text.replace(/^\uFEFF/, ''), MAX_ROWS + 1);
  if (header === undefined) return [];
  const rows = lines.filter((line) => line.length === header.length);
  return rows.map((line) =>
    // pandas writes its index under an empty name.
    Object.fromEntries(header.flatMap((name, index) => (name === '' ? [] : [[name, cellValue(line[index] ?? '')]]))),
  );
}

function cellValue(cell: string): JsonValue {
  if (cell === '') return null;
  if (/^-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(cell)) return Number(cell);
  if (/^(?:true|false)$/i.test(cell)) return cell.toLowerCase() === 'true';
  return cell;
}

function cells(text: string, limit: number): string[][] {
  const lines: string[][] = [];
  const pattern = /(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|\r?\n|$)/gy;
  let line: string[] = [];
  while (lines.length < limit && pattern.lastIndex < text.length) {
    const found = pattern.exec(text);
    if (found === null) break;
    line.push(found[1]?.replaceAll('""', '"') ?? found[2] ?? '');
    if (found[3] === ',') continue;
    lines.push(line);
    line = [];
  }
  return lines;
}
