import type { Capture } from '@ingot/core/capture';
import type { JsonValue } from '@ingot/core/json';
import type { FeatureProfile } from '@ingot/core/profile';
import type { Output } from './terminal.ts';
import { formatFacts, formatTable } from './table.ts';
import { plain } from './terminal.ts';
import { formatNumber } from './units.ts';

/** Of more columns than this the rest is told by `--json` only. */
const MAX_FEATURES = 40;
const COLUMNS = [
  { title: '' },
  { title: 'COLUMN' },
  { title: 'DTYPE' },
  { title: 'MISSING', align: 'right' as const },
  { title: 'DISTINCT', align: 'right' as const },
  { title: '' },
  { title: 'DISTRIBUTION' },
];

/** Writes what only the captured document tells: how training data was distributed, and the golden example. */
export function capturedSections(captured: Capture | null, output: Output): string[] {
  if (captured === null) return [];
  return [profileSection(captured, output), exampleSection(captured, output)].filter((section) => section !== '');
}

function profileSection({ profile }: Capture, output: Output): string {
  if (profile === undefined) return '';
  const { rows, columns, features = [], target = [], profiledRows } = profile;
  const shown = features.slice(0, MAX_FEATURES);
  const table = [
    ...shown.map((feature) => featureRow('x', feature, output)),
    ...target.map((feature) => featureRow('y', feature, output)),
  ];
  const hidden = features.length - shown.length + (profile.omitted ?? 0);
  const size = [`${rows} rows`, `${columns} columns`, ...(profiledRows ? [`${profiledRows} rows looked at`] : [])];
  const more = hidden > 0 ? output.colors.dim(`and ${hidden} more columns\n`) : '';
  return `${output.colors.dim(`TRAINING DATA  ${size.join(', ')}`)}\n${formatTable(COLUMNS, table, layout(output))}${more}`;
}

function layout(output: Output) {
  return { width: output.isTerminal ? output.columns : Number.POSITIVE_INFINITY, colors: output.colors };
}

function featureRow(side: string, feature: FeatureProfile, output: Output): string[] {
  const { name, dtype = '', missing, distinct } = feature;
  return [
    side,
    plain(name),
    plain(dtype),
    missing === undefined || missing === 0 ? '' : `${formatNumber(missing * 100)} %`,
    distinct === undefined ? '' : String(distinct),
    output.colors.dim(bars(feature)),
    distribution(feature),
  ];
}

const LEVELS = '▁▂▃▄▅▆▇█';

/** Draws how densely rows lie between the outer edges of a histogram, in ten characters. */
function bars({ edges = [], counts = [] }: FeatureProfile): string {
  const [first, last] = [edges[0], edges.at(-1)];
  if (first === undefined || last === undefined || edges.length < 3 || last <= first) return '';
  const width = (last - first) / 10;
  const cells = Array.from({ length: 10 }, (_, at) =>
    rowsWithin(first + at * width, first + (at + 1) * width, edges, counts),
  );
  const most = Math.max(...cells);
  return most > 0 ? cells.map((cell) => LEVELS[Math.round((cell / most) * (LEVELS.length - 1))]).join('') : '';
}

/** Rows between two numbers, taken to lie evenly in each bin. */
function rowsWithin(from: number, to: number, edges: readonly number[], counts: readonly number[]): number {
  return edges.slice(1).reduce((sum, high, at) => {
    const low = edges[at] ?? high;
    const overlap = Math.max(0, Math.min(to, high) - Math.max(from, low));
    return high > low ? sum + ((counts[at + 1] ?? 0) * overlap) / (high - low) : sum;
  }, 0);
}

function distribution({ dtype = '', quantiles, values, other = 0, mean, std }: FeatureProfile): string {
  if (values !== undefined) {
    const total = values.reduce((sum, [, rows]) => sum + rows, other);
    const cells = values
      .slice(0, 4)
      .map(([value, rows]) => `${plain(String(value))} ${Math.round((rows / total) * 100)} %`);
    return [...cells, ...(values.length > 4 || other > 0 ? ['…'] : [])].join(', ');
  }
  if (quantiles !== undefined && quantiles.length > 0) {
    const [low, middle, high] = [quantiles[0], quantiles[Math.floor(quantiles.length / 2)], quantiles.at(-1)];
    const said = [low, middle, high].map((value = 0) =>
      dtype.startsWith('datetime') ? day(value) : formatNumber(value),
    );
    return `5 % ${said[0]}, median ${said[1]}, 95 % ${said[2]}`;
  }
  return mean === undefined ? '' : `mean ${formatNumber(mean)}${std === undefined ? '' : ` ± ${formatNumber(std)}`}`;
}

/** Days since 1970 as a date. */
function day(days: number): string {
  const time = new Date(days * 86_400_000);
  return Number.isNaN(time.valueOf()) ? String(days) : time.toISOString().slice(0, 10);
}

function exampleSection({ example }: Capture, output: Output): string {
  const [row] = example?.inputs ?? [];
  if (example === undefined || row === undefined) return '';
  const [answer] = example.predictions ?? [];
  const facts: [string, string][] = [['input', short(row, output)]];
  if (answer !== undefined) facts.push(['answer', short(answer, output)]);
  return `${output.colors.dim('EXAMPLE')}\n${formatFacts(facts, { width: output.columns, colors: output.colors })}`;
}

function short(value: JsonValue, { isTerminal, columns }: Output): string {
  const text = plain(JSON.stringify(value));
  const room = Math.max(40, 3 * (columns - 10));
  return isTerminal && text.length > room ? `${text.slice(0, room)}…` : text;
}
