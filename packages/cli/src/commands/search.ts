import { IngotError } from '@ingot/core/errors';
import type { Context, Result } from '../context.ts';
import { findVersions, type Found } from '../find-versions.ts';
import { openStore } from '../open.ts';
import { headlineMetric } from '../output/metrics.ts';
import { formatTable } from '../output/table.ts';
import { plain } from '../output/terminal.ts';
import { formatAge, formatBytes, formatNumber } from '../output/units.ts';

const LIMIT = 100;

/** `ingot search [EXPR]`: finds versions of all models. */
export async function run(context: Context): Promise<Result> {
  const filter = context.arguments.rest(0).join(' ');
  const sort = context.arguments.text('sort');
  const limit = limitOf(context.arguments.text('limit'));
  await using store = await openStore(context);
  const { items, isCut } = await findVersions(store, { filter, sort, limit }, context);
  return {
    json: { versions: items, more: isCut },
    quiet: items.map(({ model, number }) => `${model}:${number}`),
    human: () => (items.length === 0 ? '' : table(items, sort, context)),
    notes:
      items.length === 0 ? ['nothing was found'] : isCut ? [`there are more; --limit ${limit * 10} shows more`] : [],
  };
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return LIMIT;
  const limit = Number(text);
  if (Number.isSafeInteger(limit) && limit >= 1) return limit;
  throw new IngotError('usage', `--limit is "${text}"; it takes a whole number from 1 on`);
}

function table(items: readonly Found[], sort: string | undefined, { terminal: { out }, now }: Context): string {
  const titles = ['VERSION', 'LABEL', 'ALIASES', 'STAGE', 'METRIC', 'FLAVOR', 'SIZE', 'PUSHED', ''];
  const columns = titles.map((title) => (title === 'SIZE' ? { title, align: 'right' as const } : { title }));
  const wanted = /metrics\.([^\s,]+)/.exec(sort ?? '')?.[1];
  const rows = items.map((found) => [
    out.colors.bold(`${found.model}:${found.number}`),
    plain(found.label ?? ''),
    found.aliases.map(plain).join(', '),
    plain(found.stage ?? ''),
    metricText(found.metrics, wanted),
    plain(found.flavor),
    formatBytes(found.sizeBytes),
    formatAge(found.publishedAt, now()),
    found.status === 'active' ? '' : found.status,
  ]);
  const width = out.isTerminal ? out.columns : Number.POSITIVE_INFINITY;
  return formatTable(columns, rows, { width, colors: out.colors });
}

function metricText(metrics: Readonly<Record<string, number>>, wanted: string | undefined): string {
  const name = wanted ?? headlineMetric(metrics);
  const value = name === undefined ? undefined : metrics[name];
  return value === undefined ? '' : `${plain(name ?? '')} ${formatNumber(value)}`;
}
