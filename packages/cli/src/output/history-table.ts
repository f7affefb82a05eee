import type { HistoryEntry } from '@ingot/core/registry/registry';
import { formatTable } from './table.ts';
import { type Output, plain } from './terminal.ts';
import { formatTime } from './units.ts';

/** Writes events as a table: when, who, what and why. */
export function historyTable(events: readonly HistoryEntry[], out: Output): string {
  const rows = events.map((event) => [
    out.colors.dim(formatTime(event.at)),
    event.claimed === true ? `${plain(event.actor)} ${out.colors.dim('(claimed)')}` : plain(event.actor),
    plain(event.summary),
    event.reason === undefined ? '' : out.colors.dim(`“${plain(event.reason)}”`),
  ]);
  const columns = [{ title: 'WHEN' }, { title: 'WHO' }, { title: 'WHAT' }, { title: 'WHY' }];
  return formatTable(columns, rows, {
    width: out.isTerminal ? out.columns : Number.POSITIVE_INFINITY,
    colors: out.colors,
  });
}
