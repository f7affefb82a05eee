import { availableParallelism } from 'node:os';
import { check } from '@ingot/core/check';
import { type RepairResult, repair } from '@ingot/core/check-repair';
import { type CheckResult, damageError } from '@ingot/core/check-report';
import { openBlobStore } from '@ingot/core/blob/open';
import { IngotError } from '@ingot/core/errors';
import { addressOf } from '../address.ts';
import type { Context, Result } from '../context.ts';
import { assembleStore, requireFiles } from '../open.ts';
import { plain } from '../output/terminal.ts';
import { count, formatBytes } from '../output/units.ts';

const MOST_THREADS = 8;
const MOST_LINES = 50;

/** `ingot check`: finds what is damaged, and mends it. */
export async function run(context: Context): Promise<Result> {
  const source = context.arguments.text('repair-from');
  // Not opened like other commands do: what makes it a store may be what is damaged.
  const { err } = context.terminal;
  const onWarning = (message: string): void => err.write(`${err.colors.yellow('warning')}: ${message}\n`);
  await using store = await assembleStore(context.settings, { now: context.now, onWarning });
  requireFiles(store);
  const options = {
    blobs: store.blobs,
    readData: context.arguments.isOn('read-data'),
    threads: threadsOf(context),
    signal: context.signal,
    onProgress: context.progress.onProgress,
  };
  if (source === undefined) return told(await check(options), undefined, context);
  const { text } = addressOf({ text: source, origin: '--repair-from', base: context.cwd });
  const from = await openBlobStore(text, { env: context.settings.env });
  const repaired = await repair({ ...options, from });
  return told(repaired.after, repaired, context);
}

function threadsOf(context: Context): number {
  const text = context.arguments.text('threads');
  if (text === undefined) return Math.min(MOST_THREADS, availableParallelism());
  const threads = Number(text);
  if (Number.isSafeInteger(threads) && threads >= 0 && threads <= 64 && text.trim() !== '') return threads;
  throw new IngotError('usage', `--threads is "${text}"; it is a number from 0 to 64`);
}

function told(result: CheckResult, repaired: RepairResult | undefined, context: Context): Result {
  const failure = damageError(result);
  return {
    json: {
      ...result,
      repaired:
        repaired === undefined ? null : { packs: repaired.packs, events: repaired.events, deleted: repaired.deleted },
    },
    quiet: result.versions.map(({ ref }) => ref),
    human: () => text(result, repaired, context),
    ...(failure === undefined ? {} : { failure }),
  };
}

const HURT = { recipe: 'what lists its files', history: 'its history' } as const;

function text(result: CheckResult, repaired: RepairResult | undefined, context: Context): string {
  const { green, red, dim, bold } = context.terminal.out.colors;
  const lines = [
    ...(repaired === undefined ? [] : repairLines(repaired)),
    ...some(result.damage, (item) => `${red('damaged')}  ${plain(subject(item))}\n  ${dim(`→ ${item.repair}`)}`),
    ...some(result.versions, ({ ref, files, hurt }) => {
      const what = hurt !== 'files' ? HURT[hurt] : some(files.slice(0, 5), plain).join(', ');
      return `${red('hurt')}     ${bold(plain(ref))}  ${what}${files.length > 5 ? ` and ${files.length - 5} more` : ''}`;
    }),
    ...result.notes.map(({ what, count: many, bytes }) =>
      dim(`note     ${what}: ${many}${bytes === 0 ? '' : `, ${formatBytes(bytes)}`}`),
    ),
    summary(result, result.ok ? green('nothing is damaged') : red(`${count(result.damage.length, 'object')} damaged`)),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** What is damaged: most messages name it. */
function subject({ key, message, pack }: CheckResult['damage'][number]): string {
  return message.includes(pack ?? key) ? message : `${pack === undefined ? key : `pack ${pack}`}: ${message}`;
}

function some<T>(items: readonly T[], line: (item: T) => string): string[] {
  const lines = items.slice(0, MOST_LINES).map(line);
  return items.length <= MOST_LINES ? lines : [...lines, `… and ${items.length - MOST_LINES} more (--json lists all)`];
}

function summary({ checked, readData }: CheckResult, verdict: string): string {
  const data = readData
    ? `${count(checked.entries, 'chunk')} read (${formatBytes(checked.bytes)})`
    : 'contents not read (--read-data does)';
  return `${verdict}: ${count(checked.logs, 'log')} with ${count(checked.events, 'event')}, ${count(checked.versions, 'version')}, ${count(checked.packs, 'pack')}; ${data}`;
}

function repairLines({ packs, events, deleted }: RepairResult): readonly string[] {
  return [
    ...packs.map(({ pack, mended, fetched, bytes, problem }) =>
      mended
        ? `mended   pack ${pack}: ${count(fetched, 'chunk')} fetched (${formatBytes(bytes)})`
        : `left     pack ${pack}: ${plain(problem ?? '')}`,
    ),
    ...events.map((key) => `put back ${key}, from a mirror`),
    ...deleted.map((key) => `deleted  ${key}, a damaged cache`),
  ];
}
