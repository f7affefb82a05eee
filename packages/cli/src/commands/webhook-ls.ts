import type { JsonValue } from '@ingot/core/json';
import type { Context, Result } from '../context.ts';
import { type FoundWebhook, webhooksOf } from '../find-webhook.ts';
import { formatTable } from '../output/table.ts';
import { plain, tableWidth } from '../output/terminal.ts';
import { serverOfRegistry } from '../server-api.ts';

/** `ingot webhook ls`: lists webhooks, never their secrets. */
export async function run(context: Context): Promise<Result> {
  const webhooks = await webhooksOf(serverOfRegistry(context));
  const { out } = context.terminal;
  const columns = ['ID', 'NAME', 'URL', 'EVENTS', 'MODELS', 'STATE'].map((title) => ({ title }));
  const rows = webhooks.map((webhook) => [
    webhook.id,
    out.colors.bold(plain(webhook.name)),
    plain(String(webhook.url)),
    listed(webhook.events),
    webhook.models === null ? 'all' : listed(webhook.models),
    stateOf(webhook),
  ]);
  return {
    json: { webhooks },
    quiet: webhooks.map(({ id }) => id),
    human: () => (rows.length === 0 ? '' : formatTable(columns, rows, { width: tableWidth(out), colors: out.colors })),
    notes: rows.length === 0 ? ['no webhooks yet; make one with: ingot webhook add NAME URL --event alias.*'] : [],
  };
}

function listed(value: JsonValue | undefined): string {
  return Array.isArray(value) ? plain(value.join(', ')) : '';
}

function stateOf({ status, disabledBecause, failures }: FoundWebhook): string {
  if (status !== 'active')
    return typeof disabledBecause === 'string' ? `disabled: ${plain(disabledBecause)}` : 'disabled';
  return failures === 0 ? 'active' : `active, ${String(failures)} failures in a row`;
}
