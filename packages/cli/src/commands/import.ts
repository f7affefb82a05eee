import { resolve } from 'node:path';
import { looksLikeBundle } from '@ingot/core/bundle-archive';
import { IngotError } from '@ingot/core/errors';
import type { AliasOutcome, ImportOptions, ImportOutcome, ImportPlan, ImportResult } from '@ingot/core/import';
import { planImport, runImport } from '@ingot/core/import';
import type { ImportItem } from '@ingot/core/import-plan';
import { isPlainAddress } from '@ingot/core/source/plain-address';
import { layoutIn } from '../address.ts';
import type { Context, Result } from '../context.ts';
import { openCache } from '../open-cache.ts';
import { assembleStore, openStore } from '../open.ts';
import { exitCodeOf } from '../output/exit-code.ts';
import { formatTable } from '../output/table.ts';
import { plain } from '../output/terminal.ts';
import { count, formatBytes } from '../output/units.ts';
import { openSourceReader } from '../plain-sources.ts';
import { importBundle, importLayout } from './import-bundle.ts';

/** `ingot import ADDRESS`: makes models with history of files that lie in a directory or bucket. */
export async function run(context: Context): Promise<Result> {
  const { arguments: given, cwd, now, progress, settings, signal } = context;
  const text = given.argument(0);
  const file = resolve(cwd, text);
  if (await looksLikeBundle(file)) return await importBundle(file, context);
  const layout = layoutIn(text);
  const whole = layout === undefined ? undefined : await importLayout(resolve(cwd, layout), context);
  if (whole !== undefined) return whole;
  if (text === '-')
    throw new IngotError('usage', 'a bundle is read in any order, and so from a file', {
      hint: 'cat > churn.tar && ingot import churn.tar',
    });
  const address = isPlainAddress(text) ? text : `./${text}`;
  const name = given.text('name');
  await using cache = openCache(settings, now);
  const reader = openSourceReader(settings, { cache, cwd, now, onProgress: progress.onProgress });
  const options = {
    reader,
    objectVersions: given.isOn('object-versions'),
    signal,
    onProgress: progress.onProgress,
    ...(name !== undefined && { name }),
  };
  if (given.isOn('dry-run')) return await planned(address, options, context);
  await using store = await openStore(context, { creates: true });
  const { registry, contents } = store;
  const plan = await planImport(address, { ...options, registry });
  return done(await runImport(plan, { ...options, registry, contents }), context);
}

/** A store that is not there yet has no models. */
async function planned(address: string, options: Omit<ImportOptions, 'registry'>, context: Context): Promise<Result> {
  await using store = await assembleStore(context.settings, { now: context.now });
  const plan = await planImport(address, { ...options, registry: store.registry });
  return {
    json: planDocument(plan),
    quiet: plan.models.flatMap(({ model, items }) => items.map((item) => `${model}:${item.number ?? '?'}`)),
    human: () => planPage(plan, context),
    notes: [...leftOut(plan), 'nothing was stored; to do it: leave out --dry-run'],
  };
}

function planDocument(plan: ImportPlan): unknown {
  return {
    address: plan.address,
    models: plan.models.map(({ model, isNew, items }) => ({
      model,
      isNew,
      versions: items.map(itemDocument),
    })),
    aliases: plan.pointers.map(({ path, alias, model, reason }) => ({
      path,
      model: model ?? null,
      alias: alias ?? null,
      reason: reason ?? null,
    })),
    others: plan.others,
  };
}

function itemDocument(item: ImportItem): Readonly<Record<string, unknown>> {
  const { match, number, label, createdAt, action, retired, reason } = item;
  return {
    number: number ?? null,
    label: label ?? null,
    createdAt,
    action,
    retired,
    reason: reason ?? null,
    location: match.location,
    kind: match.kind,
    files: match.files.length,
    sizeBytes: match.sizeBytes,
    objectVersion: match.address.objectVersion ?? null,
  };
}

const COLUMNS = [
  { title: 'VERSION' },
  { title: 'LABEL' },
  { title: 'MADE' },
  { title: 'SIZE', align: 'right' as const },
  { title: '' },
  { title: 'FROM' },
];

function planPage(plan: ImportPlan, context: Context): string {
  const { out } = context.terminal;
  const rows = plan.models.flatMap(({ model, items }) =>
    items.map((item) => {
      const what = {
        add: 'new',
        there: out.colors.dim('there'),
        changed: out.colors.yellow('changed'),
        conflict: out.colors.red('conflict'),
      }[item.action];
      return row(model, item, item.number, item.label, item.retired ? 'new, retired' : what, context);
    }),
  );
  const aliases = plan.pointers.map(({ path, alias, model, reason }) =>
    alias === undefined
      ? `${plain(path)}: no alias, ${plain(reason ?? '')}\n`
      : `${plain(path)}: ${plain(`${model}@${alias}`)}, when it is one of the versions\n`,
  );
  return table(rows, context) + aliases.join('');
}

function row(
  model: string,
  { match, createdAt }: ImportItem,
  number: number | undefined,
  label: string | undefined,
  state: string,
  { terminal }: Context,
): string[] {
  return [
    terminal.out.colors.bold(number === undefined ? model : `${model}:${number}`),
    plain(label ?? ''),
    createdAt.slice(0, 10),
    formatBytes(match.sizeBytes),
    state,
    plain(match.path === '' ? match.location : match.path),
  ];
}

function table(rows: string[][], { terminal: { out } }: Context): string {
  const width = out.isTerminal ? out.columns : Number.POSITIVE_INFINITY;
  return formatTable(COLUMNS, rows, { width, colors: out.colors });
}

function done(result: ImportResult, context: Context): Result {
  const { outcomes, aliases, plan } = result;
  const failed = outcomes.filter(({ state }) => state === 'failed');
  const added = outcomes.filter(({ state }) => state === 'added');
  return {
    json: {
      address: plan.address,
      versions: outcomes.map(outcomeDocument),
      aliases: aliases.map(aliasDocument),
      added: added.length,
      failed: failed.length,
      others: plan.others,
    },
    quiet: added.map(({ model, number }) => `${model}:${number}`),
    human: () => resultPage(result, context),
    notes: [...leftOut(plan), ...notesOn(added, failed, outcomes)],
    ...(failed.length > 0 && { exitCode: statusOf(failed) }),
  };
}

function outcomeDocument({ item, model, state, number, label, bytes, error }: ImportOutcome): unknown {
  return {
    ...itemDocument(item),
    model,
    state,
    number: number ?? null,
    label: label ?? null,
    bytes: bytes ?? null,
    error: error === undefined ? null : { code: error.code, message: error.message, hint: error.hint ?? null },
  };
}

function aliasDocument({ pointer, state, number, reason }: AliasOutcome): unknown {
  return {
    path: pointer.path,
    model: pointer.model ?? null,
    alias: pointer.alias ?? null,
    state,
    number: number ?? null,
    reason: reason ?? null,
  };
}

function resultPage({ outcomes, aliases }: ImportResult, context: Context): string {
  const { colors } = context.terminal.out;
  const rows = outcomes.map(({ item, model, state, number, label }) => {
    const what = { added: colors.green('added'), there: colors.dim('there'), failed: colors.red('failed') }[state];
    return row(model, item, number, label, item.retired && state === 'added' ? `${what}, retired` : what, context);
  });
  const errors = outcomes.flatMap(({ item, error }) =>
    error === undefined ? [] : [`${colors.red('failed')}  ${plain(messageOf(error, item.match.location))}\n`],
  );
  const moved = aliases.map(({ pointer, state, number, reason }) =>
    state === 'skipped'
      ? `${plain(pointer.path)}: no alias, ${plain(reason ?? '')}\n`
      : `${colors.green(plain(`${pointer.model}@${pointer.alias}`))} → ${number}  ${state === 'there' ? 'was there' : plain(pointer.path)}\n`,
  );
  return table(rows, context) + moved.join('') + errors.join('');
}

/** The first line of what went wrong, and with which file. */
function messageOf(error: IngotError, location: string): string {
  const message = error.message.split('\n')[0] ?? error.code;
  return message.startsWith(location) ? message : `${location}: ${message}`;
}

function leftOut({ others }: ImportPlan): string[] {
  if (others.length === 0) return [];
  return [
    `${count(others.length, 'other file')} left out: ${others.slice(0, 3).map(plain).join(', ')}${others.length > 3 ? ', …' : ''}`,
  ];
}

function notesOn(
  added: readonly ImportOutcome[],
  failed: readonly ImportOutcome[],
  all: readonly ImportOutcome[],
): string[] {
  const stored = added.reduce((sum, { bytes }) => sum + (bytes?.new ?? 0), 0);
  const said = `${count(added.length, 'version')} added (${formatBytes(stored)} new), ${all.length - added.length - failed.length} there already`;
  return [failed.length === 0 ? said : `${said}, ${failed.length} failed; run it again when they are mended`];
}

/** What was added stays; the status says what the first failure was. */
function statusOf(failed: readonly ImportOutcome[]): number {
  const [first] = failed.flatMap(({ error }) => error?.code ?? []);
  return exitCodeOf(first ?? 'unexpected');
}
