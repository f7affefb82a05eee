import type { OnProgress, ProgressEvent } from '@ingot/core/progress';
import { ProgressTotals } from './progress-totals.ts';
import { truncate } from './table.ts';
import type { Output } from './terminal.ts';
import { plain } from './terminal.ts';
import { count, formatBytes, formatDuration } from './units.ts';

/** Shows what a long operation is doing, on stderr. */
export interface ProgressDisplay {
  readonly onProgress: OnProgress;
  /** Removes the bars; call it before printing anything else. */
  clear(): void;
}

const REDRAW_MS = 100;
const LINE_MS = 5000;
const BAR_CELLS = 20;

const VERBS: Readonly<Record<ProgressEvent['phase'], string>> = {
  hash: 'reading',
  store: 'storing',
  fetch: 'fetching',
  copy: 'copying',
  environment: 'preparing',
  load: 'loading',
  check: 'checking',
  collect: 'collecting',
};

/**
 * Opens a display: on a terminal a bar for the file in flight and one for the total, else one line every 5 seconds,
 * and nothing with `silent`.
 */
export function openProgress(
  output: Output,
  now: () => number,
  options: { readonly silent?: boolean } = {},
): ProgressDisplay {
  if (options.silent === true) return { onProgress: () => {}, clear: () => {} };
  return output.isTerminal ? barDisplay(output, now) : lineDisplay(output, now);
}

function lineDisplay(output: Output, now: () => number): ProgressDisplay {
  const totals = new ProgressTotals(now);
  let [last, heard] = [now(), now()];
  return {
    onProgress: (event) => {
      // Work that begins after a pause, as in a server that takes a new version, is told when it has lasted as long.
      const isIdle = totals.total > 0 && totals.done >= totals.total && now() - heard >= LINE_MS;
      if (isIdle) last = now();
      heard = now();
      totals.add(event);
      if (now() - last < LINE_MS) return;
      last = now();
      output.write(`${totals.matterFor(event) ? summary(totals, event.phase) : describe(event)}\n`);
    },
    clear: () => {},
  };
}

function barDisplay(output: Output, now: () => number): ProgressDisplay {
  const totals = new ProgressTotals(now);
  let last = Number.NEGATIVE_INFINITY;
  let drawn = 0;
  const erase = (): void => {
    if (drawn > 0) output.write(`${'\u001b[1A\u001b[2K'.repeat(drawn)}\r`);
    drawn = 0;
  };
  return {
    onProgress: (event) => {
      totals.add(event);
      if (now() - last < REDRAW_MS) return;
      last = now();
      const lines = [fileLine(event, output)];
      if (totals.matterFor(event)) lines.push(totalLine(totals, event.phase, output));
      erase();
      output.write(lines.map((line) => `${truncate(line, output.columns - 1)}\n`).join(''));
      drawn = lines.length;
    },
    clear: erase,
  };
}

function fileLine(event: ProgressEvent, output: Output): string {
  if (event.totalBytes === 0 || event.message !== undefined) return describe(event);
  return `${bar(event.doneBytes, event.totalBytes, output)}  ${describe(event)}`;
}

function totalLine(totals: ProgressTotals, phase: ProgressEvent['phase'], output: Output): string {
  return `${bar(totals.done, totals.total, output)}  ${summary(totals, phase)}`;
}

/** `fetching 203 files  512 MB of 1.1 GB  310 MB/s  2 s left  20 MB new, 492 MB already here`: what 80 columns cut is last. */
export function summary(totals: ProgressTotals, phase: ProgressEvent['phase']): string {
  const { done, total, files, fresh, known, rate, secondsLeft } = totals;
  const there = phase === 'store' ? 'already stored' : 'already here';
  const parts = [
    `${VERBS[phase]} ${phase === 'check' ? 'packs' : count(files, phase === 'copy' ? 'pack' : 'file')}`,
    amount(done, total),
    rate === undefined ? '' : `${formatBytes(rate)}/s`,
    secondsLeft === undefined || done >= total ? '' : `${formatDuration(secondsLeft)} left`,
    fresh === undefined || known === undefined ? '' : `${formatBytes(fresh)} new, ${formatBytes(known)} ${there}`,
  ];
  return parts.filter((part) => part !== '').join('  ');
}

/** `storing model.pkl  5 MB of 10 MB`. */
export function describe(event: ProgressEvent): string {
  const what = `${VERBS[event.phase]} ${plain(event.path)}`;
  if (event.message !== undefined) return `${what}  ${plain(event.message)}`;
  return event.totalBytes === 0 ? what : `${what}  ${amount(event.doneBytes, event.totalBytes)}`;
}

function amount(done: number, total: number): string {
  return `${formatBytes(done)} of ${formatBytes(total)}`;
}

function bar(done: number, total: number, output: Output): string {
  const filled = total === 0 ? BAR_CELLS : Math.min(BAR_CELLS, Math.floor((done / total) * BAR_CELLS));
  return output.colors.cyan('█'.repeat(filled)) + output.colors.dim('░'.repeat(BAR_CELLS - filled));
}
