import type { Colors } from './terminal.ts';

/** A column of a table. */
export interface Column {
  readonly title: string;
  /** Numbers read better on the right. Default: left. */
  readonly align?: 'left' | 'right';
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: color codes start with an escape
const ANSI = /\u001b\[[0-9;]*m/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: color codes start with an escape
const ANSI_PARTS = /(\u001b\[[0-9;]*m)/;
const GAP = '  ';

/** Counts the characters that a terminal shows of a text. */
export function visibleLength(text: string): number {
  let length = 0;
  for (const character of text.replace(ANSI, '')) length += isWide(character) ? 2 : 1;
  return length;
}

function isWide(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  return (
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0x1f300 && code <= 0x1faff)
  );
}

/**
 * Writes rows as aligned columns. The last column is cut where the line would pass `width`; columns that are empty in
 * every row are left out.
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: { readonly width: number; readonly colors: Colors; readonly header?: boolean },
): string {
  const shown = columns.map((_, index) => index).filter((index) => rows.some((row) => (row[index] ?? '') !== ''));
  const widths = shown.map((index) =>
    Math.max(titleWidth(columns[index], options.header), ...rows.map((row) => visibleLength(row[index] ?? ''))),
  );
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((cell, at) => pad(cell, widths[at] ?? 0, columns[shown[at] ?? 0]?.align));
    return truncate(padded.join(GAP).trimEnd(), options.width);
  };
  const body = rows.map((row) => line(shown.map((index) => row[index] ?? '')));
  if (options.header === false) return join(body);
  return join([options.colors.dim(line(shown.map((index) => columns[index]?.title ?? ''))), ...body]);
}

function titleWidth(column: Column | undefined, header: boolean | undefined): number {
  return header === false ? 0 : visibleLength(column?.title ?? '');
}

function join(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

function pad(text: string, width: number, align: Column['align']): string {
  const space = ' '.repeat(Math.max(0, width - visibleLength(text)));
  return align === 'right' ? space + text : text + space;
}

/** Cuts a text at a width, colors kept. */
export function truncate(text: string, width: number): string {
  if (visibleLength(text) <= width) return text;
  let shown = 0;
  let result = '';
  for (const part of text.split(ANSI_PARTS)) {
    if (part.startsWith('\u001b[')) {
      result += part;
      continue;
    }
    for (const character of part) {
      const size = isWide(character) ? 2 : 1;
      if (shown + size > width - 1) continue;
      result += character;
      shown += size;
    }
  }
  return `${result}…`;
}

/** Writes labelled facts, one a line, labels aligned; facts without a value are left out. */
export function formatFacts(
  facts: readonly (readonly [label: string, value: string | undefined])[],
  options: { readonly width: number; readonly colors: Colors },
): string {
  const shown = facts.filter((fact): fact is readonly [string, string] => fact[1] !== undefined && fact[1] !== '');
  const width = Math.max(0, ...shown.map(([label]) => label.length));
  return join(
    shown.map(([label, value]) => `${options.colors.dim(label.padEnd(width))}${GAP}${indentRest(value, width)}`),
  );
}

function indentRest(value: string, width: number): string {
  return value.split('\n').join(`\n${' '.repeat(width + GAP.length)}`);
}
