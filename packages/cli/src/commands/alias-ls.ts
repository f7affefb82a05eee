import { parseModelName } from '@ingot/core/ref';
import type { Context, Result } from '../context.ts';
import { openStore } from '../open.ts';
import { formatTable } from '../output/table.ts';
import { tableWidth } from '../output/terminal.ts';

/** `ingot alias ls NAME`: lists a model's aliases. */
export async function run(context: Context): Promise<Result> {
  const name = parseModelName(context.arguments.argument(0));
  await using store = await openStore(context);
  const { registry } = store;
  const { aliases } = await registry.model(name, context);
  const entries = Object.entries(aliases);
  const { out } = context.terminal;
  const rows = entries.map(([alias, number]) => [out.colors.bold(alias), `${name}:${number}`]);
  return {
    json: { model: name, aliases },
    quiet: entries.map(([alias]) => `${name}@${alias}`),
    human: () =>
      rows.length === 0
        ? ''
        : formatTable([{ title: 'ALIAS' }, { title: 'VERSION' }], rows, { width: tableWidth(out), colors: out.colors }),
    notes: rows.length === 0 ? [`no aliases yet; set one with: ingot promote ${name}`] : [],
  };
}
