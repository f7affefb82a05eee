import { collect } from '@ingot/core/collect';
import { type CollectResult, TOO_YOUNG } from '@ingot/core/collect-report';
import { IngotError } from '@ingot/core/errors';
import { parseModelName } from '@ingot/core/ref';
import {
  ageText,
  applyRetention,
  planRetention,
  type ReleasableVersion,
  type Released,
  type RetentionRules,
} from '@ingot/core/retention';
import type { Context, Result } from '../context.ts';
import { type OpenedStore, openStore } from '../open.ts';
import { parseAge } from '../output/age.ts';
import { plain } from '../output/terminal.ts';
import { count, formatBytes } from '../output/units.ts';

const MOST_LINES = 30;

/** `ingot gc`: releases versions by rules, then deletes what nothing needs. */
export async function run(context: Context): Promise<Result> {
  const rules = rulesOf(context);
  const dryRun = context.arguments.isOn('dry-run');
  const grace = context.arguments.text('grace');
  const graceMs = grace === undefined ? undefined : parseAge(grace, '--grace');
  const repackBelow = shareOf(context);
  await using store = await openStore(
    context,
    dryRun ? { files: true } : { collects: true, writes: rules !== undefined },
  );
  const planned = rules === undefined ? [] : await planOf(rules, store, context);
  if (!dryRun) await agreed(planned, context);
  const { registry } = store;
  const released: Released = dryRun
    ? { released: planned, kept: [] }
    : await applyRetention(planned, { registry, signal: context.signal });
  const collected = await collect({
    blobs: store.blobs,
    actor: context.settings.text('actor') ?? 'unknown',
    dryRun,
    assumeReleased: new Set(planned.map(({ model, number }) => `${model}:${number}`)),
    exclusive: context.arguments.isOn('exclusive'),
    repackBelow,
    clock: context.now,
    signal: context.signal,
    onProgress: context.progress.onProgress,
    ...(graceMs === undefined ? {} : { graceMs }),
  });
  return told(released, collected, context);
}

function rulesOf(context: Context): RetentionRules | undefined {
  const keepLast = context.arguments.text('keep-last');
  const olderThan = context.arguments.text('older-than');
  const model = context.arguments.text('model');
  if (keepLast === undefined && olderThan === undefined && !context.arguments.isOn('keep-aliased')) {
    if (model === undefined) return undefined;
    throw new IngotError('usage', '--model says of what versions are released, but not which', {
      hint: `ingot gc --model ${model} --keep-last 10`,
    });
  }
  const last = keepLast === undefined ? undefined : Number(keepLast);
  if (last !== undefined && !(Number.isSafeInteger(last) && last >= 0 && keepLast?.trim() !== ''))
    throw new IngotError('usage', `--keep-last is "${keepLast}"; it is a whole number`);
  return {
    ...(last === undefined ? {} : { keepLast: last }),
    ...(olderThan === undefined ? {} : { olderThanMs: parseAge(olderThan, '--older-than') }),
  };
}

function shareOf(context: Context): number {
  const text = context.arguments.text('repack-below') ?? '50';
  const percent = Number(text.replace(/\s*%$/, ''));
  if (text.trim() !== '' && percent >= 0 && percent <= 100) return percent / 100;
  throw new IngotError('usage', `--repack-below is "${text}"; it is a percentage: 50`);
}

function planOf(
  rules: RetentionRules,
  { blobs }: OpenedStore,
  context: Context,
): Promise<readonly ReleasableVersion[]> {
  const model = context.arguments.text('model');
  return planRetention({
    ...rules,
    blobs,
    now: context.now(),
    signal: context.signal,
    ...(model === undefined ? {} : { model: parseModelName(model) }),
  });
}

async function agreed(planned: readonly ReleasableVersion[], context: Context): Promise<void> {
  if (planned.length === 0 || context.arguments.isOn('yes')) return;
  const what = count(planned.length, 'version');
  const answer =
    context.format === 'human' ? await context.confirm(`release ${what} (${refsOf(planned)})?`) : undefined;
  if (answer === true) return;
  if (answer === false) throw new IngotError('interrupted', 'nothing was released or deleted');
  throw new IngotError('usage', `releasing ${what} needs --yes where nobody can be asked`, {
    hint: 'ingot gc … --dry-run   (says which)',
  });
}

function refsOf(versions: readonly ReleasableVersion[]): string {
  const shown = versions.slice(0, 5).map(({ model, number }) => `${model}:${number}`);
  return [...shown, ...(versions.length > 5 ? [`${versions.length - 5} more`] : [])].join(', ');
}

function told({ released, kept }: Released, collected: CollectResult, context: Context): Result {
  return {
    json: { ...collected, released, keptVersions: kept },
    quiet: [String(collected.deletedBytes)],
    human: () => text({ released, kept }, collected, context),
    notes: notesOf(collected),
  };
}

function text({ released, kept }: Released, collected: CollectResult, context: Context): string {
  const { bold } = context.terminal.out.colors;
  const would = collected.dryRun ? 'would ' : '';
  const done = (verb: string, past: string): string => (collected.dryRun ? `would ${verb}` : past);
  const deleted = collected.packs.filter(({ fate }) => fate === 'deleted');
  const lines = [
    ...released.map(
      ({ model, number, reason }) => `${done('release', 'released')} ${bold(`${model}:${number}`)}  ${reason}`,
    ),
    ...kept.map(({ model, number, why }) => `kept ${model}:${number}  ${plain(why)}`),
    ...collected.uploads.map(
      ({ upload, model }) => `${done('give up', 'gave up')} the upload ${upload} of ${model ?? 'a deleted model'}`,
    ),
    ...deleted.map(
      ({ pack, sizeBytes, reason }) => `${done('delete', 'deleted')} ${pack}  ${formatBytes(sizeBytes)}  ${reason}`,
    ),
    ...collected.repacked.map(({ pack, sizeBytes, liveBytes, problem }) =>
      problem === undefined
        ? `${done('rewrite', 'rewrote')} ${pack}  ${formatBytes(liveBytes)} of ${formatBytes(sizeBytes)} needed`
        : `could not rewrite ${pack}: ${plain(problem)}`,
    ),
  ];
  const shown =
    lines.length <= MOST_LINES
      ? lines
      : [...lines.slice(0, MOST_LINES), `… and ${lines.length - MOST_LINES} more (--json lists all)`];
  const total = `${would}${would === '' ? 'deleted' : 'delete'} ${count(deleted.length, 'pack')}, ${formatBytes(collected.deletedBytes)}; ${formatBytes(collected.keptBytes)} ${collected.dryRun ? 'would stay' : 'stay'}`;
  return [...shown, total].map((line) => `${line}\n`).join('');
}

function notesOf({ packs, repacked, graceMs, dryRun, finished }: CollectResult): readonly string[] {
  const moved = repacked.filter(({ into }) => into.length > 0);
  const young = packs.filter(({ reason }) => reason === TOO_YOUNG);
  const youngBytes = young.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return [
    ...(young.length === 0
      ? []
      : [
          `${count(young.length, 'pack')} that nothing names ${young.length === 1 ? 'stays until it is' : 'stay until they are'} ${ageText(graceMs)} old (--grace): ${formatBytes(youngBytes)}`,
        ]),
    ...(finished.length === 0 ? [] : [`finished ${count(finished.length, 'collection')} that had been cut short`]),
    ...(moved.length === 0 || dryRun
      ? []
      : [
          `the old copies of ${count(moved.length, 'rewritten pack')} go with the next gc in ${ageText(graceMs)} or later`,
        ]),
  ];
}
