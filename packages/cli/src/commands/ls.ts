import { IngotError } from '@ingot/core/errors';
import { parseModelName } from '@ingot/core/ref';
import type { ModelSummary, ModelView, VersionSlim } from '@ingot/core/registry/registry';
import { rememberNames } from '../completion/names.ts';
import type { Context, Result } from '../context.ts';
import { type OpenedStore, openStore } from '../open.ts';
import { headlineMetric, lowerIsBetter } from '../output/metrics.ts';
import { formatTable } from '../output/table.ts';
import { plain, tableWidth } from '../output/terminal.ts';
import { formatAge, formatBytes, formatNumber } from '../output/units.ts';

/** `ingot ls [NAME]`: lists models, or the versions of one. */
export async function run(context: Context): Promise<Result> {
  const name = context.arguments.argument(0);
  const sort = parseSort(context.arguments.text('sort'));
  await using store = await openStore(context);
  const { registry, names } = store;
  const where = context.arguments.text('where');
  if (name !== '') {
    const model = await registry.model(parseModelName(name), context);
    const found =
      where === undefined
        ? undefined
        : (await foundIn(store, `name = '${name}' AND (${where})`, context)).numbersOf(name);
    const all = found === undefined ? model.all : model.all.filter(({ number }) => found.has(number));
    return versionList({ ...model, all }, sort, context);
  }
  const models: ModelSummary[] = [];
  for await (const model of registry.models(context)) models.push(model);
  rememberNames(names, models);
  if (where !== undefined) {
    const found = await foundIn(store, where, context);
    models.splice(0, models.length, ...models.filter((model) => found.models.has(model.name)));
  }
  return modelList(sort === undefined ? models : sorted(models, modelKeys(sort), sort), sort, context);
}

/** Models that have a version which a search finds, and the numbers of these. */
async function foundIn(store: OpenedStore, filter: string, context: Context) {
  const { findVersions } = await import('../find-versions.ts');
  const { items } = await findVersions(store, { filter }, context);
  const numbersOf = (name: string) => new Set(items.flatMap(({ model, number }) => (model === name ? [number] : [])));
  return { models: new Set(items.map(({ model }) => model)), numbersOf };
}

interface Sort {
  readonly by: 'name' | 'changed' | 'versions' | 'size' | 'metric';
  readonly metric?: string;
}

function parseSort(text: string | undefined): Sort | undefined {
  if (text === undefined) return undefined;
  if (text.startsWith('metrics.') && text.length > 'metrics.'.length)
    return { by: 'metric', metric: text.slice('metrics.'.length) };
  if (text === 'name' || text === 'changed' || text === 'versions' || text === 'size') return { by: text };
  throw new IngotError('usage', `--sort is "${text}"; it takes name, changed, versions, size or metrics.NAME`);
}

/** Gives what a list is sorted by; missing values come last. */
function modelKeys(sort: Sort): (model: ModelSummary) => number | string | undefined {
  if (sort.by === 'name') return (model) => model.name;
  if (sort.by === 'changed') return (model) => Date.parse(model.updatedAt);
  if (sort.by === 'versions') return (model) => model.versions;
  return (model) => (model.latest === undefined ? undefined : versionKeys(sort)(model.latest));
}

function versionKeys(sort: Sort): (version: VersionSlim) => number | undefined {
  if (sort.by === 'metric') return (version) => version.metrics?.[sort.metric ?? ''];
  if (sort.by === 'size') return (version) => version.sizeBytes;
  return sort.by === 'changed' ? (version) => Date.parse(version.publishedAt) : (version) => version.number;
}

function sorted<T>(items: readonly T[], keyOf: (item: T) => number | string | undefined, sort: Sort): T[] {
  const ascending = sort.by === 'name' || (sort.metric !== undefined && lowerIsBetter(sort.metric) === true);
  return [...items].sort((a, b) => {
    const [left, right] = [keyOf(a), keyOf(b)];
    if (left === undefined || right === undefined) return Number(left === undefined) - Number(right === undefined);
    return (left < right ? -1 : left > right ? 1 : 0) * (ascending ? 1 : -1);
  });
}

function modelList(models: readonly ModelSummary[], sort: Sort | undefined, context: Context): Result {
  const { out } = context.terminal;
  const columns = [
    { title: 'NAME' },
    { title: 'LATEST' },
    { title: 'ALIASES' },
    { title: 'VERSIONS', align: 'right' as const },
    { title: 'METRIC' },
    { title: 'CHANGED' },
  ];
  const rows = (): string[][] =>
    models.map((model) => [
      out.colors.bold(model.name),
      model.latest === undefined ? '' : versionText(model.latest),
      aliasText(model.aliases),
      String(model.versions),
      metricText(model.latest?.metrics, sort?.metric),
      formatAge(model.updatedAt, context.now()),
    ]);
  return {
    json: { models },
    quiet: models.map((model) => model.name),
    human: () =>
      models.length === 0 ? '' : formatTable(columns, rows(), { width: tableWidth(out), colors: out.colors }),
    notes: models.length === 0 ? ['no models yet; store one with: ingot push PATH'] : [],
  };
}

function versionList(model: ModelView, sort: Sort | undefined, context: Context): Result {
  const { out } = context.terminal;
  const listed = model.all.filter((version) => version.status !== 'deleted');
  const versions = sort === undefined ? listed : sorted(listed, versionKeys(sort), sort);
  const columns = [
    { title: 'VERSION' },
    { title: 'LABEL' },
    { title: 'ALIASES' },
    { title: 'STATUS' },
    { title: 'METRIC' },
    { title: 'FLAVOR' },
    { title: 'SIZE', align: 'right' as const },
    { title: 'MADE' },
    { title: 'PUSHED' },
  ];
  const rows = (): string[][] =>
    versions.map((version) => [
      out.colors.bold(`${model.name}:${version.number}`),
      plain(version.label ?? ''),
      aliasesOf(model, version.number).join(', '),
      version.status === 'active' ? '' : version.status,
      metricText(version.metrics, sort?.metric),
      version.flavor,
      formatBytes(version.sizeBytes),
      version.createdAt === undefined ? '' : formatAge(version.createdAt, context.now()),
      formatAge(version.publishedAt, context.now()),
    ]);
  return {
    json: { model },
    quiet: versions.map((version) => `${model.name}:${version.number}`),
    human: () => formatTable(columns, rows(), { width: tableWidth(out), colors: out.colors }),
  };
}

function versionText(version: VersionSlim): string {
  return version.label === undefined ? `:${version.number}` : `:${version.number} (${plain(version.label)})`;
}

function aliasText(aliases: Readonly<Record<string, number>>): string {
  return Object.entries(aliases)
    .map(([alias, number]) => `${alias} → ${number}`)
    .join('  ');
}

function aliasesOf(model: ModelView, number: number): string[] {
  return Object.entries(model.aliases).flatMap(([alias, target]) => (target === number ? [alias] : []));
}

function metricText(metrics: Readonly<Record<string, number>> | undefined, wanted: string | undefined): string {
  const name = wanted ?? headlineMetric(metrics);
  const value = name === undefined ? undefined : metrics?.[name];
  return value === undefined ? '' : `${plain(name ?? '')} ${formatNumber(value)}`;
}
