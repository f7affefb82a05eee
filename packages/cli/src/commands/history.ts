import { parseModelName } from '@ingot/core/ref';
import type { HistoryEntry } from '@ingot/core/registry/registry';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { formatTable } from '../output/table.ts';
import { plain } from '../output/terminal.ts';
import { formatTime } from '../output/units.ts';

/** `ingot history NAME`: tells what happened to a model, newest last. */
export async function run(context: Context): Promise<Result> {
  const model = parseModelName(context.arguments.argument(0));
  await using store = await openStore(context);
  const { registry } = store;
  const events: HistoryEntry[] = [];
  for await (const event of registry.history(model, context)) events.push(event);
  const { out } = context.terminal;
  const rows = (): string[][] =>
    events.map((event) => [
      out.colors.dim(formatTime(event.at)),
      event.claimed === true ? `${plain(event.actor)} ${out.colors.dim('(claimed)')}` : plain(event.actor),
      plain(event.summary),
      event.reason === undefined ? '' : out.colors.dim(`“${plain(event.reason)}”`),
    ]);
  const columns = [{ title: 'WHEN' }, { title: 'WHO' }, { title: 'WHAT' }, { title: 'WHY' }];
  const width = out.isTerminal ? out.columns : Number.POSITIVE_INFINITY;
  return {
    json: { model, events },
    quiet: events.map((event) => event.digest),
    human: () => formatTable(columns, rows(), { width, colors: out.colors }),
  };
}
