import { isJsonObject } from '@ingot/core/json';
import type { Context, Result } from '../context.ts';
import { grantsText } from '../grant-options.ts';
import { formatTable } from '../output/table.ts';
import { tableWidth } from '../output/terminal.ts';
import { serverOfRegistry } from '../server-api.ts';

/** `ingot account ls`: lists accounts and what they may do. */
export async function run(context: Context): Promise<Result> {
  const { items } = await serverOfRegistry(context).ask('/accounts');
  const accounts = Array.isArray(items) ? items.filter(isJsonObject) : [];
  const { out } = context.terminal;
  const rows = accounts.map(({ name, signsInWith, grants }) => [
    out.colors.bold(String(name)),
    String(signsInWith),
    grantsText(grants),
  ]);
  const columns = [{ title: 'ACCOUNT' }, { title: 'SIGNS IN WITH' }, { title: 'MAY' }];
  return {
    json: { accounts },
    quiet: accounts.map(({ name }) => String(name)),
    human: () => (rows.length === 0 ? '' : formatTable(columns, rows, { width: tableWidth(out), colors: out.colors })),
    notes: rows.length === 0 ? ['no accounts yet; make one with: ingot account add NAME'] : [],
  };
}
