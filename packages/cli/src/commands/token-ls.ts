import { isJsonObject } from '@ingot/core/json';
import type { Context, Result } from '../context.ts';
import { grantsText } from '../grant-options.ts';
import { formatTable } from '../output/table.ts';
import { tableWidth } from '../output/terminal.ts';
import { serverOfRegistry } from '../server-api.ts';

/** `ingot token ls`: lists tokens, never their secrets. */
export async function run(context: Context): Promise<Result> {
  const { items } = await serverOfRegistry(context).ask('/tokens');
  const tokens = Array.isArray(items) ? items.filter(isJsonObject) : [];
  const { out } = context.terminal;
  const day = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 10) : '');
  const rows = tokens.map((token) => [
    out.colors.bold(String(token.id)),
    String(token.name),
    typeof token.account === 'string' ? token.account : 'service',
    grantsText(token.scopes ?? undefined),
    day(token.expiresAt),
    day(token.lastUsedAt),
    token.revokedAt === null ? '' : 'revoked',
  ]);
  const titles = ['ID', 'NAME', 'OF', 'LIMITED TO', 'EXPIRES', 'LAST USED', ''];
  const columns = titles.map((title) => ({ title }));
  return {
    json: { tokens },
    quiet: tokens.map(({ id }) => String(id)),
    human: () => (rows.length === 0 ? '' : formatTable(columns, rows, { width: tableWidth(out), colors: out.colors })),
    notes: rows.length === 0 ? ['no tokens yet; make one with: ingot token create NAME'] : [],
  };
}
