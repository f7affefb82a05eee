import { parseModelName } from '@ingot/core/ref';
import type { HistoryEntry } from '@ingot/core/registry/registry';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { formatTable } from '../output/table.ts';
import { plain, tableWidth } from '../output/terminal.ts';
import { formatTime } from '../output/units.ts';

/** `ingot hold ls NAME`: lists the holds that a model is under. */
export async function run(context: Context): Promise<Result> {
  const model = parseModelName(context.arguments.argument(0));
  await using store = await openStore(context);
  const standing = new Map<string, HistoryEntry>();
  for await (const event of store.registry.history(model, context)) {
    const hold = String(event.body.hold ?? '');
    if (event.kind === 'hold-set') standing.set(hold, event);
    if (event.kind === 'hold-released') standing.delete(hold);
  }
  const holds = [...standing].map(
    ([
      hold,
      {
        at,
        actor,
        reason,
        body: { number },
      },
    ]) => ({
      hold,
      number: typeof number === 'number' ? number : null,
      at,
      by: actor,
      ...(reason !== undefined && { reason }),
    }),
  );
  const { out } = context.terminal;
  const columns = ['HOLD', 'ON', 'SINCE', 'BY', 'WHY'].map((title) => ({ title }));
  const rows = holds.map(({ hold, number, at, by, reason = '' }) => [
    plain(hold),
    number === null ? model : `${model}:${number}`,
    formatTime(at),
    plain(by),
    plain(reason),
  ]);
  return {
    json: { model, holds },
    quiet: holds.map(({ hold }) => hold),
    human: () => (rows.length === 0 ? '' : formatTable(columns, rows, { width: tableWidth(out), colors: out.colors })),
    notes: rows.length === 0 ? [`"${model}" is under no hold`] : [],
  };
}
