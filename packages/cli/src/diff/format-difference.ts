import type { JsonValue } from '@ingot/core/json';
import { isJsonObject } from '@ingot/core/json';
import { formatTable } from '../output/table.ts';
import type { Output } from '../output/terminal.ts';
import { plain } from '../output/terminal.ts';
import { formatBytes, formatNumber } from '../output/units.ts';
import type { SideDifference } from './compare-signatures.ts';
import { typeText } from './compare-signatures.ts';
import type { SetDifference, VersionDifference } from './compare-versions.ts';

type Row = readonly string[];

const VERDICTS: Readonly<Record<VersionDifference['verdict'], string>> = {
  identical: 'identical: the same files',
  compatible: 'compatible for callers',
  breaking: 'breaking for callers',
  unknown: 'unknown for callers: a signature is missing',
};

/** Writes how two versions differ, for people. */
export function formatDifference(a: string, b: string, difference: VersionDifference, output: Output): string {
  const { colors } = output;
  const paint = { identical: colors.green, compatible: colors.green, breaking: colors.red, unknown: colors.yellow }[
    difference.verdict
  ];
  const head = `${colors.bold(a)} → ${colors.bold(b)}  ${paint(VERDICTS[difference.verdict])}\n`;
  const breaks = difference.breaks.map((text) => `  ${colors.red('✗')} ${plain(text)}\n`).join('');
  const sections = [
    section('METRICS', metricRows(difference, output), output),
    section(
      'PARAMETERS',
      Object.entries(difference.params).map(([name, change]) => [
        '~',
        plain(name),
        text(change.a),
        '→',
        text(change.b),
      ]),
      output,
    ),
    section('INPUTS', sideRows(difference.signature?.inputs), output),
    section('OUTPUTS', sideRows(difference.signature?.outputs), output),
    section('ENVIRONMENT', environmentRows(difference), output),
    section('CODE', codeRows(difference), output),
    section('TRAINING DATA', dataRows(difference, output), output),
    section('FILES', fileRows(difference), output),
  ];
  return [head + breaks, ...sections.filter((part) => part !== '')].join('\n');
}

function section(title: string, rows: readonly Row[], output: Output): string {
  if (rows.length === 0) return '';
  const columns = Array.from({ length: Math.max(...rows.map((row) => row.length)) }, () => ({ title: '' }));
  const painted = rows.map((row) => row.map((cell, index) => (index === 0 ? mark(cell, output) : cell)));
  const width = output.isTerminal ? output.columns : Number.POSITIVE_INFINITY;
  return `${output.colors.dim(title)}\n${formatTable(columns, painted, { width, colors: output.colors, header: false })}`;
}

function mark(cell: string, { colors }: Output): string {
  if (cell === '+' || cell === '▲') return colors.green(cell);
  return cell === '-' || cell === '▼' ? colors.red(cell) : cell;
}

function metricRows(difference: VersionDifference, output: Output): Row[] {
  return Object.entries(difference.metrics).map(([name, { a, b, better }]) => {
    const change = a === null || b === null || a === b ? '' : `${b > a ? '+' : '−'}${formatNumber(Math.abs(b - a))}`;
    const words = better === null ? '' : better === 'b' ? output.colors.green('better') : output.colors.red('worse');
    const arrow = better === null ? ' ' : better === 'b' ? '▲' : '▼';
    return [arrow, plain(name), number(a), '→', number(b), change, words];
  });
}

function number(value: number | null): string {
  return value === null ? 'none' : formatNumber(value);
}

function sideRows(side: SideDifference | undefined): Row[] {
  if (side === undefined) return [];
  return [
    ...side.added.map((feature) => ['+', plain(feature.name), typeText(feature)]),
    ...side.removed.map((feature) => ['-', plain(feature.name), typeText(feature)]),
    ...side.changed.map(({ name, a, b }) => ['~', plain(name), typeText(a), '→', typeText(b), details(a, b)]),
  ];
}

function details(a: SideDifference['added'][number], b: SideDifference['added'][number]): string {
  const fields = ['categories', 'nullable', 'classes'] as const;
  return fields
    .filter((field) => JSON.stringify(a[field]) !== JSON.stringify(b[field]))
    .map((field) => `other ${field}`)
    .join(', ');
}

function environmentRows({ environment }: VersionDifference): Row[] {
  const python =
    environment.python === null ? [] : [['~', 'python', text(environment.python.a), '→', text(environment.python.b)]];
  const { platform } = environment;
  const machine = platform === null ? [] : [['~', 'platform', text(platform.a), '→', text(platform.b)]];
  const named = new Set([...Object.values(environment.requirements)].flatMap((set) => Object.keys(set)));
  const indirect = setRows(environment.lock).filter(([, name = '']) => !named.has(name));
  return [...python, ...machine, ...setRows(environment.requirements), ...indirect];
}

function codeRows({ code }: VersionDifference): Row[] {
  const words: Readonly<Record<string, string>> = { diff: 'uncommitted changes', dirty: 'has uncommitted changes' };
  return Object.entries(code ?? {}).map(([name, { a, b }]) => ['~', words[name] ?? name, short(a), '→', short(b)]);
}

function short(value: JsonValue): string {
  return text(value)
    .replace(/^sha256:/, '')
    .replace(/^([0-9a-f]{12})[0-9a-f]{28,}$/, '$1');
}

/** Of many columns those that moved, and the first few that did not. */
function dataRows({ data }: VersionDifference, { colors }: Output): Row[] {
  if (data === null) return [];
  const { rows, same } = data;
  const known = same === true ? colors.green('the same data') : same === false ? 'other data' : '';
  const size = rows.a === null && rows.b === null ? [] : [['', 'rows', number(rows.a), '→', number(rows.b), known]];
  const drifts = [...Object.entries(data.features), ...Object.entries(data.target)]
    .filter(([, { level }]) => level !== 'same')
    .sort(([, a], [, b]) => b.psi - a.psi);
  const painted = { same: colors.dim, moved: colors.yellow, shifted: colors.red };
  return [
    ...size,
    ...drifts.map(([name, { psi, level }]) => [
      '~',
      plain(name),
      painted[level](level),
      '',
      `PSI ${formatNumber(psi)}`,
    ]),
  ];
}

function fileRows({ files, bytes }: VersionDifference): Row[] {
  const rows = setRows(files);
  if (rows.length === 0) return [];
  const shared = `${formatBytes(bytes.shared)} in files of both`;
  return [...rows, ['', 'in all', formatBytes(bytes.a), '→', formatBytes(bytes.b), shared]];
}

function setRows(set: SetDifference): Row[] {
  return [
    ...Object.entries(set.added).map(([name, value]) => ['+', plain(name), text(value)]),
    ...Object.entries(set.removed).map(([name, value]) => ['-', plain(name), text(value)]),
    ...Object.entries(set.changed).map(([name, { a, b }]) => ['~', plain(name), text(a), '→', text(b)]),
  ];
}

function text(value: JsonValue): string {
  if (value === null) return 'none';
  if (isJsonObject(value) && typeof value.sizeBytes === 'number') return formatBytes(value.sizeBytes);
  return plain(typeof value === 'string' ? value : JSON.stringify(value));
}
