import { type StatsResult, stats } from '@ingot/core/stats';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { formatFacts, formatTable } from '../output/table.ts';
import { plain, tableWidth } from '../output/terminal.ts';
import { count, formatBytes } from '../output/units.ts';

/** `ingot stats`: weighs what versions come to against what lies there for them. */
export async function run(context: Context): Promise<Result> {
  await using store = await openStore(context, { files: true });
  const result = await stats({ blobs: store.blobs, signal: context.signal, onProgress: context.progress.onProgress });
  const { unreadable } = result;
  return {
    json: result,
    quiet: [String(result.packs.bytes)],
    human: () => text(result, context),
    notes:
      unreadable.length === 0 ? [] : [`${count(unreadable.length, 'version')} cannot be read: ingot check says more`],
  };
}

function text(result: StatsResult, { terminal }: Context): string {
  const { colors } = terminal.out;
  const width = tableWidth(terminal.out);
  const right = { align: 'right' as const };
  const columns = [
    { title: 'MODEL' },
    { title: 'VERSIONS', ...right },
    { title: 'LOGICAL', ...right },
    { title: 'STORED', ...right },
    { title: 'CHUNKS', ...right },
  ];
  const rows = result.models.map((model) => [
    plain(model.model),
    String(model.versions),
    formatBytes(model.logicalBytes),
    formatBytes(model.storedBytes),
    String(model.chunks),
  ]);
  const table = rows.length === 0 ? '' : `${formatTable(columns, rows, { width, colors })}\n`;
  return table + formatFacts(facts(result), { width, colors });
}

function facts({ all, deduplication, compression, packs, disk }: StatsResult): (readonly [string, string])[] {
  return [
    ['logical', `${formatBytes(all.logicalBytes)} in ${count(all.versions, 'version')}`],
    ['stored', `${formatBytes(packs.bytes)} in ${count(packs.count, 'pack')}, ${count(all.chunks, 'chunk')}`],
    [
      'on disk',
      `${formatBytes(disk.bytes)} in ${count(disk.objects, 'object')}: packs, ${formatBytes(disk.logBytes)} of history, ${formatBytes(disk.otherBytes)} of all else`,
    ],
    ['factors', `${deduplication.toFixed(2)} by sharing, ${compression.toFixed(2)} by coding`],
    [
      'unreferenced',
      `${formatBytes(packs.unreferencedBytes)} in ${count(packs.unreferenced, 'pack')} (ingot gc deletes them)`,
    ],
    [
      'thin',
      `${formatBytes(packs.thinBytes)} not needed in ${count(packs.thin, 'thin pack')} (ingot gc rewrites them)`,
    ],
  ];
}
