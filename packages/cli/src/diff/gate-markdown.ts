import { formatNumber } from '../output/units.ts';
import type { SetDifference, VersionDifference } from './compare-versions.ts';
import { typeText } from './compare-signatures.ts';

/** What a gate found. */
export interface GateReport {
  readonly model: string;
  readonly number: number;
  readonly digest: string;
  readonly alias: string;
  /** Address of the registry whose alias it is. */
  readonly registry: string;
  /** Address of the registry that the version is in, where that is another: the same number is another version there. */
  readonly source?: string;
  /** The version that the alias names now. */
  readonly current: number | null;
  readonly allowed: boolean;
  /** Conditions of the registry that fail. */
  readonly missing: readonly string[];
  /** Whether the registry could look at its conditions. */
  readonly checked: boolean;
  /** What `--fail-on` found. */
  readonly fails: readonly string[];
  /** Undefined where the alias names nothing yet. */
  readonly difference: VersionDifference | undefined;
}

const VERDICTS: Readonly<Record<VersionDifference['verdict'], string>> = {
  identical: 'identical: the same files',
  compatible: 'compatible for callers',
  breaking: '**breaking for callers**',
  unknown: 'unknown for callers: a signature is missing',
};

const MOST_ROWS = 30;
/** GitHub takes comments of 65,536 characters. */
const MOST_CHARACTERS = 60_000;

/**
 * Writes a gate's report as a comment of a merge request. Every text of a model stands in a code span: it can be no
 * markup, no link and no mention. The first line, which does not show, is the same for each report on a model and alias:
 * by it the comment of an earlier run is found.
 */
export function gateMarkdown(report: GateReport): string {
  const { model, number, alias, current, missing, fails, checked, digest, difference, registry, source } = report;
  const [here, there] = source === undefined ? ['', ''] : [` of ${code(source)}`, ` of ${code(registry)}`];
  const lines = [
    `<!-- ingot gate ${model}@${alias} -->`,
    `### ${markOf(report)} ${code(`${model}:${number}`)} for ${code(`@${alias}`)}`,
    '',
    `${current === null ? 'names nothing yet' : `${code(`${model}:${current}`)}${there}`} → ${code(`${model}:${number}`)}${here} (${code(digest.slice(0, 19))})`,
    ...section(
      'Failing conditions',
      [...missing, ...fails].map((text) => `- ${code(text)}`),
    ),
    ...(checked ? [] : ['', 'The conditions of the registry are looked at when the version is there.']),
    ...(difference === undefined ? [] : differenceLines(difference)),
  ];
  return `${shortened(lines).join('\n')}\n`;
}

/** Nobody is to take for allowed what was not looked at yet. */
function markOf({ allowed, checked }: GateReport): string {
  if (!allowed) return '❌';
  return checked ? '✅' : '⏳';
}

function shortened(lines: readonly string[]): readonly string[] {
  let left = MOST_CHARACTERS;
  const most = lines.findIndex((line) => {
    left -= line.length + 1;
    return left < 0;
  });
  return most < 0 ? lines : [...lines.slice(0, most), '', 'The rest is cut off: `ingot gate` tells it.'];
}

function differenceLines(difference: VersionDifference): readonly string[] {
  const { verdict, breaks, metrics, params, signature, environment, files } = difference;
  return [
    '',
    VERDICTS[verdict],
    ...cut(breaks.map((text) => `- ${code(text)}`)),
    ...table('Metrics', ['', 'before', 'after', ''], metricRows(metrics)),
    ...table(
      'Parameters',
      ['', 'before', 'after'],
      Object.entries(params).map(([name, { a, b }]) => [name, a, b]),
    ),
    ...table('Inputs and outputs', ['', '', 'before', 'after'], sides(signature)),
    ...table(
      'Environment',
      ['', 'before', 'after'],
      [...pythonRows(environment), ...setRows(environment.requirements)],
    ),
    ...table('Files', ['', 'before', 'after'], setRows(files)),
  ];
}

type Cell = unknown;

function metricRows(metrics: VersionDifference['metrics']): Cell[][] {
  return Object.entries(metrics).map(([name, { a, b, better }]) => [
    name,
    a === null ? 'none' : formatNumber(a),
    b === null ? 'none' : formatNumber(b),
    better === null ? '' : better === 'b' ? 'better' : 'worse',
  ]);
}

function sides(signature: VersionDifference['signature']): Cell[][] {
  return (['inputs', 'outputs'] as const).flatMap((side) => {
    const { added = [], removed = [], changed = [] } = signature?.[side] ?? {};
    return [
      ...added.map((feature) => [side, feature.name, 'none', typeText(feature)]),
      ...removed.map((feature) => [side, feature.name, typeText(feature), 'none']),
      ...changed.map(({ name, a, b }) => [side, name, typeText(a), typeText(b)]),
    ];
  });
}

function pythonRows({ python, platform }: VersionDifference['environment']): Cell[][] {
  return [
    ...(python === null ? [] : [['python', python.a, python.b]]),
    ...(platform === null ? [] : [['platform', platform.a, platform.b]]),
  ];
}

function setRows({ added, removed, changed }: SetDifference): Cell[][] {
  return [
    ...Object.entries(added).map(([name, value]) => [name, 'none', value]),
    ...Object.entries(removed).map(([name, value]) => [name, value, 'none']),
    ...Object.entries(changed).map(([name, { a, b }]) => [name, a, b]),
  ];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', `**${title}**`, '', ...cut(lines)];
}

function table(title: string, head: readonly string[], rows: readonly (readonly Cell[])[]): readonly string[] {
  if (rows.length === 0) return [];
  const lines = rows.map((row) => `| ${row.map((cell) => (cell === '' ? '' : code(textOf(cell)))).join(' | ')} |`);
  return ['', `**${title}**`, '', `| ${head.join(' | ')} |`, `|${head.map(() => ' --- ').join('|')}|`, ...cut(lines)];
}

function cut(lines: readonly string[]): readonly string[] {
  if (lines.length <= MOST_ROWS) return lines;
  return [...lines.slice(0, MOST_ROWS), '', `and ${lines.length - MOST_ROWS} more`];
}

function textOf(cell: Cell): string {
  if (cell === null || cell === undefined) return 'none';
  if (typeof cell === 'object' && 'digest' in cell) return String(cell.digest).slice(0, 19);
  return typeof cell === 'string' ? cell : JSON.stringify(cell);
}

/** A text that shows as it is: one line, no end of the span, no end of the cell. */
function code(text: string): string {
  const safe = text
    .replace(/[\s\p{C}]+/gu, ' ')
    .replaceAll('`', 'ˋ')
    .replaceAll('|', '¦')
    .trim()
    .slice(0, 200);
  return safe === '' ? '' : `\`${safe}\``;
}
