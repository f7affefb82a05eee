import { parseModelName } from '@ingot/core/ref';
import type { HistoryEntry } from '@ingot/core/registry/registry';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { historyTable } from '../output/history-table.ts';

/** `ingot history NAME`: tells what happened to a model, newest last. */
export async function run(context: Context): Promise<Result> {
  if (context.arguments.isOn('origin')) return await (await import('./history-of-origin.ts')).historyOfOrigin(context);
  const model = parseModelName(context.arguments.argument(0));
  await using store = await openStore(context);
  const { registry } = store;
  const events: HistoryEntry[] = [];
  for await (const event of registry.history(model, context)) events.push(event);
  return {
    json: { model, events },
    quiet: events.map((event) => event.digest),
    human: () => historyTable(events, context.terminal.out),
  };
}
