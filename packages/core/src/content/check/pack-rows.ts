import type { PackedEntry } from '../pack.ts';
import { digestOfRow, type LiveRows } from '../sweep/live-index.ts';

/**
 * Gives the offsets of live rows that a pack's footer does not list as they should be: at another place, of another
 * length, or under another digest. Rows and entries are both sorted by offset.
 */
export function strangeRows(entries: readonly PackedEntry[], rows: LiveRows): number[] {
  const { offsets, lengths } = rows;
  const strange: number[] = [];
  let at = 0;
  for (const [n, offset] of offsets.entries()) {
    while ((entries[at]?.offset ?? Number.POSITIVE_INFINITY) < offset) at += 1;
    const entry = entries[at];
    const isThere = entry?.offset === offset && entry.length === lengths[n] && entry.digest === digestOfRow(rows, n);
    if (!isThere) strange.push(offset);
  }
  return strange;
}
