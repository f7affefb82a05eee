import {
  type BundleAlias,
  type BundleItem,
  type BundleModelPlan,
  type BundleOutcome,
  type BundlePlan,
  type BundleResult,
  planOpenBundle,
  runBundle,
} from '@ingot/core/bundle-import';
import { type OpenBundle, openBundle } from '@ingot/core/bundle-read';
import { parseModelName } from '@ingot/core/ref';
import { openLayoutBundle } from '@ingot/core/source-layout';
import type { Context, Result } from '../context.ts';
import { assembleStore, openStore } from '../open.ts';
import { exitCodeOf } from '../output/exit-code.ts';
import { formatTable } from '../output/table.ts';
import { plain } from '../output/terminal.ts';
import { count, formatBytes } from '../output/units.ts';

/** `ingot import FILE.tar`: brings the versions of a bundle into the registry. */
export async function importBundle(path: string, context: Context): Promise<Result> {
  return await importOpened({ path, open: () => openBundle(path) }, context);
}

/** `ingot import oci:DIR`: brings all versions of a layout into the registry; undefined where it has none of Ingot's. */
export async function importLayout(directory: string, context: Context): Promise<Result | undefined> {
  const layout = await openLayoutBundle(directory);
  if (layout === undefined) return undefined;
  const path = `oci:${directory}`;
  const result = await importOpened({ path, open: async () => layout }, context);
  if (layout.others.length === 0) return result;
  const names = `${layout.others.slice(0, 3).map(plain).join(', ')}${layout.others.length > 3 ? ', …' : ''}`;
  const left = `${names} left out, which ingot export did not make: ingot import ${path}:NAME`;
  return { ...result, notes: [...(result.notes ?? []), left] };
}

async function importOpened(
  { path, open }: { readonly path: string; readonly open: () => Promise<OpenBundle> },
  context: Context,
): Promise<Result> {
  const { arguments: given, signal, progress, now } = context;
  const name = given.text('name');
  const options = { signal, ...(name === undefined ? {} : { name: parseModelName(name) }) };
  if (given.isOn('dry-run')) {
    // A store that is not there yet has no models.
    await using store = await assembleStore(context.settings, { now });
    await using plan = await planOpenBundle(path, await open(), { ...options, registry: store.registry });
    return planned(plan, context);
  }
  // What is wrong with the bundle itself is said before a store is made for it.
  await using checked = await planOpenBundle(path, await open(), {
    ...options,
    registry: (await assembleStore(context.settings, { now })).registry,
  });
  await using store = await openStore(context, { creates: true });
  const result = await runBundle(checked, {
    registry: store.registry,
    contents: store.contents,
    aliases: !given.isOn('no-aliases'),
    signal,
    onProgress: progress.onProgress,
  });
  return done(checked, result, context);
}

function planned(plan: BundlePlan, context: Context): Result {
  const items = plan.models.flatMap(({ items: all }) => all);
  return {
    json: {
      path: plan.path,
      versions: items.map(itemDocument),
      aliases: plan.models.flatMap(({ model, bundled }) =>
        Object.entries(bundled.aliases).map(([alias, number]) => ({ model, alias, bundled: number })),
      ),
    },
    quiet: items.map(({ model, number }) => `${model}:${number ?? '?'}`),
    human: () =>
      table(
        items.map((item) => row(item, item.number, item.action === 'add' ? 'new' : 'there', context)),
        context,
      ),
    notes: [...renumbered(plan.models), 'nothing was stored; to do it: leave out --dry-run'],
  };
}

function itemDocument({ model, version: { origin, facts }, action, number, retired }: BundleItem) {
  return {
    model,
    number: number ?? null,
    action,
    retired,
    digest: facts.manifest,
    label: facts.label ?? null,
    sizeBytes: facts.sizeBytes,
    origin,
  };
}

function done(plan: BundlePlan, { outcomes, aliases }: BundleResult, context: Context): Result {
  const added = outcomes.filter((outcome) => outcome.added);
  const refused = aliases.flatMap(({ error }) => (error === undefined ? [] : [error]));
  const bytes = added.reduce((sum, outcome) => sum + outcome.bytes.new, 0);
  const [first] = refused;
  return {
    json: {
      path: plan.path,
      versions: outcomes.map(({ item, number, added: isAdded, bytes: { new: written, stored } }) => ({
        ...itemDocument(item),
        number,
        added: isAdded,
        bytes: { new: written, stored },
      })),
      aliases: aliases.map(({ model, alias, from, to, error }) => ({
        model,
        alias,
        from,
        to,
        moved: error === undefined && from !== to,
        error: error === undefined ? null : { code: error.code, message: error.message, hint: error.hint ?? null },
      })),
      added: added.length,
    },
    quiet: outcomes.map(({ item, number }) => `${item.model}:${number}`),
    human: () => resultPage(outcomes, aliases, context),
    notes: [
      ...renumbered(plan.models),
      ...withoutWheels(outcomes),
      `${count(added.length, 'version')} added (${formatBytes(bytes)} new), ${outcomes.length - added.length} there already`,
    ],
    ...(first === undefined ? {} : { exitCode: exitCodeOf(first.code) }),
  };
}

function resultPage(outcomes: readonly BundleOutcome[], aliases: readonly BundleAlias[], context: Context): string {
  const { colors } = context.terminal.out;
  const rows = outcomes.map(({ item, number, added }) =>
    row(item, number, added ? colors.green('added') : colors.dim('there'), context),
  );
  const moved = aliases.map(({ model, alias, from, to, error }) => {
    const name = colors.bold(`${model}@${alias}`);
    if (error !== undefined) return `${name}  ${colors.red('did not move')}: ${plain(error.message)}\n`;
    return `${name}  ${from === to ? `already names ${model}:${to}` : `${from ?? 'none'} → ${to}`}\n`;
  });
  return table(rows, context) + moved.join('');
}

function row(
  { model, version: { origin, facts }, retired }: BundleItem,
  number: number | undefined,
  state: string,
  { terminal: { out } }: Context,
): string[] {
  return [
    out.colors.bold(number === undefined ? model : `${model}:${number}`),
    plain(facts.label ?? ''),
    formatBytes(facts.sizeBytes),
    retired ? `${state}, retired` : state,
    plain(`${origin.model}:${origin.number} of ${origin.registry}`),
  ];
}

function table(rows: string[][], { terminal: { out } }: Context): string {
  const columns = [
    { title: 'VERSION' },
    { title: 'LABEL' },
    { title: 'SIZE', align: 'right' as const },
    { title: '' },
    { title: 'FROM' },
  ];
  const width = out.isTerminal ? out.columns : Number.POSITIVE_INFINITY;
  return formatTable(columns, rows, { width, colors: out.colors });
}

/** Where a model of that name has another history here, what comes gets numbers of its own. */
function renumbered(models: readonly BundleModelPlan[]): string[] {
  return models.flatMap(({ model, keepsNumbers, items }) =>
    keepsNumbers || items.every(({ action }) => action === 'there')
      ? []
      : [`"${model}" has versions of its own here, so these get the next numbers; --name keeps them apart`],
  );
}

/** A version that is there stays as it is, also without the wheels that come now. */
function withoutWheels(outcomes: readonly BundleOutcome[]): string[] {
  const late = outcomes.filter(
    ({ item, added }) => !added && item.version.contents.some(({ role }) => role === 'wheel'),
  );
  if (late.length === 0) return [];
  const names = late.map(({ item, number }) => `${item.model}:${number}`).join(', ');
  return [`${names}: there already as it was, and with the wheels that it came with then`];
}
